"""One space on Optuna: KerasTuner's `hp` with values that come from `trial.suggest_*`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import keras_tuner
from keras_tuner.engine import hyperparameters as kinds
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,  # not meant for users; a test pins it
)

if TYPE_CHECKING:
    import optuna

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution
NOTHING: Mapping[str, Distribution] = MappingProxyType({})
MOST_STEPS = 64  # of a range, that are choices
GRID_POINTS = 5  # of a numeric range, on a grid


class SuggestedHyperParameters(keras_tuner.HyperParameters):  # type: ignore[misc]  # untyped
    """A hyperparameter takes its value from an Optuna trial where a space first reads it.

    So `build(hp)` is define-by-run: loops, ifs and conditional scopes work, and `values` holds the
    hyperparameters that the build really read.

    Args:
        trial: an Optuna trial that was asked for and not told yet.
        grid: whether numeric ranges are cut down to five points, both ends among them, and the
            default.
        usual: what the default configuration asks for: what another branch of a space asks for
            under a name of that, in another kind of range, gets a name apart.
    """

    def __init__(
        self,
        trial: optuna.Trial,
        *,
        grid: bool = False,
        usual: Mapping[str, Distribution] = NOTHING,
    ) -> None:
        super().__init__()
        self._trial = trial
        self._grid = grid
        self._usual = usual

    def _register(self, hyperparameter: Any, overwrite: bool = False) -> Any:
        if hyperparameter.name not in self.values and self.is_active(hyperparameter):
            self.values[hyperparameter.name] = self._suggested(hyperparameter)
        return super()._register(hyperparameter, overwrite)

    def _suggested(self, hp: Any) -> Any:
        """The value that the trial gives one hyperparameter."""
        distribution = _distribution(hp, self._grid)
        if distribution is None:
            return _choices(hp, self._grid)[0]  # type: ignore[index]  # all that there is
        try:
            value = _suggest(self._trial, _name(hp, distribution, self._usual), distribution)
        except ValueError:  # Optuna: another branch has asked for other choices, or another scale
            value = _suggest(self._trial, _apart(hp, distribution), distribution)
        if isinstance(distribution, CategoricalDistribution):
            return value
        return _on_step(hp, _mirrored(hp, value))


def distributions(hp: keras_tuner.HyperParameters, grid: bool = False) -> dict[str, Distribution]:
    """What an Optuna trial would be asked for by a configuration."""
    asked = {suggestion_name(each): _distribution(each, grid) for each in _active(hp)}
    return {name: each for name, each in asked.items() if each is not None}


def default_suggestions(
    hp: keras_tuner.HyperParameters,
    grid: bool = False,
    usual: Mapping[str, Distribution] = NOTHING,
) -> dict[str, Any]:
    """What an Optuna trial would have to suggest for a configuration, by the names asked for."""
    found = {}
    for each in _active(hp):
        distribution = _distribution(each, grid)
        if distribution is not None:
            found[_name(each, distribution, usual)] = _mirrored(each, hp.values[each.name])
    return found


def _active(hp: keras_tuner.HyperParameters) -> list[Any]:
    return [*{each.name: each for each in hp.space if hp.is_active(each)}.values()]


def suggestion_name(hp: Any) -> str:
    """Name on Optuna's side: conditions are part of it, so equal names cannot clash there."""
    conditions = [f"{each.name}={','.join(map(str, each.values))}" for each in hp.conditions]
    return " | ".join([hp.name, *conditions])


def _name(hp: Any, distribution: Distribution, usual: Mapping[str, Distribution]) -> str:
    """Its own; a name apart where the default configuration has another kind of range there."""
    name = suggestion_name(hp)
    try:
        check_distribution_compatibility(usual.get(name, distribution), distribution)
    except ValueError:
        return _apart(hp, distribution)
    return name


def _apart(hp: Any, distribution: Distribution) -> str:
    """A name that says what it may be: Optuna takes one kind of range, or of choices, a name."""
    name = suggestion_name(hp)
    if isinstance(distribution, CategoricalDistribution):
        return f"{name} of {','.join(map(str, distribution.choices))}"
    scale = ", log" if distribution.log else ""
    kind = "whole, " if isinstance(distribution, IntDistribution) else ""
    return f"{name} of {kind}{distribution.low} to {distribution.high}{scale}"


def _distribution(hp: Any, grid: bool) -> Distribution | None:
    """What a trial is asked for; None where there is nothing to choose."""
    choices = _choices(hp, grid)
    if choices is not None:
        return CategoricalDistribution(choices) if len(choices) > 1 else None
    log = hp.sampling != "linear"
    if not isinstance(hp, kinds.Int):
        return FloatDistribution(hp.min_value, hp.max_value, log=log)
    step = 1 if log else hp.step
    high = hp.max_value - (hp.max_value - hp.min_value) % step
    return IntDistribution(hp.min_value, high, step=step, log=log)


def _suggest(trial: optuna.Trial, name: str, distribution: Distribution) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, list(distribution.choices))
    low, high, log = distribution.low, distribution.high, distribution.log
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(name, int(low), int(high), step=distribution.step, log=log)
    return trial.suggest_float(name, low, high, log=log)


def _choices(hp: Any, grid: bool) -> list[Any] | None:
    """The values of a hyperparameter that has few; None for a range."""
    if isinstance(hp, kinds.Boolean):
        return [False, True]
    if isinstance(hp, kinds.Choice | kinds.Fixed):
        return list(hp.values)
    if hp.step is not None and (hp.sampling != "linear" or _has_few_steps(hp)):
        return [_typed(hp, hp._get_value_by_index(i)) for i in range(_steps(hp) + 1)]
    if not grid:
        return None
    points = [hp.prob_to_value(i / (GRID_POINTS - 1)) for i in range(GRID_POINTS)]
    return sorted({*(_typed(hp, min(each, hp.max_value)) for each in points), hp.default})


def _has_few_steps(hp: Any) -> bool:
    """Whether the steps of a number with a fraction may be choices; else it is put on a step."""
    return isinstance(hp, kinds.Float) and _steps(hp) <= MOST_STEPS


def _on_step(hp: Any, value: Any) -> Any:
    if hp.step is None or not isinstance(hp, kinds.Float) or hp.sampling != "linear":
        return value
    index = min(round((value - hp.min_value) / hp.step), _steps(hp))
    return _typed(hp, hp._get_value_by_index(index))


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
