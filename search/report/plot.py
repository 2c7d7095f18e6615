"""Size against score as characters, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .words import higher

Values = Mapping[str, Any]
Point = tuple[float, float]

WIDTH, HEIGHT = 68, 14  # characters of the plot itself
MARGIN = 9  # of the figures beside it
MARKS = "●○▲△"  # of the ladders


def plot(summaries: Sequence[Values], missed: Sequence[Point] = ()) -> list[str]:
    """The ladders of searches, the target as a line, and trials that missed as dots.

    Args:
        missed: size and score of trials that were trained and did not reach.
    """
    ladders = [
        [(rung["parameter_count"], rung["validation"]) for rung in summary["ladder"]]
        for summary in summaries
    ]
    if not any(ladders):
        return []
    area = _Area([point for ladder in ladders for point in ladder], summaries, missed)
    area.rule(summaries[0]["target"])
    for point in missed:
        area.put(point, "·")
    for mark, ladder in zip(MARKS, ladders, strict=False):
        for point in ladder:
            area.put(point, mark)
    named = zip(MARKS, summaries, strict=False)
    keys = [f"{mark} {each.get('name') or each['pipeline']}" for mark, each in named]
    if len(summaries) == 1:
        keys = [f"{MARKS[0]} reached", *(["· missed"] if missed else [])]
    return [*area.lines(), " " * MARGIN + "   ".join([*keys, "- target"])]


class _Area:
    """A grid of characters over log size and score."""

    def __init__(
        self, points: Sequence[Point], summaries: Sequence[Values], missed: Sequence[Point]
    ) -> None:
        scores = [score for _, score in points] + [each["target"] for each in summaries]
        sizes = [size for size, _ in [*points, *missed]]
        self.low, self.high = min(scores), max(scores)
        room = (self.high - self.low or 0.01) * (0.15 if not missed else 0.5)
        self.low, self.high = self.low - room, self.high + room * 0.2
        if not higher(summaries[0]):
            self.low, self.high = self.low + 0.8 * room, self.high + 0.8 * room
        self.left, self.right = math.log10(max(min(sizes), 1)), math.log10(max(sizes))
        self.right = max(self.right, self.left + 0.1)
        self.cells = [[" "] * WIDTH for _ in range(HEIGHT)]

    def put(self, point: Point, mark: str) -> None:
        """Draw a point; one that lies beyond the scores shown is drawn at the edge."""
        size, score = point
        across = (math.log10(max(size, 1)) - self.left) / (self.right - self.left)
        self.cells[self._row(score)][round(across * (WIDTH - 1))] = mark

    def rule(self, score: float) -> None:
        """Draw a line across."""
        self.cells[self._row(score)] = ["-"] * WIDTH

    def lines(self) -> list[str]:
        """The grid with scores on its left and sizes below."""
        shown = {0: self.high, HEIGHT // 2: (self.high + self.low) / 2, HEIGHT - 1: self.low}
        rows = [
            f"{f'{shown[at]:.4g}' if at in shown else '':>{MARGIN - 2}} |{''.join(cells)}"
            for at, cells in enumerate(self.cells)
        ]
        steps = [self.left + (self.right - self.left) * part / 3 for part in range(4)]
        labels = [f"{10**step:,.0f}" for step in steps]
        gaps = [WIDTH * (part + 1) // 3 - WIDTH * part // 3 for part in range(3)]
        axis = "".join(f"{label:<{gap}}" for label, gap in zip(labels, gaps, strict=False))
        axis = axis[: WIDTH - len(labels[-1])].ljust(WIDTH - len(labels[-1])) + labels[-1]
        return [*rows, " " * (MARGIN - 1) + "+" + "-" * WIDTH, f"{'':{MARGIN}}{axis}  parameters"]

    def _row(self, score: float) -> int:
        part = (self.high - score) / (self.high - self.low)
        return int(min(max(round(part * (HEIGHT - 1)), 0), HEIGHT - 1))
