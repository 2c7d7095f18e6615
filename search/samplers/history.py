"""What the trials so far have shown: a study's records as observations for the surrogate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

from ..stopping import was_cut_short
from ..trials import BATCH, PARENT, RECORD, TrialState
from .candidates import Configuration, Measured, key_of
from .surrogate import Observation, Surrogate

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PRUNED_WEIGHT = 0.3  # of an outcome that was extrapolated
HOPELESS = -1.5  # outcome below which it does not matter how far a trial was from the target
WORST = -3.0  # outcome of a trial that failed: an error twenty times the target's


@dataclass(frozen=True)
class Trained:
    """A trial that was trained, as an observation."""

    trial: FrozenTrial
    configuration: Configuration
    reached: bool
    outcome: float
    weight: float
    epochs: int
    inherited: bool  # began with trained weights: says nothing of others that begin with none

    @property
    def number(self) -> int:
        return self.trial.number

    @property
    def size(self) -> int:
        return self.configuration.parameter_count

    def observed(self) -> Observation:
        """For the surrogate, which asks where the target is reached: the nearer, the heavier."""
        outcome = max(self.outcome, HOPELESS)
        return Observation(self.configuration, outcome, self.weight * math.exp(-(outcome**2) / 2))


class History:
    """What the trials before trial `number` have shown."""

    def __init__(self, study: Study, number: int, outcome_of: Callable[[float], float]) -> None:
        trials = [each for each in study.get_trials(deepcopy=False) if each.number < number]
        told = [(each, each.user_attrs[RECORD]) for each in trials if RECORD in each.user_attrs]
        beaten = _beaten(told)
        cut = {each.number for each, record in told if was_cut_short(record.get("reason", ""))}
        self.known = {key_of(trial.params) for trial in trials if trial.number not in cut}
        self.trained = [
            _trained(trial, record, outcome_of)
            for trial, record in told
            if record["state"] != TrialState.REJECTED.value and trial.number not in beaten
        ]

    @cached_property
    def incumbent(self) -> Trained | None:
        """The smallest that reached."""
        reached = (each for each in self.trained if each.reached)
        return min(reached, key=lambda each: each.size, default=None)

    @cached_property
    def fruitless(self) -> int:
        """Trials since the incumbent that began with nothing."""
        since = self.incumbent.number if self.incumbent is not None else math.inf
        return sum(each.number > since and not each.inherited for each in self.trained)

    @cached_property
    def vain(self) -> set[str]:
        """Keys of the configurations that were tried before any had reached."""
        first = min((each.number for each in self.trained if each.reached), default=math.inf)
        return {e.configuration.key for e in self.trained if e.number < first}

    @cached_property
    def smallest(self) -> float:
        """Size of the incumbent; infinite where there is none."""
        return math.inf if self.incumbent is None else self.incumbent.size

    def best(self, count: int) -> list[Trained]:
        """The smallest that reached, then the nearest misses among the smaller."""
        reached = sorted((each for each in self.trained if each.reached), key=lambda e: e.size)
        missed = [e for e in self.trained if not e.reached and e.size < self.smallest]
        missed.sort(key=lambda each: -each.outcome)
        return [*reached[: count - 2], *missed][:count]

    def epochs(self, reached: bool) -> float:
        """Epochs that a trial with this end has taken so far, in the median."""
        taken = [
            each.epochs
            for each in self.trained
            if each.reached is reached and each.epochs and not each.inherited
        ]
        return median(taken) if taken else 10.0

    def surrogate(self, seed: int) -> Surrogate:
        told = [each.observed() for each in self.trained if not each.inherited]
        return Surrogate(told, seed)


def _beaten(told: list[tuple[FrozenTrial, Mapping[str, Any]]]) -> set[int]:
    """Trials that a smaller one of the same batch makes needless.

    How far they have come depends on how the batch was interrupted, so that nothing is learned
    from it.
    """
    smallest: dict[int, int] = {}
    for trial, record in told:
        if record["reached"] and BATCH in trial.user_attrs:
            first, size = trial.user_attrs[BATCH], record["parameter_count"]
            smallest[first] = min(size, smallest.get(first, size))
    return {
        trial.number
        for trial, record in told
        if record["parameter_count"] > smallest.get(trial.user_attrs.get(BATCH, -1), math.inf)
    } | {
        trial.number
        for trial, record in told
        if record["state"] == TrialState.PRUNED.value and record["score"] is None
    }


def _trained(
    trial: FrozenTrial, record: Mapping[str, Any], outcome_of: Callable[[float], float]
) -> Trained:
    """A trial as an observation, between what its score was and could have become.

    One that reached was stopped as well: else all of them would seem to be just good enough. The
    mean of the two outcomes is the log of the geometric mean of the two errors.
    """
    distributions: Any = trial.distributions  # of the three kinds that there are
    configuration = Configuration(trial.params, distributions, Measured(record["parameter_count"]))
    score, projected = record["score"], record["projected_score"]
    stopped = record["state"] == TrialState.PRUNED.value
    if score is None:
        value = WORST
    elif projected is not None:
        value = (outcome_of(score) + outcome_of(projected)) / 2
    else:
        value = outcome_of(score)
    return Trained(
        trial=trial,
        configuration=configuration,
        reached=record["reached"],
        outcome=max(value, 0.0) if record["reached"] else min(value, 0.0),
        weight=PRUNED_WEIGHT if stopped or score is None else 1.0,
        epochs=record["epochs"],
        inherited=PARENT in trial.user_attrs,
    )
