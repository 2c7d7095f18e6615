"""The absolute stops: a trial ends as soon as it has reached the target, or when it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .metrics import Metric

GRACE = 4  # epochs before any trial may be given up
EXPONENT = 0.75  # of the optimistic power law error ~ epochs^-EXPONENT; benchmarks/stops.py
PATIENCE = 8  # epochs without a new best, at least


class Stop(Enum):
    """Why training ended before its last epoch."""

    REACHED = "reached the search target"
    CANNOT_REACH = "cannot reach the search target"
    PLATEAU = "no new best score for a while"
    NOT_FINITE = "the loss or the score is not a finite number"
    OUT_OF_TIME = "the search's time was up"


@dataclass(frozen=True, kw_only=True)
class Stops:
    """When to stop a run of at most `epochs` epochs that has to reach `search_target`.

    Args:
        trained: of these epochs, those that an earlier run has had.
    """

    metric: Metric
    search_target: float
    epochs: int
    trained: int = 0

    def decide(self, scores: Sequence[float]) -> Stop | None:
        """What the validation scores of the epochs so far say; None: go on."""
        if not scores:
            return None
        if not math.isfinite(scores[-1]):
            return Stop.NOT_FINITE
        if self.reached(scores):
            return Stop.REACHED
        if len(scores) >= GRACE and not self._reaches(self.best_future(scores)):
            return Stop.CANNOT_REACH
        if self._stale(scores) >= max(PATIENCE, self.epochs // 6):
            return Stop.PLATEAU
        return None

    def reached(self, scores: Sequence[float]) -> bool:
        """Both the last score and the mean of the last two reach the search target."""
        if len(scores) < 2:
            return False
        return self._reaches(scores[-1]) and self._reaches(final_score(scores))

    def best_future(self, scores: Sequence[float]) -> float:
        """The score that an optimistic learning curve has at the last epoch.

        The error, distance to a perfect score, falls as a power of the epoch; the present error is
        the mean of the best two of the last three.
        """
        recent = sorted(self.metric.error(score) for score in scores[-3:])[:2]
        error = sum(recent) / len(recent)
        progress = min((self.trained + len(scores)) / self.epochs, 1.0)
        future = error * math.pow(progress, EXPONENT)
        return self.metric.perfect - future if self.metric.higher_is_better else future

    def _reaches(self, score: float) -> bool:
        return self.metric.reaches(score, self.search_target)

    def _stale(self, scores: Sequence[float]) -> int:
        errors = [self.metric.error(score) for score in scores]
        return len(errors) - 1 - errors.index(min(errors))


def final_score(scores: Sequence[float]) -> float:
    """Mean of the last two epochs: never the best epoch, which is the luckiest."""
    last = scores[-2:]
    return sum(last) / len(last)
