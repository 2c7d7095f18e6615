"""One space on Optuna: KerasTuner's `hp` with values that come from `trial.suggest_*`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds

if TYPE_CHECKING:
    import optuna

GRID_POINTS = 5  # of a numeric range, on a grid


class SuggestedHyperParameters(keras_tuner.HyperParameters):  # type: ignore[misc]  # untyped
    """A hyperparameter takes its value from an Optuna trial where a space first reads it.

    So `build(hp)` is define-by-run: loops, ifs and conditional scopes work, and `values` holds the
    hyperparameters that the build really read.

    Args:
        trial: an Optuna trial that was asked for and not told yet.
        grid: whether numeric ranges are cut down to five points, both ends among them, and the
            default.
    """

    def __init__(self, trial: optuna.Trial, *, grid: bool = False) -> None:
        super().__init__()
        self._trial = trial
        self._grid = grid

    def _register(self, hyperparameter: Any, overwrite: bool = False) -> Any:
        if hyperparameter.name not in self.values and self.is_active(hyperparameter):
            self.values[hyperparameter.name] = suggest(self._trial, hyperparameter, self._grid)
        return super()._register(hyperparameter, overwrite)


def suggest(trial: optuna.Trial, hp: Any, grid: bool = False) -> Any:
    """The value that an Optuna trial gives one KerasTuner hyperparameter."""
    name = suggestion_name(hp)
    if isinstance(hp, kinds.Fixed):
        return hp.value
    choices = _choices(hp, grid)
    if choices is not None:
        return _suggest_choice(trial, name, choices)
    log = hp.sampling != "linear"
    if isinstance(hp, kinds.Int):
        step = 1 if log else hp.step
        high = hp.max_value - (hp.max_value - hp.min_value) % step
        value: Any = trial.suggest_int(name, hp.min_value, high, step=step, log=log)
    else:
        value = trial.suggest_float(name, hp.min_value, hp.max_value, log=log)
    return _mirrored(hp, value)


def default_suggestions(hp: keras_tuner.HyperParameters) -> dict[str, Any]:
    """What an Optuna trial would have to suggest for the default configuration."""
    active = {each.name: each for each in hp.space if hp.is_active(each)}
    return {
        suggestion_name(each): _mirrored(each, hp.values[name])
        for name, each in active.items()
        if not isinstance(each, kinds.Fixed)
    }


def suggestion_name(hp: Any) -> str:
    """Name on Optuna's side: conditions are part of it, so equal names cannot clash there."""
    conditions = [f"{each.name}={','.join(map(str, each.values))}" for each in hp.conditions]
    return " | ".join([hp.name, *conditions])


def _choices(hp: Any, grid: bool) -> list[Any] | None:
    """The values of a hyperparameter that has few; None for a range."""
    if isinstance(hp, kinds.Boolean):
        return [False, True]
    if isinstance(hp, kinds.Choice):
        return list(hp.values)
    if hp.step is not None and (hp.sampling != "linear" or isinstance(hp, kinds.Float)):
        return [_typed(hp, hp._get_value_by_index(i)) for i in range(_steps(hp) + 1)]
    if not grid:
        return None
    points = [hp.prob_to_value(i / (GRID_POINTS - 1)) for i in range(GRID_POINTS)]
    return sorted({*(_typed(hp, min(each, hp.max_value)) for each in points), hp.default})


def _steps(hp: Any) -> int:
    """How many steps fit into the range; rounding may not cost the last one."""
    if hp.sampling == "linear":
        return int((hp.max_value - hp.min_value) / hp.step + 1e-8)
    return int(math.log(hp.max_value / hp.min_value, hp.step) + 1e-8)


def _typed(hp: Any, value: float) -> Any:
    return round(value) if isinstance(hp, kinds.Int) else float(f"{value:.12g}")


def _mirrored(hp: Any, value: Any) -> Any:
    """KerasTuner's reverse_log is Optuna's log seen from the other end of the range."""
    if getattr(hp, "sampling", None) != "reverse_log" or hp.step is not None:
        return value
    return _typed(hp, hp.min_value + hp.max_value - value)


def _suggest_choice(trial: optuna.Trial, name: str, choices: list[Any]) -> Any:
    """One of `choices`; where an earlier trial chose from others under this name, a name apart."""
    if len(choices) == 1:
        return choices[0]
    try:
        return trial.suggest_categorical(name, choices)
    except ValueError:  # Optuna: "does not support dynamic value space"
        listed = ",".join(map(str, choices))
        return trial.suggest_categorical(f"{name} of {listed}", choices)
