"""Occam's own sampler: looks for the smallest configuration whose score reaches the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler

from ..metrics import Metric
from ..trials import RECORD, TrialState
from .pool import Configuration, Distribution, Pool, Values, fits, from_unit
from .surrogate import Observation, Surrogate, outcome, probability

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

PATH_STEPS = 12  # widths of the default shape, below it and above it
BRACKETS = 6  # trials along the default shape, at most
NARROW = 1.5  # ratio of sizes at which the bracket is closed
GAIN = 0.985  # of the incumbent's size: what a candidate may have at most
WANTED, MOST = 200, 1024  # random candidates smaller than the incumbent, and draws for them
NEIGHBOURS = 32  # drawn around each of the best trials
BASES = 5  # trials whose neighbours are candidates
EXPLORE = 0.1  # share of trials that only make the level set clearer
HOPE, PATIENT = 0.05, 20  # the search ends when no candidate is likelier, after so many trials
PRUNED_WEIGHT = 0.3  # of an outcome that was extrapolated
WORST = -3.0  # outcome of a trial that failed: an error twenty times the target's


class LevelSetSampler(BaseSampler):
    """Proposes by known gain in log size x probability of reaching the target / expected epochs.

    The size of a configuration is counted, not modelled; the probability comes from a surrogate of
    the log error. The first trials bracket the target along the space's default configuration,
    from its narrowest to its widest. What cannot be smaller than the incumbent is not proposed.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        default: Values,
        metric: Metric,
        search_target: float,
        seed: Callable[[int], int],
    ) -> None:
        self._pool, self._default, self._seed = pool, default, seed
        self._metric, self._search_target = metric, search_target
        self._chosen: tuple[int, Configuration | None] | None = None
        self._around: dict[int, list[Configuration]] = {}

    def exhausted(self, study: Study, number: int) -> bool:
        """Whether no candidate is likely any more to be smaller and to reach."""
        return self._choice(study, number) is None and number > 0

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: Distribution,  # type: ignore[override]  # there are no others
    ) -> Any:
        chosen = self._choice(study, trial.number)
        values = chosen.values if chosen is not None else self._default
        if param_name in values and fits(param_distribution, values[param_name]):
            return values[param_name]
        rng = np.random.default_rng([self._seed(trial.number), len(param_name)])
        return from_unit(param_distribution, rng.random())

    def _choice(self, study: Study, number: int) -> Configuration | None:
        """What trial `number` is to try: one decision, taken when it is first asked for."""
        if self._chosen is None or self._chosen[0] != number:
            self._chosen = number, self._choose(_History(study, number, self._outcome), number)
        return self._chosen[1]

    def _choose(self, history: _History, number: int) -> Configuration | None:
        bracketing = self._bracket(history)
        if bracketing is not None:
            return bracketing
        candidates = self._candidates(history)
        if not candidates:
            return None
        rng = np.random.default_rng(self._seed(number))
        if not history.trained:  # the first trials of other workers are still under way
            return candidates[int(rng.integers(len(candidates)))]
        surrogate = history.surrogate(self._seed(number))
        mean, spread = surrogate.predict(candidates)
        likely = probability(mean, spread)
        if history.smallest < math.inf and len(history.trained) >= PATIENT and max(likely) < HOPE:
            return None
        if rng.random() < EXPLORE:
            return candidates[int(np.argmax(1.96 * spread - np.abs(mean)))]
        sizes = np.array([each.parameter_count for each in candidates])
        gain = np.log(min(history.smallest, 1.2 * max(sizes)) / sizes)
        cost = likely * history.epochs(True) + (1 - likely) * history.epochs(False)
        return candidates[int(np.argmax(gain * likely / cost))]

    def _bracket(self, history: _History) -> Configuration | None:
        """The next width of the default shape, halving the interval of sizes in question."""
        path = self._pool.path(self._default, PATH_STEPS)
        if not history.trained and not history.pending:
            return next((each for each in path if each.values == self._default), None)
        tried = {each.configuration.key: each for each in history.trained}
        done = [tried[each.key] for each in path if each.key in tried]
        off_path = history.trained and not done
        if not path or off_path or len(done) + len(history.pending) >= BRACKETS:
            return None
        high = min((each.size for each in done if each.reached), default=math.inf)
        low = max((each.size for each in done if each.size < high), default=path[0].parameter_count)
        wanted = math.sqrt(low * high) if high < math.inf else 2 * low
        if high / low < NARROW:
            return None
        untried = [
            each
            for each in path
            if low <= each.parameter_count < high and each.key not in history.known
        ]
        return min(
            untried, key=lambda each: abs(math.log(each.parameter_count / wanted)), default=None
        )

    def _candidates(self, history: _History) -> list[Configuration]:
        """Untried configurations that would be smaller than the incumbent."""
        limit = GAIN * history.smallest
        drawn = list(self._pool.below(limit, wanted=WANTED, most=MOST))
        for base in history.best(BASES):
            drawn += self._neighbours(base)
        unique = {each.key: each for each in drawn}
        return [
            each
            for key, each in unique.items()
            if key not in history.known and each.parameter_count <= limit
        ]

    def _neighbours(self, base: _Trained) -> list[Configuration]:
        """Drawn once for each trial, so that they are the same after an interruption."""
        if base.number not in self._around:
            self._around[base.number] = self._pool.around(
                base.configuration, NEIGHBOURS, self._seed(base.number)
            )
        return self._around[base.number]

    def _outcome(self, score: float) -> float:
        return outcome(self._metric.error(score), self._metric.error(self._search_target))


