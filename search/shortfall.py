"""How far a trial stays from the search target: what every engine teaches its sampler."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .trials import FinishedTrial, TrialState

if TYPE_CHECKING:
    from .metrics import Metric

LEAST = 1e-9  # a trial that has not reached falls short, however close it came
WORST = -1.0  # of the values: a trial that failed, or that could no longer win
DECADES = 12.0  # powers of ten between the value of the smallest model and of one worth nothing


def shortfall(finished: FinishedTrial, metric: Metric, search_target: float) -> float | None:
    """Distance to the search target in units of the metric; at most 0 where the trial reached.

    A trial that was stopped early is taken at what it could have become; None: nothing is known.
    """
    score = finished.score if finished.reached else finished.projected_score
    if finished.state is TrialState.FAIL or score is None or not math.isfinite(score):
        return None
    missing = metric.error(score) - metric.error(search_target)
    return missing if finished.reached else max(missing, LEAST)


def value(finished: FinishedTrial, metric: Metric, search_target: float) -> float:
    """One number to maximise: above 0 the smaller the better, below 0 the closer the better.

    1 - log10(parameters) / DECADES where it reached; else -missing / (missing + allowed), with the
    error that is too much and the one at the search target; -1 where nothing is known.
    """
    missing = shortfall(finished, metric, search_target)
    if missing is None:
        return WORST
    if finished.reached:
        return 1 - min(math.log10(max(finished.parameter_count, 1)), DECADES - 1) / DECADES
    allowed = max(metric.error(search_target), 1e-12)
    return -missing / (missing + allowed)
