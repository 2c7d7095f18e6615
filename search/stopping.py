"""The absolute stops: a trial ends as soon as it has reached the target, or when it cannot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import quantiles

from .metrics import Metric

GRACE = 4  # epochs before any trial may be given up
EXPONENT = 0.75  # of the optimistic power law; benchmarks/search_efficiency says what it ends
SCHEDULED = 1.25  # where the learning rate falls: the last epochs then bring the most
ENOUGH = 8  # finished curves that say as much of the exponent as the default does
STEEP, FLAT = 1.25, 0.6  # bounds of what they may say
PATIENCE = 12  # epochs without a new best, at least: eight end a third of the slow runs that reach


class Stop(Enum):
    """Why training ended before its last epoch."""

    REACHED = "reached the search target"
    CANNOT_REACH = "cannot reach the search target"
    PLATEAU = "no new best score for a while"
    NOT_FINITE = "the loss or the score is not a finite number"
    OUT_OF_TIME = "the search's time was up"
    OUT_OF_EPOCHS = "the search's epochs were spent"


SEARCH_ENDED = "the search ended"
CUT_SHORT = (Stop.OUT_OF_TIME.value, Stop.OUT_OF_EPOCHS.value, SEARCH_ENDED)


def was_cut_short(reason: str) -> bool:
    """Whether a trial ended as the search did: that says nothing against its configuration."""
    return reason.startswith(CUT_SHORT)


@dataclass(frozen=True, kw_only=True)
class Stops:
    """When to stop a run of at most `epochs` epochs that has to reach `search_target`.

    Args:
        trained: of these epochs, those that an earlier run has had.
        exponent: of the optimistic power law by which an error falls, error ~ epochs^-exponent;
            what is the mean of squared errors falls by the square of it.
    """

    metric: Metric
    search_target: float
    epochs: int
    trained: int = 0
    exponent: float = EXPONENT

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
        error = _present([self.metric.error(score) for score in scores])
        progress = min((self.trained + len(scores)) / self.epochs, 1.0)
        future = error * math.pow(progress, self.exponent * self.metric.power)
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


def usual_exponent(*, scheduled: bool) -> float:
    """The exponent where no curve is known, by whether the learning rate changes in training."""
    return SCHEDULED if scheduled else EXPONENT


def calibrated(
    metric: Metric, curves: Iterable[Sequence[float]], default: float = EXPONENT
) -> float:
    """The exponent that the finished curves of a search ask for, drawn to the default.

    An error falls as epochs^-exponent. Of the exponents by which theirs have, from the first epoch
    at which a run may be given up to their ends, log(first / last) / log(epochs / GRACE), the 90 %
    quantile: nine of ten have fallen more slowly. The default counts like ENOUGH curves.

    Args:
        curves: validation scores by epoch, of each run.
    """
    fallen = []
    for curve in curves:
        errors = [metric.error(score) for score in curve]
        first, last = _present(errors[:GRACE]), _present(errors)
        if len(errors) >= 2 * GRACE and math.isfinite(first) and last > 0:
            times = math.log(max(first, last) / last) / math.log(len(errors) / GRACE)
            fallen.append(times / metric.power)
    if len(fallen) < 2:
        return default
    steep = quantiles(fallen, n=10, method="inclusive")[-1]
    exponent = (ENOUGH * default + len(fallen) * steep) / (ENOUGH + len(fallen))
    return min(max(exponent, FLAT), STEEP)


def _present(errors: Sequence[float]) -> float:
    """The mean of the best two of the last three errors."""
    best = sorted(errors[-3:])[:2]
    return sum(best) / len(best) if best else math.nan
