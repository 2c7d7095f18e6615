"""What the searches came to: epochs, sizes and whether the picks hold, over tasks and seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from occam.search.selection import search_target
from occam.search.stopping import Stop, Stops
from scipy.stats import friedmanchisquare, studentized_range
from tables import MARGIN, SEEDS, Table

NEAR = 1.1  # of the best known size
Picks = Sequence[tuple[int, int, float]]  # epochs spent, size, score on new rows


@dataclass(frozen=True)
class Goal:
    """What a task asks for, and the best that is known."""

    size: int  # fewest parameters that reach the search target with every seed, and hold
    holds: Callable[[float], bool]


def goal(table: Table) -> Goal:
    """The best known size: every seed reaches the search target, and in their mean they hold."""
    measured, epochs = table.metric, table.task.epochs
    aim = search_target(measured, table.target, table.labels, MARGIN)
    stops = Stops(metric=measured, search_target=aim, epochs=epochs)
    for number in np.argsort(table.sizes, kind="stable"):
        truths = []
        for seed in range(SEEDS):
            curve = table.validation[number, seed].tolist()
            ends = (end for end in range(2, epochs + 1) if stops.reached(curve[:end]))
            if (end := next(ends, None)) is not None:
                truths.append(float(table.truth[number, seed, end - 1]))
        if len(truths) == SEEDS and measured.reaches(float(np.mean(truths)), table.target):
            size = int(table.sizes[number])
            return Goal(size, lambda score: measured.reaches(score, table.target))
    raise ValueError(f"No configuration of {table.task.name!r} holds its target.")


def epochs_to_goal(picks: Picks, goal: Goal) -> float:
    """Until the pick is near the best known size and holds; infinite where it never does."""
    good = (e for e, size, score in picks if size <= NEAR * goal.size and goal.holds(score))
    return next(good, math.inf)


def at(picks: Picks, epochs: float) -> tuple[int, float] | None:
    """Size and score of what would have been delivered by then."""
    delivered = [(size, score) for spent, size, score in picks if spent <= epochs]
    return delivered[-1] if delivered else None


def expected_epochs(costs: Iterable[float], spent: Iterable[int]) -> float:
    """Expected running time: all epochs spent before the goal by the number of successes.

    Hansen et al., COCO: performance assessment, 2016 (arXiv 1605.03560).
    """
    costs, spent = list(costs), list(spent)
    reached = sum(math.isfinite(each) for each in costs)
    total = sum(c if math.isfinite(c) else s for c, s in zip(costs, spent, strict=True))
    return total / reached if reached else math.inf


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile; infinite values are the largest."""
    ordered = sorted(values)
    return tuple(ordered[min(int(q * len(ordered)), len(ordered) - 1)] for q in (0.25, 0.5, 0.75))


def mean_ranks(table: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Mean ranks over tasks (rows) of tools (columns), Friedman's p, Nemenyi's critical difference.

    Demsar, JMLR 7 (2006).
    """
    from scipy.stats import rankdata

    tasks, tools = table.shape
    ranks = np.array([rankdata(row) for row in table]).mean(axis=0)
    q = studentized_range.ppf(0.95, tools, math.inf) / math.sqrt(2)
    p = float(friedmanchisquare(*table.T).pvalue)
    return ranks, p, float(q * math.sqrt(tools * (tools + 1) / (6 * tasks)))


def stopped(table: Table, exponent: float) -> dict[str, float]:
    """What the absolute stops save on all runs of a table, and what they end wrongly.

    Returns `epochs`, the share of all epochs that is left; `reach`, the share of runs that would
    reach; `cannot` and `plateau`, of these the share that either stop ends before.
    """
    measured, epochs = table.metric, table.task.epochs
    aim = search_target(measured, table.target, table.labels, MARGIN)
    stops = Stops(metric=measured, search_target=aim, epochs=epochs, exponent=exponent)
    left, reach, lost = 0, 0, {Stop.CANNOT_REACH: 0, Stop.PLATEAU: 0}
    curves = [curve for curve in table.validation.reshape(-1, epochs) if np.isfinite(curve).all()]
    for curve in (each.tolist() for each in curves):
        ends = ((end, stops.decide(curve[:end])) for end in range(1, epochs + 1))
        end, stop = next(((end, stop) for end, stop in ends if stop), (epochs, None))
        left += end
        if any(stops.reached(curve[:end]) for end in range(2, epochs + 1)):
            reach += 1
            if stop in lost:
                lost[stop] += 1
    return {
        "epochs": left / (len(curves) * epochs),
        "reach": reach / len(curves),
        "cannot": lost[Stop.CANNOT_REACH] / max(reach, 1),
        "plateau": lost[Stop.PLATEAU] / max(reach, 1),
    }
