"""Layers that only move numbers, read for what they mean to the widths around them.

A `Reshape` of dense units to an image makes these as wide as the image has channels: the beginning
of a decoder can be padded then, and lose a channel at all of its places together. And a cropping of
a row's last features is a width of its own, so that models that read more or fewer train together.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from .kinds import Described, like_input
from .layers import FIRST, resolved
from .nodes import Node, kind_of

CUT = ("Reshape", "Cropping1D", "Flatten")
LINEAR = (("activation", "linear"),)

Shapes = list[tuple[int, ...]]


def read_moves(nodes: list[Node], described: list[Described], shapes: Shapes) -> None:
    """Put into the layers of a model what such moves say of their widths.

    Args:
        shapes: space of each node's first input.
    """
    readers = Counter(source for node in nodes for source in node.inputs)
    for index in range(len(nodes)):
        dense = _dense_before(nodes, index, readers)
        shape = dict(nodes[index].static).get("shape", ())
        if dense is not None and len(shape) > 1 and not shapes[index]:
            units = described[dense].widths["units"]
            *space, channels = resolved(shape, units)
            nodes[index] = _at(nodes[index], math.prod(space), shape=(*space, -1))
            nodes[dense] = _at(nodes[dense], math.prod(space))
            described[dense] = replace(described[dense], widths={"units": channels})
        elif _is_cut(nodes[index : index + 3], index, shapes, readers):
            nodes[index] = replace(nodes[index], layer=FIRST, static=())
            described[index] = Described(widths={FIRST: shapes[index + 2][0]})
            for later in (index + 1, index + 2):
                nodes[later] = replace(nodes[later], layer="Activation", static=LINEAR)
                shapes[later] = ()


def _dense_before(nodes: Sequence[Node], index: int, readers: Counter[int]) -> int | None:
    """The dense layer whose units a `Reshape` is given one by one, and nobody else is."""
    if nodes[index].layer != "Reshape":
        return None
    while (index := nodes[index].inputs[0]) >= 0 and readers[index] == 1:
        if nodes[index].layer == "Dense":
            return index
        kind = kind_of(nodes[index])
        if kind.mask is not like_input or kind.merges or kind.exact_input({}):
            return None
    return None


def _at(node: Node, places: int, **static: object) -> Node:
    """A layer whose features are each at so many places, and so are its weights."""
    known = {**dict(node.static), **static, "places": places}
    weights = tuple(
        replace(
            each, axes=tuple(f"{axis}*{places}" if axis == "units" else axis for axis in each.axes)
        )
        for each in node.weights
    )
    return replace(node, static=tuple(sorted(known.items())), weights=weights)


def _is_cut(chain: Sequence[Node], index: int, shapes: Shapes, readers: Counter[int]) -> bool:
    """Whether these layers leave nothing but the first features of a row."""
    if tuple(node.layer for node in chain) != CUT or shapes[index]:
        return False
    statics = [dict(node.static) for node in chain]
    return (
        statics[0]["shape"][1:] == (1,)
        and statics[1]["around"][0][0] == 0
        and all(node.inputs == (index + n,) for n, node in enumerate(chain[1:]))
        and readers[index] == readers[index + 1] == 1
    )
