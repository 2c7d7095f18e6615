"""Where a member's weights lie inside the padded weights of a program."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import Array
from .initial import initial
from .kinds import Weight
from .lowering import Member, Template
from .nodes import follow, inputs_of, kind_of

Widths = tuple[tuple[tuple[str, int], ...], ...]  # of each node, by name


def padded_widths(members: Iterable[Member], *, close: bool = False) -> Widths:
    """Widths that fit every member: powers of two, so that few programs serve a whole search.

    Args:
        close: multiples of four instead, where padding costs more than another program.
    """
    rounded = _multiple_of_four if close else _power_of_two
    members = list(members)
    return tuple(
        tuple(
            (
                name,
                dict(node.exact).get(name) or rounded(m.widths[index][name] for m in members),
            )
            for name in sorted(members[0].widths[index])
        )
        for index, node in enumerate(members[0].template.nodes)
    )


def _multiple_of_four(values: Iterable[int]) -> int:
    return -(-max(values) // 4) * 4


def _power_of_two(values: Iterable[int]) -> int:
    return 1 << (max(values) - 1).bit_length()


@dataclass(frozen=True)
class Place:
    """Where one weight of a member lies: its padded shape and the indices of each axis."""

    node: int
    weight: Weight
    shape: tuple[int, ...]
    indices: tuple[Array, ...]

    def embed(self, values: Array) -> Array:
        """The weight with zeros around it."""
        padded = np.zeros(self.shape, values.dtype)
        padded[np.ix_(*self.indices)] = values
        return padded

    def extract(self, padded: Array) -> Array:
        """The weight without what is around it."""
        return np.ascontiguousarray(padded[np.ix_(*self.indices)])

    @property
    def own_shape(self) -> tuple[int, ...]:
        return tuple(len(each) for each in self.indices)


@dataclass(frozen=True)
class Layout:
    """A member inside a program of certain widths."""

    places: tuple[Place, ...]
    masks: tuple[Array, ...]  # of each node's output features
    row_size: int  # numbers in the largest output of one row, at most
    row_total: int  # numbers in all outputs of one row, and in what convolutions make of it first

    @classmethod
    def of(cls, member: Member, widths: Widths) -> Layout:
        """A member whose own units come first, padding after them."""
        kept = [
            {name: np.arange(width) < own[name] for name, width in padded}
            for padded, own in zip(widths, member.widths, strict=True)
        ]
        return cls.keeping(member, kept)

    @classmethod
    def keeping(cls, member: Member, kept: Sequence[Mapping[str, Array]]) -> Layout:
        """A member whose own units are those of these masks, of each node's widths by name."""
        given = [np.ones(width, bool) for width in member.features]
        masks = follow(member.template.nodes, member.shapes, kept, given)
        places: list[Place] = []
        for index, node in enumerate(member.template.nodes):
            axes = {**kept[index], "in": inputs_of(node, masks, given)[0]}
            for weight in node.weights:
                runs = [_run(axis, axes) for axis in weight.axes]
                shape = tuple(len(run) for run in runs)
                places.append(Place(index, weight, shape, tuple(map(np.flatnonzero, runs))))
        sizes = [
            len(mask) * math.prod(space) for mask, space in zip(masks, _spaces(member), strict=True)
        ]
        columns = [
            math.prod(place.shape[:-1]) * math.prod(member.shapes[place.node])
            for place in places
            if len(place.shape) > 2
        ]
        return cls(tuple(places), tuple(masks), max(sizes), sum(sizes) + sum(columns))

    def initial(self, member: Member, rng: np.random.Generator) -> list[Array]:
        """Weights as Keras would draw them at the member's own widths, padded."""
        return [
            place.embed(
                initial(
                    rng,
                    member.described[place.node].initializers[place.weight.name],
                    place.own_shape,
                )
            )
            for place in self.places
        ]

    def own(self, padded: Sequence[Array]) -> list[Array]:
        """The member's own weights, layer by layer, in Keras's order."""
        return [
            place.extract(np.asarray(values))
            for place, values in zip(self.places, padded, strict=True)
        ]


def _spaces(member: Member) -> list[tuple[int, ...]]:
    """Space of each node's output: that of the input of a node that reads it."""
    spaces = list(member.shapes)
    for node, shape in zip(member.template.nodes, member.shapes, strict=True):
        if node.inputs[0] >= 0:
            spaces[node.inputs[0]] = shape
    return spaces


def masked_nodes(template: Template) -> list[int]:
    """Nodes that need the mask of their output features at run time."""
    return [
        index
        for index, node in enumerate(template.nodes)
        if kind_of(node).masked(dict(node.static))
    ]


def _run(axis: str | int, axes: Mapping[str, Array]) -> Any:
    """Mask of one axis of a weight."""
    if isinstance(axis, int):
        return np.ones(axis, bool)
    name, _, times = axis.partition("*")
    if name == "in" and times:
        return np.repeat(axes["in"], int(times))
    return np.tile(axes[name], int(times or 1))
