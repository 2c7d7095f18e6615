"""The values of a configuration, held against the hyperparameters that a build reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras_tuner
import numpy as np
from keras_tuner.engine import hyperparameters as kinds

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable


class GivenHyperParameters(keras_tuner.HyperParameters):  # type: ignore[misc]  # untyped
    """KerasTuner's `hp` with given values; one that a range does not allow becomes its default.

    `space` holds the hyperparameters that a build has read.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__()
        self.values = dict(values)

    def _register(self, hyperparameter: Any, overwrite: bool = False) -> Any:
        given = self.values.get(hyperparameter.name, hyperparameter.default)
        if self.is_active(hyperparameter) and not allows(hyperparameter, given):
            del self.values[hyperparameter.name]
        return super()._register(hyperparameter, overwrite)


class DefaultHyperParameters(GivenHyperParameters):
    """The `hp` of a first build, of the defaults, which notes one name for two things.

    KerasTuner answers the second with the value of the first, by which spaces are tailored; text
    for a number, or the reverse, is refused. Under another condition a name is another thing.

    `twice` says what was asked for twice, by name.
    """

    def __init__(self) -> None:
        super().__init__({})
        self.twice: dict[str, str] = {}

    def _retrieve(self, hyperparameter: Any) -> Any:
        name, asked = hyperparameter.name, _described(hyperparameter)
        for known in self._hps.get(name, ()):
            before = _described(known)
            if known.conditions == hyperparameter.conditions and before != asked:
                said = f"Hyperparameter {name!r} is asked for twice, as {before} and as {asked}: "
                if isinstance(known.default, str) != isinstance(hyperparameter.default, str):
                    raise InputError(f"{said}give each its own name.")
                self.twice.setdefault(name, f"{said}the first counts.")
        return super()._retrieve(hyperparameter)


def _described(hyperparameter: Any) -> str:
    """What a hyperparameter may be, in words."""
    kind = type(hyperparameter).__name__
    if isinstance(hyperparameter, kinds.Fixed):
        return f"{kind} {hyperparameter.value!r}"
    if isinstance(hyperparameter, kinds.Choice):
        return f"{kind} of {', '.join(sorted(map(repr, hyperparameter.values)))}"
    if isinstance(hyperparameter, kinds.Boolean):
        return str(kind)
    return f"{kind} {hyperparameter.min_value} to {hyperparameter.max_value}"


def read(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
    """The values that a build has read from `hp`, as Python's own types."""
    active = {each.name for each in hp.space if hp.is_active(each)}
    return {name: plain(hp.values[name]) for name in hp.values if name in active}


def register(hp: keras_tuner.HyperParameters, hyperparameters: Iterable[Any]) -> None:
    """Read hyperparameters that no build reads, as those of a HyperModel's own `fit`."""
    for each in hyperparameters:
        hp._retrieve(each)


def fits(hp: keras_tuner.HyperParameters, values: Mapping[str, Any]) -> bool:
    """Whether a build that was given `values` has read just these, and each was allowed."""
    return read(hp) == {name: plain(value) for name, value in values.items()}


def plain(value: Any) -> Any:
    """A value of Python's own, where an oracle made one of NumPy's."""
    return value.item() if isinstance(value, np.generic) else value


def allows(hyperparameter: Any, value: Any) -> bool:
    """Whether a hyperparameter can take this value: its default always, else one of its range."""
    if isinstance(hyperparameter, kinds.Fixed | kinds.Boolean | kinds.Choice):
        return value in hyperparameter.values
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    if value == hyperparameter.default:
        return True
    if isinstance(hyperparameter, kinds.Int) and value != int(value):
        return False
    within = hyperparameter.min_value <= value <= hyperparameter.max_value
    return within and _on_step(hyperparameter, float(value))


def _on_step(hyperparameter: Any, value: float) -> bool:
    if hyperparameter.step is None:
        return True
    low, high = hyperparameter.min_value, hyperparameter.max_value
    if hyperparameter.sampling == "linear":
        steps = (value - low) / hyperparameter.step
    elif isinstance(hyperparameter, kinds.Int):
        return True  # whole numbers are rounded off the steps
    else:
        mirrored = hyperparameter.sampling == "reverse_log"
        steps = math.log((high + low - value if mirrored else value) / low, hyperparameter.step)
    return math.isclose(steps, round(steps), abs_tol=1e-6)
