"""Which narrower copies of a model to try next: a width at a time, boldly, then by bisection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BOLD = 4  # the first step leaves out one unit of so many

Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Width:
    """A hyperparameter that says how many units a layer has, and what it may be, rising."""

    name: str
    allowed: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A narrower copy that was tried before."""

    values: Values  # its own
    parent: Values
    reached: bool | None  # None: it was not trained to an end that says anything

    def width(self, name: str) -> bool:
        """Whether this width is all that sets it apart from its parent."""
        changed = {each for each in self.parent if self.values.get(each) != self.parent[each]}
        return changed == {name}


def narrower(
    values: Values, widths: Iterable[Width], attempts: Sequence[Attempt]
) -> list[dict[str, Any]]:
    """The copies of `values` that are worth a try, at most one of each width.

    What no copy has reached with is not undercut: one unit was too few there, and a smaller model
    does not need more of them. So there is an end: each width is bisected to where it holds.

    Args:
        attempts: those of the same model, and of the models that it descends from.
    """
    steps = ((width.name, _next(width, int(values[width.name]), attempts)) for width in widths)
    return [{**values, name: value} for name, value in steps if value is not None]


def _next(width: Width, value: int, attempts: Sequence[Attempt]) -> int | None:
    """A bold step while none has failed, then the middle of what is left in between."""
    failed = [
        int(each.values[width.name])
        for each in attempts
        if each.reached is False and each.width(width.name)
    ]
    floor = max(failed, default=-1)
    between = [each for each in width.allowed if floor < each < value]
    if not between:
        return None
    if failed:
        return between[len(between) // 2]
    bold = [each for each in between if each <= value - max(1, value // BOLD)]
    return bold[-1] if bold else between[-1]
