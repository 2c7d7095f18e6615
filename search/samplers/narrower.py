"""Which narrower copies of a model to try next: boldly, then by bisection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    def changes_only(self, name: str) -> bool:
        """Whether this width is all that sets it apart from its parent."""
        changed = {each for each in self.parent if self.values.get(each) != self.parent[each]}
        return changed == {name}


def narrower(
    values: Values, widths: Sequence[Width], attempts: Sequence[Attempt]
) -> list[dict[str, Any]]:
    """The copies of `values` that are worth a try: one with all widths lowered, one of each width.

    A width that no copy has reached with is not undercut while others can be lowered, so that each
    is bisected to where it holds. At last one step is tried once more of each: what failed in a
    larger model may do in this one, and says nothing more once this one has come below it. There is
    an end, as every step lowers a width or closes it.

    That all widths at once were too much says nothing against one after the other, but against
    all at once to no more than that.

    Args:
        attempts: those of the same model, and of the models that it descends from.
    """
    lower = {width.name: _next(width, int(values[width.name]), attempts) for width in widths}
    if not any(each is not None for each in lower.values()):
        lower = {width.name: _step(width, values, attempts) for width in widths}
    lower = {name: value for name, value in lower.items() if value is not None}
    children = [{**values, name: value} for name, value in lower.items()]
    together = {**values, **lower}
    failed = [each.values for each in attempts if each.reached is False]
    if len(lower) < 2 or any(_within(together, each, widths) for each in failed):
        return children
    return [together, *children]


def _within(values: Values, others: Values, widths: Sequence[Width]) -> bool:
    """Whether a copy is nowhere wider than another one."""
    return all(values[width.name] <= others[width.name] for width in widths)


def _next(width: Width, value: int, attempts: Sequence[Attempt]) -> int | None:
    """A bold step while none has failed, then the middle of what is left in between."""
    failed = [
        int(each.values[width.name])
        for each in attempts
        if each.reached is False and each.changes_only(width.name)
    ]
    failed = [each for each in failed if each < value]
    floor = max(failed, default=-1)
    between = [each for each in width.allowed if floor < each < value]
    if not between:
        return None
    if failed:
        return between[len(between) // 2]
    bold = [each for each in between if each <= value - value // BOLD]
    return bold[-1] if bold else between[-1]


def _step(width: Width, values: Values, attempts: Sequence[Attempt]) -> int | None:
    """The smallest step, where this very model has not tried it."""
    lower = max((each for each in width.allowed if each < values[width.name]), default=None)
    tried = any(
        each.parent == values and each.changes_only(width.name) and each.values[width.name] == lower
        for each in attempts
    )
    return None if tried else lower
