"""Which widths of a template may not be padded: where padding would not stay beside itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...arrays import Array
from .nodes import Node, follow, inputs_of, kind_of

Widths = Sequence[Mapping[str, int]]  # of each node, by name


def fixed(
    nodes: Sequence[Node],
    widths: Widths,
    shapes: Sequence[tuple[int, ...]],
    features: Sequence[int],
) -> tuple[Node, ...]:
    """The nodes, with the widths fixed of what the output is made of, a layer that mixes features,
    and branches that meet with their padding in different places.

    Args:
        shapes: space of each node's first input.
        features: of each model input.
    """
    wanted = {len(nodes) - 1}
    for node in nodes:
        if kind_of(node).exact_input(dict(node.static)):
            wanted |= _sources(node)
    exact: set[int] = set()
    given = [np.ones(width, bool) for width in features]
    while wanted:
        exact |= _of_own_widths(nodes, widths, wanted)
        padding = follow(nodes, shapes, _padded(widths, exact), given)
        wanted = _uneven(nodes, padding, given) - exact
    return tuple(
        replace(node, exact=tuple(sorted(widths[index].items())) if index in exact else ())
        for index, node in enumerate(nodes)
    )


def _of_own_widths(nodes: Sequence[Node], widths: Widths, wanted: set[int]) -> set[int]:
    """The nodes that some nodes' features come from."""
    found: set[int] = set()
    wanted = set(wanted)
    while wanted:
        index = wanted.pop()
        if index not in found:
            found.add(index)
            if not widths[index]:
                wanted |= _sources(nodes[index])
    return found


def _padded(widths: Widths, exact: set[int]) -> list[dict[str, Array]]:
    """Masks with one more unit in each width that may be padded.

    Where two branches agree on these, they agree on all paddings: equal widths are padded equally.
    """
    return [
        {
            name: np.arange(width + (index not in exact)) < width
            for name, width in widths[index].items()
        }
        for index in range(len(widths))
    ]


def _uneven(nodes: Sequence[Node], padding: Sequence[Array], given: Sequence[Array]) -> set[int]:
    """Sources of the merging layers whose branches are padded differently."""
    uneven: set[int] = set()
    for node in nodes:
        first, *others = inputs_of(node, padding, given)
        alike = all(np.array_equal(first, each) for each in others)
        if kind_of(node).feature_by_feature and not alike:
            uneven |= _sources(node)
    return uneven


def _sources(node: Node) -> set[int]:
    """The nodes that a node reads."""
    return {source for source in node.inputs if source >= 0}
