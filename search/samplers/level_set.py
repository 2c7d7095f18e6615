"""Occam's own sampler: looks for the smallest configuration whose score reaches the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler

from ..metrics import Metric
from ..trials import BATCH, RECORD, TrialState
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
WANTED, MOST = 96, 384  # random candidates smaller than the incumbent, and draws for them
NEIGHBOURS = 32  # drawn around each of the best trials
BASES = 5  # trials whose neighbours are candidates
EXPLORE = 0.1  # share of trials that only make the level set clearer
COMPANY, WORTH = 8, 0.3  # trials of a batch in one template, whose value is at least this share
CROWD, ALIKE = 0.5, 0.05  # weight left by each mate of a size alike: log ratio at most so much
HOPE, PATIENT = 0.05, 20  # the search ends when a batch is expected to reach less, after so many
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
        self._first = self._size = 0
        self._batch: _Batch | None = None
        self._chosen: tuple[int, Configuration | None] | None = None
        self._around: dict[int, list[Configuration]] = {}

    def begin(self, first: int, size: int) -> None:
        """Start a batch: `size` trials chosen together, from what was known before `first`."""
        self._first, self._size = first, size

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
            mate = self._first <= number < self._first + self._size
            first = self._first if mate else number
            if self._batch is None or self._batch.first != first:
                history = _History(study, first, self._outcome)
                self._batch = _Batch(first, history)
            mates = self._mates(study, self._batch, number)
            self._chosen = number, self._choose(self._batch, mates, number)
        return self._chosen[1]

    def _mates(self, study: Study, batch: _Batch, number: int) -> list[Configuration]:
        """What the earlier trials of this batch, or other workers, are about to try."""
        for each in study.get_trials(deepcopy=False)[:number]:
            waiting = each.number >= batch.first or RECORD not in each.user_attrs
            if waiting and each.number not in batch.mates:
                batch.mates[each.number] = self._pool.configuration(each.params)
        return [each for _, each in sorted(batch.mates.items()) if each is not None]

    def _choose(
        self, batch: _Batch, mates: list[Configuration], number: int
    ) -> Configuration | None:
        known = batch.history.known | {each.key for each in mates}
        bracketing = self._bracket(batch.history, mates, known)
        if bracketing is not None:
            return bracketing
        rng = np.random.default_rng(self._seed(number))
        if not batch.history.trained:
            batch.candidates = batch.candidates or self._first_candidates(batch)
            fresh = [each for each in batch.candidates if each.key not in known]
            return fresh[int(rng.integers(len(fresh)))] if fresh else None
        if not batch.opened:
            batch.add(self._candidates(batch.history), self._seed(batch.first))
        chosen = batch.pick(mates, known, rng, max(self._size, 1))
        if chosen is not None and self._size > 1 and chosen.template not in batch.opened:
            batch.opened.add(chosen.template)
            near = self._pool.within(chosen, NEIGHBOURS, self._seed(number))
            batch.add(
                [each for each in near if each.parameter_count <= GAIN * batch.history.smallest],
                self._seed(batch.first),
            )
        return chosen

    def _first_candidates(self, batch: _Batch) -> list[Configuration]:
        """While nothing is known yet: other recipes for the default shape, or anything."""
        base = next((each for each in self._path() if each.values == self._default), None)
        near = self._pool.within(base, NEIGHBOURS, self._seed(batch.first)) if base else []
        missing = max(self._size, NEIGHBOURS) - len(near)
        if missing > 0:
            near += self._pool.below(math.inf, wanted=missing, most=MOST)
        return near

    def _path(self) -> list[Configuration]:
        return self._pool.path(self._default, PATH_STEPS)

    def _bracket(
        self, history: _History, mates: list[Configuration], known: set[str]
    ) -> Configuration | None:
        """The next width of the default shape, halving the interval of sizes in question."""
        path = self._path()
        if not history.trained and not mates:
            return next((each for each in path if each.values == self._default), None)
        tried = {each.configuration.key: each for each in history.trained}
        done = [tried[each.key] for each in path if each.key in tried]
        off_path = history.trained and not done
        if not path or off_path or len(done) + len(mates) >= BRACKETS:
            return None
        high = min((each.size for each in done if each.reached), default=math.inf)
        low = max((each.size for each in done if each.size < high), default=path[0].parameter_count)
        wanted = math.sqrt(low * high) if high < math.inf else 2 * low
        if high / low < NARROW:
            return None
        untried = [
            each for each in path if low <= each.parameter_count < high and each.key not in known
        ]
        return min(
            untried, key=lambda each: abs(math.log(each.parameter_count / wanted)), default=None
        )

    def _candidates(self, history: _History) -> list[Configuration]:
        """Untried configurations that would be smaller than the incumbent."""
        limit = GAIN * history.smallest
        drawn = self._pool.below(limit, wanted=WANTED, most=MOST)
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


@dataclass
class _Batch:
    """Trials that are chosen together: the same knowledge, the same candidates."""

    first: int
    history: _History
    candidates: list[Configuration] = field(default_factory=list)
    mates: dict[int, Configuration | None] = field(default_factory=dict)
    opened: set[int | None] = field(default_factory=set)  # templates with candidates of their own

    def add(self, candidates: list[Configuration], seed: int) -> None:
        """Let the surrogate judge candidates, which are all of them judged at most once."""
        if not self.opened:
            self.surrogate = self.history.surrogate(seed)
            self.opened.add(None)
        have = {each.key for each in self.candidates}
        self.candidates += [each for each in candidates if each.key not in have]
        self.sizes = np.array([each.parameter_count for each in self.candidates])
        if self.candidates:
            self.mean, self.spread = self.surrogate.predict(self.candidates)
            self.likely = probability(self.mean, self.spread)

    def pick(
        self, mates: list[Configuration], known: set[str], rng: np.random.Generator, size: int
    ) -> Configuration | None:
        """The candidate with the highest expected gain an epoch, given what its mates may find.

        None where so few of the `size` best are likely to reach that the search may end.
        """
        free = np.array([each.key not in known for each in self.candidates], bool)
        if not free.any():
            return None
        history = self.history
        enough = history.smallest < math.inf and len(history.trained) >= PATIENT * min(size, 4)
        if enough and not mates and sum(sorted(self.likely)[-size:]) < HOPE:
            return None
        if rng.random() < EXPLORE:
            value = 1.96 * self.spread - np.abs(self.mean)
        else:
            cost = self.likely * history.epochs(True) + (1 - self.likely) * history.epochs(False)
            value = self._gain(mates) * self.likely / cost * self._room(mates)
            value = self._in_company(np.where(free, value, -np.inf), mates)
        return self.candidates[int(np.argmax(np.where(free, value, -np.inf)))]

    def _room(self, mates: list[Configuration]) -> Any:
        """Less for each mate of nearly the same size: what one is told holds for the others too."""
        sizes = np.array([each.parameter_count for each in mates])
        apart = np.abs(np.log(self.sizes[:, None] / sizes)) if mates else np.ones((1, 1))
        return CROWD ** (apart < ALIKE).sum(axis=1)

    def _in_company(self, value: Any, mates: list[Configuration]) -> Any:
        """Stay with the last mate's template while that is nearly as good, and not yet full."""
        if not mates or sum(each.template == mates[-1].template for each in mates) >= COMPANY:
            return value
        same = np.array([each.template == mates[-1].template for each in self.candidates])
        joined = np.where(same, value, -np.inf)
        return joined if joined.max() >= WORTH * value.max() else value

    def _gain(self, mates: list[Configuration]) -> Any:
        """Expected log ratio of the smallest size to each candidate's, were it to reach.

        The smallest is the incumbent or a mate that reaches, each with its own probability.
        """
        start = min(self.history.smallest, 1.2 * max(self.sizes))
        gain = np.zeros(len(self.sizes))
        left = np.ones(len(self.sizes))  # probability that no smaller mate has reached
        if mates:
            likely = probability(*self.surrogate.predict(mates))
            for mate, chance in sorted(
                zip(mates, likely, strict=True), key=lambda pair: pair[0].parameter_count
            ):
                ahead = np.log(np.minimum(mate.parameter_count, start) / self.sizes)
                gain += left * chance * np.maximum(ahead, 0.0)
                left *= 1 - chance
        return gain + left * np.log(start / self.sizes)


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
        told = [(each, each.user_attrs[RECORD]) for each in trials if RECORD in each.user_attrs]
        beaten = _beaten(told)
        self.known = {_key(trial.params) for trial in trials}
        self.trained = [
            _trained(trial, record, outcome_of)
            for trial, record in told
            if record["state"] != TrialState.REJECTED.value and trial.number not in beaten
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
