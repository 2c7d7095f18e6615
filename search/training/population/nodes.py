"""The layer calls of a template, and what is known of their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...arrays import Array
from .kinds import Kind, Weight
from .layers import FIRST, FIRST_FEATURES
from .recurrent import KINDS


@dataclass(frozen=True)
class Node:
    """One layer call of a template; inputs are numbers of earlier nodes, or -1 - n for input n."""

    layer: str
    static: tuple[tuple[str, Any], ...]
    inputs: tuple[int, ...]
    weights: tuple[Weight, ...]
    exact: tuple[tuple[str, int], ...] = ()  # widths that may not be padded


def kind_of(node: Node) -> Kind:
    """What the node's layer computes."""
    return BY_NAME[node.layer]


def follow(
    nodes: Sequence[Node],
    shapes: Sequence[tuple[int, ...]],
    own: Sequence[Mapping[str, Array]],
    given: Sequence[Array],
) -> list[Array]:
    """Each node's output features: what is known of the units, carried through the graph.

    Args:
        shapes: space of each node's first input.
        own: of each node, one value a unit, by the name of the width.
        given: one value a feature of each model input.
    """
    known: list[Array] = []
    for node, shape, units in zip(nodes, shapes, own, strict=True):
        inputs = inputs_of(node, known, given)
        known.append(kind_of(node).mask(dict(node.static), inputs, units, shape))
    return known


def inputs_of(node: Node, known: Sequence[Array], given: Sequence[Array]) -> list[Array]:
    """What is known of the features of each input of a node.

    Args:
        known: of each node's output.
        given: of each model input.
    """
    return [known[each] if each >= 0 else given[-1 - each] for each in node.inputs]


BY_NAME: dict[str, Kind] = {
    FIRST: FIRST_FEATURES,
    **{layer.__name__: kind for layer, kind in KINDS.items()},
}
