"""Trials that are chosen together: each by what it is worth, given what its mates may find."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from .candidates import Configuration
from .history import History
from .surrogate import Surrogate, probability

EXPLORE = 0.1  # share of trials that only make the level set clearer
COMPANY, WORTH = 8, 0.3  # trials of a batch in one template, whose value is at least this share
CROWD, ALIKE = 0.5, 0.05  # weight left by each mate of a size alike: log ratio at most so much
OVERHEAD = 4096  # of a row in training, beside its activations and counted like them
LOOKED, HOPE = 16, 0.1  # the search ends where of so many fewer are expected to reach
KNOWN = 24  # trials before it may


@dataclass
class Batch:
    """Trials that are chosen together: the same knowledge, the same candidates."""

    first: int
    history: History
    seed: int  # of the surrogate
    candidates: list[Configuration] = field(default_factory=list)
    mates: dict[int, Configuration | None] = field(default_factory=dict)
    opened: set[int] = field(default_factory=set)  # templates with candidates of their own
    judged: bool = False  # whether it has candidates

    @cached_property
    def surrogate(self) -> Surrogate:
        """The same one for the whole batch."""
        return self.history.surrogate(self.seed)

    def add(self, candidates: list[Configuration]) -> None:
        """Let the surrogate judge more candidates."""
        self.judged = True
        have = {each.key for each in self.candidates}
        self.candidates += [each for each in candidates if each.key not in have]
        self.sizes = np.array([each.parameter_count for each in self.candidates])
        if self.candidates:
            self.mean, self.spread = self.surrogate.predict(self.candidates)
            self.likely = probability(self.mean, self.spread)
            outputs = np.array([each.measured.activations for each in self.candidates])
            self.pace = OVERHEAD + outputs  # how long an epoch takes, in units of their own

    def pick(
        self, mates: list[Configuration], known: set[str], rng: np.random.Generator
    ) -> Configuration | None:
        """The candidate with the highest expected gain an epoch, given what its mates may find.

        None where so few of the most likely ones will reach that the search may end.
        """
        free = np.array([each.key not in known for each in self.candidates], bool)
        if not free.any():
            return None
        history = self.history
        enough = history.smallest < math.inf and len(history.trained) >= KNOWN
        if enough and not mates and sum(sorted(self.likely)[-LOOKED:]) < HOPE:
            return None
        if rng.random() < EXPLORE:
            value = 1.96 * self.spread - np.abs(self.mean)
        else:
            cost = self.likely * history.epochs(True) + (1 - self.likely) * history.epochs(False)
            value = self._gain(mates) * self.likely / (cost * self.pace) * self._room(mates)
            value = self._in_company(np.where(free, value, -np.inf), mates)
        return self.candidates[int(np.argmax(np.where(free, value, -np.inf)))]

    def _room(self, mates: list[Configuration]) -> Any:
        """Less for each mate of nearly the same size: what one is told holds for the others too."""
        sizes = np.array([each.parameter_count for each in mates])
        apart = np.abs(np.log(self.sizes[:, None] / sizes))
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