@dataclass(frozen=True)
class _Trained:
    number: int
    configuration: Configuration
    reached: bool
    outcome: float
    weight: float
    epochs: int

    @property
    def size(self) -> int:
        return self.configuration.parameter_count


class _History:
    """What the trials before trial `number` have shown."""

    def __init__(self, study: Study, number: int, outcome_of: Callable[[float], float]) -> None:
        trials = [each for each in study.get_trials(deepcopy=False) if each.number < number]
        records = [(trial, trial.user_attrs.get(RECORD)) for trial in trials]
        self.pending = [trial for trial, record in records if record is None]
        self.known = {_key(trial.params) for trial in trials}
        self.trained = [
            _trained(trial, record, outcome_of)
            for trial, record in records
            if record is not None and record["state"] != TrialState.REJECTED.value
        ]

    @cached_property
    def smallest(self) -> float:
        """Size of the incumbent; infinite where there is none."""
        return min((each.size for each in self.trained if each.reached), default=math.inf)

    def best(self, count: int) -> list[_Trained]:
        """The smallest that reached, then the nearest misses among the smaller."""
        reached = sorted((each for each in self.trained if each.reached), key=lambda e: e.size)
        missed = [e for e in self.trained if not e.reached and e.size < self.smallest]
        missed.sort(key=lambda each: -each.outcome)
        return [*reached[: count - 2], *missed][:count]

    def epochs(self, reached: bool) -> float:
        """Epochs that a trial with this end has taken so far, in the median."""
        taken = [each.epochs for each in self.trained if each.reached is reached and each.epochs]
        return median(taken) if taken else 10.0

    def surrogate(self, seed: int) -> Surrogate:
        observations = [
            Observation(each.configuration, each.outcome, each.weight) for each in self.trained
        ]
        return Surrogate(observations, seed)


def _trained(
    trial: FrozenTrial, record: Mapping[str, Any], outcome_of: Callable[[float], float]
) -> _Trained:
    """A trial as an observation; one that was stopped early lies between what it was and could be.

    The mean of the two outcomes is the log of the geometric mean of the two errors.
    """
    distributions: Any = trial.distributions  # of the three kinds that there are
    configuration = Configuration(trial.params, distributions, record["parameter_count"])
    score, projected = record["score"], record["projected_score"]
    stopped = record["state"] == TrialState.PRUNED.value
    if score is None:
        value = WORST
    elif stopped and projected is not None:
        value = (outcome_of(score) + outcome_of(projected)) / 2
    else:
        value = outcome_of(score)
    return _Trained(
        number=trial.number,
        configuration=configuration,
        reached=record["reached"],
        outcome=max(value, 0.0) if record["reached"] else min(value, 0.0),
        weight=PRUNED_WEIGHT if stopped or score is None else 1.0,
        epochs=record["epochs"],
    )


def _key(values: Values) -> str:
    return Configuration(values, {}, 0).key
