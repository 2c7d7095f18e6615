"""The values of a configuration, held against the hyperparameters that a build reads."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import keras_tuner
import numpy as np
from keras_tuner.engine import hyperparameters as kinds

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
    if isinstance(hyperparameter, kinds.Fixed):
        return bool(value == hyperparameter.value)
    if isinstance(hyperparameter, kinds.Boolean | kinds.Choice):
        return value in _choices(hyperparameter)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return False
    if value == hyperparameter.default:
        return True
    if isinstance(hyperparameter, kinds.Int) and value != int(value):
        return False
    within = hyperparameter.min_value <= value <= hyperparameter.max_value
    return within and _on_step(hyperparameter, float(value))


def _choices(hyperparameter: Any) -> Iterator[Any]:
    if isinstance(hyperparameter, kinds.Boolean):
        return iter((False, True))
    return iter(hyperparameter.values)


def _on_step(hyperparameter: Any, value: float) -> bool:
    if hyperparameter.step is None:
        return True
    if hyperparameter.sampling == "linear":
        steps = (value - hyperparameter.min_value) / hyperparameter.step
    else:
        low, high = hyperparameter.min_value, hyperparameter.max_value
        mirrored = hyperparameter.sampling == "reverse_log"
        steps = math.log((high + low - value if mirrored else value) / low, hyperparameter.step)
    if isinstance(hyperparameter, kinds.Int) and hyperparameter.sampling != "linear":
        return True  # whole numbers are rounded off the steps
    return math.isclose(steps, round(steps), abs_tol=1e-6)
