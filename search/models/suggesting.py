"""An Optuna user's function as a space: it takes a `trial`, suggests, and returns a model."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras_tuner


def takes_trial(space: Any) -> bool:
    """Whether a function is written for Optuna: it takes a `trial`, or some `...Trial`."""
    try:
        parameters = list(inspect.signature(space).parameters.values())
    except (TypeError, ValueError):
        return False
    if not parameters:
        return False
    annotation = parameters[0].annotation
    kind = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return parameters[0].name == "trial" or kind.endswith("Trial")


def as_build(space: Callable[[Any], Any]) -> Callable[[keras_tuner.HyperParameters], Any]:
    """A KerasTuner `build(hp)` that calls a function written for Optuna."""
    return lambda hp: space(SuggestingTrial(hp))


class SuggestingTrial:
    """What a function may ask of an Optuna trial, answered by KerasTuner's `hp`.

    Suggestions have no default, and a search wants one: it is the middle of each range, on its own
    scale, and the first of the choices.
    """

    def __init__(self, hp: keras_tuner.HyperParameters) -> None:
        self._hp = hp
        self.params: dict[str, Any] = {}
        self.user_attrs: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"trial.{name} is not there, as models are also built where there is no trial: a space "
            "asks for suggestions alone"
        )

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> Any:
        middle = _middle(low, high, step, log)
        given = {"sampling": "log"} if log else {"step": step}
        return self._kept(name, self._hp.Int(name, low, high, default=round(middle), **given))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> Any:
        middle = _middle(low, high, step, log)
        given: dict[str, Any] = {"sampling": "log"} if log else {"step": step}
        return self._kept(name, self._hp.Float(name, low, high, default=middle, **given))

    def suggest_uniform(self, name: str, low: float, high: float) -> Any:
        return self.suggest_float(name, low, high)

    def suggest_loguniform(self, name: str, low: float, high: float) -> Any:
        return self.suggest_float(name, low, high, log=True)

    def suggest_discrete_uniform(self, name: str, low: float, high: float, q: float) -> Any:
        return self.suggest_float(name, low, high, step=q)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Choices of several types, and None, stand in the records as text."""
        kinds = {type(choice) for choice in choices}
        if kinds == {bool} and len(set(choices)) > 1:
            return self._kept(name, self._hp.Boolean(name, default=bool(choices[0])))
        if len(kinds) == 1 and kinds <= {str, int, float}:
            return self._kept(name, self._hp.Choice(name, list(choices)))
        by_text = {str(choice): choice for choice in choices}
        return self._kept(name, by_text[self._hp.Choice(name, list(by_text))])

    def set_user_attr(self, key: str, value: Any) -> None:
        """Kept with the call alone: a trial's records are Occam's."""
        self.user_attrs[key] = value

    def report(self, value: float, step: int) -> None:
        """Not used: Occam trains the model, and stops it."""

    def should_prune(self) -> bool:
        """Never: Occam stops what cannot reach the target."""
        return False

    def _kept(self, name: str, value: Any) -> Any:
        self.params[name] = value
        return value


def _middle(low: float, high: float, step: float | None, log: bool) -> float:
    if log:
        return math.sqrt(low * high)
    if step is None:
        return (low + high) / 2
    return low + step * int((high - low) / step / 2 + 1e-8)
