"""Which units a narrower member of a template can leave out of a wider one, and what stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from ...arrays import Array
from . import activations
from .errors import Unsupported
from .layout import Layout
from .lowering import Member
from .nodes import follow, inputs_of, kind_of

UNITS = "units"  # the only width whose entries are not in an order
NO_UNIT = -1

Group = frozenset[tuple[int, int]]  # (node, unit): those that layers in between tie together


@dataclass(frozen=True)
class Narrowing:
    """The way from a wider member to a narrower one of the same template.

    Args:
        missing: of each node, how many units the narrower one has not.
        groups: what can be left out, each as a whole.
    """

    wide: Member
    missing: tuple[int, ...]
    groups: tuple[Group, ...]

    @classmethod
    def between(cls, wide: Member, narrow: Member) -> Narrowing:
        """Raises Unsupported where the one is not the other with fewer units."""
        missing = _missing(wide, narrow)
        groups = tuple(group for group in _groups(wide) if all(missing[node] for node, _ in group))
        narrowing = cls(wide, missing, groups)
        _check_mixed(wide, narrowing.without(narrowing.least([0.0] * len(groups))))
        return narrowing

    def least(self, usefulness: Sequence[float]) -> list[Group]:
        """The groups to leave out: as many units of each node as are missing, the least useful.

        Args:
            usefulness: of each group.
        """
        left, chosen = list(self.missing), []
        for index in np.argsort(usefulness, kind="stable"):
            counts = Counter(node for node, _ in self.groups[index])
            if all(left[node] >= count for node, count in counts.items()):
                chosen.append(self.groups[index])
                for node, count in counts.items():
                    left[node] -= count
        if any(left):
            raise Unsupported("layers whose units are tied to those of others")
        return chosen

    def without(self, groups: Iterable[Group]) -> Layout:
        """Where the weights of what stays lie in those of the wider member."""
        kept = [
            {name: np.ones(width, bool) for name, width in widths.items()}
            for widths in self.wide.widths
        ]
        for group in groups:
            for node, unit in group:
                kept[node][UNITS][unit] = False
        return Layout.keeping(self.wide, kept)


def _missing(wide: Member, narrow: Member) -> tuple[int, ...]:
    if wide.template != narrow.template or wide.features != narrow.features:
        raise Unsupported("another architecture")
    missing = []
    for old, new in zip(wide.widths, narrow.widths, strict=True):
        fewer = {name: old[name] - new[name] for name in old}
        units = fewer.pop(UNITS, 0)
        if units < 0 or any(fewer.values()):
            raise Unsupported("layers that are wider, or another vocabulary or other features")
        missing.append(units)
    if not any(missing):
        raise Unsupported("the same widths")
    return tuple(missing)


def _groups(member: Member) -> list[Group]:
    """Units that only go together, as both sides of an addition do; none that meets an input."""
    first = np.cumsum([0, *(widths.get(UNITS, 0) for widths in member.widths)])
    own = [
        {
            name: start + np.arange(width) if name == UNITS else np.full(width, NO_UNIT)
            for name, width in widths.items()
        }
        for start, widths in zip(first[:-1], member.widths, strict=True)
    ]
    given = [np.full(width, NO_UNIT) for width in member.features]
    tied = DisjointSet(range(NO_UNIT, int(first[-1])))
    nodes = member.template.nodes
    known = [_numbered(each) for each in follow(nodes, member.shapes, own, given)]
    for node in nodes:
        if kind_of(node).feature_by_feature:
            for one, other in pairwise(inputs_of(node, known, given)):
                _tie(tied, one, other)
    units = [
        (node, unit)
        for node, widths in enumerate(member.widths)
        for unit in range(widths.get(UNITS, 0))
    ]
    return [
        frozenset(units[number] for number in group)
        for group in tied.subsets()
        if NO_UNIT not in group
    ]


def _numbered(features: Array) -> Array:
    """A layer that mixes features, and so fixes them, knows of no units."""
    return np.full(len(features), NO_UNIT) if features.dtype == bool else features


def _tie(tied: DisjointSet, one: Array, other: Array) -> None:
    """Feature by feature; one feature that meets many stays, as they do."""
    for a, b in np.broadcast(one, other):
        if len(one) != len(other):
            a, b = NO_UNIT, max(a, b)
        tied.merge(int(a), int(b))


def _check_mixed(member: Member, layout: Layout) -> None:
    """A layer that computes over all features of a row does something else with fewer."""
    for node, mask in zip(member.template.nodes, layout.masks, strict=True):
        softmax = dict(node.static).get("activation") == activations.SOFTMAX
        if not mask.all() and (softmax or node.layer == "LayerNormalization"):
            raise Unsupported(f"units in front of {'a softmax' if softmax else node.layer}")
