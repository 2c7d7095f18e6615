"""Occam against the best of the other tools on each task, by one and the same rule of selection."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from outcome import Goal, at, epochs_to_goal, expected_epochs, quartiles

Searches = Sequence[dict[str, Any]]
Found = Mapping[str, Searches]  # by task


def against(ours: Found, rivals: Mapping[str, Found], goals: Mapping[str, Goal]) -> list[list[str]]:
    """Rows of a table: a task, the best rival's expected epochs and sizes, Occam's, the ratios.

    Sizes are those of what would be delivered, and holds, once Occam has ended; a delivery that
    does not hold is none, so it is larger than any. The last row has the medians of the ratios.
    A tool with fewer searches than Occam is left out: the best of a few is luck.
    """
    rows, faster, smaller = [], [], []
    for task, goal in goals.items():
        mine = ours.get(task, [])
        told = {name: found.get(task, []) for name, found in rivals.items()}
        others = {name: each for name, each in told.items() if len(each) >= len(mine) > 0}
        if not mine or not others:
            continue
        end = float(np.median([each["spent"] for each in mine]))
        speeds = {name: _expected(each, goal) for name, each in others.items()}
        sizes = {name: _size(each, goal, end) for name, each in others.items()}
        fastest, smallest = min(speeds, key=speeds.__getitem__), min(sizes, key=sizes.__getitem__)
        faster.append(_ratio(_expected(mine, goal), speeds[fastest]))
        smaller.append(_ratio(_size(mine, goal, math.inf), sizes[smallest]))
        rows.append(
            [
                task,
                _whole(_expected(mine, goal)),
                f"{_whole(speeds[fastest])} ({fastest})",
                f"{faster[-1]:.2f}",
                _whole(end),
                _whole(_size(mine, goal, math.inf)),
                f"{_whole(sizes[smallest])} ({smallest})",
                f"{smaller[-1]:.2f}",
            ]
        )
    middle = [f"**{statistics.median(each):.2f}**" if each else "" for each in (faster, smaller)]
    return [*rows, ["median", "", "", middle[0], "", "", "", middle[1]]]


TITLES = [
    "task",
    "Occam: expected epochs",
    "fastest rival",
    "ratio",
    "Occam's end, epochs",
    "Occam: size",
    "smallest rival by then",
    "ratio",
]


def _expected(searches: Searches, goal: Goal) -> float:
    costs = [epochs_to_goal(each["picks"], goal) for each in searches]
    return expected_epochs(costs, [each["spent"] for each in searches])


def _size(searches: Searches, goal: Goal, epochs: float) -> float:
    picks = [at(each["picks"], epochs) for each in searches]
    return quartiles([pick[0] if pick and goal.holds(pick[1]) else math.inf for pick in picks])[1]


def _ratio(ours: float, theirs: float) -> float:
    """Ours by theirs: 0 where they have nothing, 1 where nobody has."""
    if math.isinf(ours):
        return 1.0 if math.isinf(theirs) else math.inf
    return ours / theirs


def _whole(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "none"
