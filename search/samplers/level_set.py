"""Occam's own sampler: looks for the smallest configuration whose score reaches the target."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from optuna.samplers import BaseSampler

from ..metrics import Metric
from ..trials import RECORD
from .batch import Batch
from .candidates import Configuration
from .history import History, Trained
from .pool import Pool
from .ranges import Distribution, fits, from_unit
from .surrogate import outcome
from .variants import variants

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

BRACKETS = 6  # trials along the default shape, at most
NARROW = 1.5  # ratio of sizes at which the bracket is closed
GAIN = 0.985  # of the incumbent's size: what a candidate may have at most
WANTED, MOST = 96, 384  # random candidates smaller than the incumbent, and draws for them
NEIGHBOURS = 32  # drawn around each of the best trials
BASES = 5  # trials whose neighbours are candidates
NEAR = -0.7  # outcome of a miss with twice the error that may be
FRUITLESS = {True: 24, False: 40}  # fresh trials in vain that end it, by whether models lose units
FAILED = 0.8  # of a size: a structure that has failed with so much is not tried with it


class LevelSetSampler(BaseSampler):
    """Proposes by known gain in log size x probability of reaching the target / expected time.

    The size of a configuration is counted, not modelled; the probability comes from a surrogate of
    the log error. The first trials bracket the target along the space's default configuration,
    from its narrowest to its widest. What cannot be smaller than the incumbent is not proposed.

    Args:
        narrowed: whether the model of a trial, once it is the smallest, loses its units before
            this is asked again. Then a structure that is hardly smaller may have more to lose: all
            of them are tried.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        metric: Metric,
        search_target: float,
        seed: Callable[[int], int],
        narrowed: Callable[[FrozenTrial], bool] = lambda trial: False,
    ) -> None:
        self._pool, self._seed, self._narrowed = pool, seed, narrowed
        self._metric, self._search_target = metric, search_target
        self._first = self._size = 0
        self._batch: Batch | None = None
        self._chosen: tuple[int, Configuration | None] | None = None
        self._around: dict[int, list[Configuration]] = {}
        self._variants: dict[tuple[int, float], list[Configuration]] = {}
        self._beginnings: dict[str, Configuration] = {}
        self._turns = 0  # of drawing them

    def begin(self, first: int, size: int) -> None:
        """Start a batch: `size` trials chosen together, from what was known before `first`."""
        self._first, self._size = first, size
        self._chosen = None  # an earlier batch may have ended without a trial of this number

    def exhausted(self, study: Study, number: int) -> bool:
        """Whether no candidate is likely any more to be smaller and to reach."""
        return self._choice(study, number) is None

    def left_out(self) -> str:
        """Which configurations it has passed over as they cannot be built; empty where all can."""
        unbuilt = self._pool.unbuilt
        if not unbuilt:
            return ""
        (values, why), were = next(iter(unbuilt.items())), "were" if len(unbuilt) > 1 else "was"
        passed = f"; {len(unbuilt):,} that cannot be built {were} passed over"
        return f"{passed}, as {values}: {why}" if values else f"{passed}: {why}"

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
        chosen = chosen or self._pool.default
        values = chosen.values if chosen is not None else {}
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
                history = History(study, first, self._outcome)
                self._batch = Batch(first, history, self._seed(first))
            mates = self._mates(study, self._batch, number)
            self._chosen = number, self._choose(self._batch, mates, number)
        return self._chosen[1]

    def _mates(self, study: Study, batch: Batch, number: int) -> list[Configuration]:
        """What the earlier trials of this batch, or other workers, are about to try."""
        for each in study.get_trials(deepcopy=False)[:number]:
            waiting = each.number >= batch.first or RECORD not in each.user_attrs
            if waiting and each.number not in batch.mates:
                batch.mates[each.number] = self._pool.configuration(each.params)
        return [each for _, each in sorted(batch.mates.items()) if each is not None]

    def _choose(
        self, batch: Batch, mates: list[Configuration], number: int
    ) -> Configuration | None:
        known = batch.history.known | {each.key for each in mates}
        bracketing = self._bracket(batch.history, mates, known)
        if bracketing is not None:
            return bracketing
        rng = np.random.default_rng(self._seed(number))
        if not batch.history.trained:
            fresh = self._first_candidates(known)
            return fresh[int(rng.integers(len(fresh)))] if fresh else None
        if others := self._structures(batch.history):
            taken = {each.structure for each in mates}
            left = [each for each in others if each.structure not in taken]
            if left or self._size > 1:  # a batch of their own
                return left[0] if left else None
        elif not mates and batch.history.fruitless >= FRUITLESS[self._is_narrowed(batch.history)]:
            return None
        if not batch.judged:
            batch.add(self._candidates(batch.history))
        chosen = batch.pick(mates, known, rng)
        if chosen is not None and self._size > 1 and chosen.template not in batch.opened:
            batch.opened.add(chosen.template)
            near = self._pool.within(chosen, NEIGHBOURS, self._seed(number))
            limit = GAIN * batch.history.smallest
            batch.add([each for each in near if each.parameter_count <= limit])
        return chosen

    def _is_narrowed(self, history: History) -> bool:
        return history.incumbent is not None and self._narrowed(history.incumbent.trial)

    def _structures(self, history: History) -> list[Configuration]:
        """Structures that were not tried yet with about as many parameters as the incumbent has.

        They are next to the incumbent's own and, when all of these have failed, to that of them
        which has come nearest to the target.
        """
        best = history.incumbent
        if best is None or not self._is_narrowed(history):
            return []
        limit = GAIN * best.size
        missed = [e for e in history.trained if not e.reached and e.size >= FAILED * limit]
        own = best.configuration.structure
        tried = {own, *(each.configuration.structure for each in missed)}
        near = [
            each
            for each in missed
            if each.outcome >= NEAR
            and each.size <= limit
            and not each.inherited
            and each.configuration.structure != own
        ]
        nearest = max(near, key=lambda each: each.outcome, default=best)
        for base in (best, nearest):
            untried = [
                each
                for each in self._variants_of(base, limit)
                if each.structure not in tried and each.key not in history.known
            ]
            if untried:
                return untried
        return []

    def _variants_of(self, base: Trained, limit: float) -> list[Configuration]:
        if (base.number, limit) not in self._variants:
            whole = self._pool.configuration(base.configuration.values)
            self._variants[base.number, limit] = variants(self._pool, whole, limit) if whole else []
        return self._variants[base.number, limit]

    def _first_candidates(self, known: set[str]) -> list[Configuration]:
        """While nothing is known yet: other recipes for the default shape, or anything.

        Empty where all that can be drawn is taken. They are drawn when the earlier ones are used
        up, always the same.
        """
        while not (fresh := [e for key, e in self._beginnings.items() if key not in known]):
            drawn = {each.key: each for each in self._beginning(self._turns)}
            self._turns += 1
            if drawn.keys() <= self._beginnings.keys():
                break
            self._beginnings |= drawn
        return fresh

    def _beginning(self, turn: int) -> list[Configuration]:
        base = self._pool.default
        near = self._pool.within(base, NEIGHBOURS, self._seed(turn)) if base else []
        missing = max(self._size, NEIGHBOURS) - len(near)
        if missing > 0:
            near += self._pool.below(math.inf, wanted=missing, most=MOST)
        return near

    def _bracket(
        self, history: History, mates: list[Configuration], known: set[str]
    ) -> Configuration | None:
        """The next width of the default shape, halving the interval of sizes in question."""
        path = self._pool.path
        if not history.trained and not mates:
            return self._pool.default
        tried = {each.configuration.key: each for each in history.trained}
        done = [tried[each.key] for each in path if each.key in tried]
        off_path = history.trained and not done
        if not path or off_path or len(done) + len(mates) >= BRACKETS:
            return None
        high = min((each.size for each in done if each.reached), default=math.inf)
        high = min(high, history.smallest)  # which may be narrower than any of the path
        low = max((each.size for each in done if each.size < high), default=path[0].parameter_count)
        low, high = max(low, 1), max(high, 1)  # a model may be of nothing
        if (mates or high < math.inf) and path[0].key not in known:
            return path[0]  # as easily as not, the smallest is enough; else it fails soon
        wanted = math.sqrt(low * high) if high < math.inf else 2 * low
        if high / low < NARROW:
            return None
        untried = [
            each for each in path if low <= each.parameter_count < high and each.key not in known
        ]
        return min(
            untried,
            key=lambda each: abs(math.log(max(each.parameter_count, 1) / wanted)),
            default=None,
        )

    def _candidates(self, history: History) -> list[Configuration]:
        """Untried configurations that would be smaller than the incumbent."""
        limit = GAIN * history.smallest
        drawn = self._pool.below(limit, wanted=WANTED, most=MOST, tried=history.vain)
        for base in history.best(BASES):
            drawn += self._neighbours(base)
        unique = {each.key: each for each in drawn}
        return [
            each
            for key, each in unique.items()
            if key not in history.known and each.parameter_count <= limit
        ]

    def _neighbours(self, base: Trained) -> list[Configuration]:
        """Drawn once for each trial, so that they are the same after an interruption."""
        if base.number not in self._around:
            # A record knows the size alone: without the rest every neighbour would be built.
            measured = self._pool.configuration(base.configuration.values) or base.configuration
            self._around[base.number] = self._pool.around(
                measured, NEIGHBOURS, self._seed(base.number)
            )
        return self._around[base.number]

    def _outcome(self, score: float) -> float:
        return outcome(self._metric.error(score), self._metric.error(self._search_target))
