"""The first layers of an image network as one: convolution, batch normalization, relu, max pooling.

What a convolution makes of the data is the largest array of the network, and here it is never
written: its mean and variance are those of the data's own windows, a quadratic form in the kernel,
and are known beforehand for each row; so the normalization becomes part of the kernel, and the
largest of each window is taken at once. The numbers are the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...arrays import Array
from .blocks import Windows, by_block
from .kinds import lift
from .lowering import Member
from .nodes import Node
from .pooling import largest_of, to_largest
from .trying import fastest, found_apart
from .windows import Padding, Sizes, gathered, matmul, padded, padding, suits_kernels

LAYERS = ("Conv2D", "BatchNormalization", ("Activation", "ReLU"), "MaxPooling2D")


STATISTICS = ("moving_mean", "moving_variance")


@dataclass(frozen=True)
class Stem:
    """The first nodes of a template, where they are such layers."""

    nodes: tuple[Node, ...]
    taps: Sizes
    added: Padding  # around the image
    size: Sizes  # of the pooling

    @property
    def last(self) -> int:
        """Number of the node whose outputs are the stem's."""
        return len(self.nodes) - 1

    @property
    def reach(self) -> Sizes:
        """What a pooling window sees along each axis."""
        return tuple(tap + size - 1 for tap, size in zip(self.taps, self.size, strict=True))

    @classmethod
    def of(cls, member: Member) -> Stem | None:
        """Those of a member's template; None where it begins otherwise."""
        nodes = member.template.nodes
        if len(nodes) <= len(LAYERS) or not _is_chain(nodes):
            return None
        convolution, normalization, activation, pooling = (dict(n.static) for n in nodes[:4])
        space = member.shapes[0]
        taps = tuple(int(tap) for tap in nodes[0].weights[0].axes[:2])
        ones = (1,) * len(space)
        added = padding(convolution["padding"], space, taps, ones, ones)
        size = pooling["size"]
        fits = (
            convolution["strides"] == convolution["dilation"] == ones
            and convolution["activation"] == "linear"
            and len(nodes[0].weights) == 1
            and activation["activation"] == "relu"
            and pooling["strides"] == size
            and not any(n % each for n, each in zip(member.shapes[3], size, strict=True))
            and math.prod(taps) ** 2 * member.features[0] <= math.prod(space)
        )
        return cls(nodes[:4], taps, added, size) if fits else None

    def apply(
        self, x: Any, weights: Sequence[Mapping[str, Any]], moments: Any
    ) -> tuple[Any, list[dict[str, Any]]]:
        """Outputs of (channels, *space, rows), and what is updated of each node in training.

        Args:
            weights: of each node.
            moments: of the rows' windows; None where nothing is trained.
        """
        kernel, norm = weights[0]["kernel"], weights[1]
        static = dict(self.nodes[1].static)
        updates: list[dict[str, Any]] = [{} for _ in self.nodes]
        mean, variance = norm["moving_mean"], norm["moving_variance"]
        if moments is not None:
            places = math.prod(
                n + sum(added) - tap + 1
                for n, added, tap in zip(x.shape[1:-1], self.added, self.taps, strict=True)
            )
            now = _statistics(kernel.reshape(-1, kernel.shape[-1]), moments, places)
            for name, before, new in zip(STATISTICS, (mean, variance), now, strict=True):
                updates[1][name] = before * static["momentum"] + new * (1 - static["momentum"])
            mean, variance = now
        scale = norm.get("gamma", 1) * jax.lax.rsqrt(variance + static["epsilon"])
        shifted = _shifted(kernel * scale, self.size)
        y = WAYS[best_way(shifted.shape, self)](x, shifted, self)
        return jax.nn.relu(y + lift(norm.get("beta", 0) - mean * scale, y.ndim)), updates

    def moments(self, rows: Array) -> tuple[Array, Array, Array]:
        """A centre, and of each row the sum of its windows and of their products, from there."""
        parts = [rows[start : start + 256] for start in range(0, len(rows), 256)]
        centre = np.mean([self._windows(part).mean((0, 2)) for part in parts[:8]], axis=0)
        sums, products = [], []
        for part in parts:
            apart = self._windows(part) - centre[:, None]
            sums.append(apart.sum(2))
            products.append(apart @ apart.swapaxes(1, 2))
        return centre.astype("float32"), np.concatenate(sums), np.concatenate(products)

    def _windows(self, rows: Array) -> Array:
        """(rows, numbers of a window, places), in the order of the kernel's axes."""
        padded = np.pad(rows, ((0, 0), *self.added, (0, 0)))
        (high, wide), (_, height, width, channels) = self.taps, padded.shape
        seen = [
            padded[:, y : y + height - high + 1, x : x + width - wide + 1, channel]
            for y, x, channel in itertools.product(range(high), range(wide), range(channels))
        ]
        return np.stack(seen, axis=1).reshape(len(rows), len(seen), -1)


def _is_chain(nodes: Sequence[Node]) -> bool:
    """Whether the first nodes are a stem's, each read by the next one alone."""
    for index, expected in enumerate(LAYERS):
        names = (expected,) if isinstance(expected, str) else expected
        if nodes[index].layer not in names or nodes[index].inputs != (index - 1,):
            return False
    return not any(source in (-1, 0, 1, 2) for node in nodes[4:] for source in node.inputs)


def _statistics(kernel: Any, moments: Sequence[Any], places: int) -> tuple[Any, Any]:
    """Mean and variance of each feature of a convolution, from the moments of some rows."""
    centre, sums, products = moments
    count = len(sums) * places
    apart = sums.sum(0) / count
    covariance = products.sum(0) / count - apart[:, None] * apart
    variance = (kernel * (covariance @ kernel)).sum(0)
    return (centre + apart) @ kernel, jnp.maximum(variance, 0)


def _shifted(kernel: Any, size: Sizes) -> Any:
    """A kernel for each place in a pooling window, over all that the window sees."""
    placed = [
        jnp.pad(kernel, ((i, size[0] - 1 - i), (j, size[1] - 1 - j), (0, 0), (0, 0)))
        for i in range(size[0])
        for j in range(size[1])
    ]
    stacked = jnp.stack(placed).transpose(0, 4, 2, 1, 3)  # in the order of what is seen
    return stacked.reshape(len(placed) * kernel.shape[-1], -1)


def best_way(kernel: Sizes, stem: Stem) -> str:
    """Which way this device computes the first layers with a shifted kernel of such a shape."""
    outputs, numbers = kernel[0] // math.prod(stem.size), kernel[1]
    if jax.default_backend() == "cpu" or not suits_kernels(outputs, numbers):
        return "columns"
    return tried()


def tried() -> str:
    """Which way is the fastest on this GPU where kernels suit."""
    return found_apart(__name__, "columns")


def try_ways() -> str:
    """The fastest way, found by trying them in this process."""
    stem = Stem((), taps=(3, 3), added=((1, 1), (1, 1)), size=(2, 2))
    ways = {name: jax.vmap(partial(way, stem=stem)) for name, way in WAYS.items()}
    return fastest(ways, (32, 1, 28, 28, 128), (32, 64, 16))


def by_kernels(x: Any, kernel: Any, stem: Stem) -> Any:
    """Largest of each pooling window of a convolution by kernels of our own."""
    from . import kernels  # what it imports takes its time

    return kernels.pooled(padded(x, stem.added), kernel, stem.reach, stem.size)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def by_columns(x: Any, kernel: Any, stem: Stem) -> Any:
    """Largest of each pooling window of a convolution."""
    return _columns_forward(x, kernel, stem)[0]


def _columns_forward(x: Any, kernel: Any, stem: Stem) -> Any:
    def of_block(x: Any) -> Any:
        seen = _seen(x, stem)
        z = matmul(kernel, seen.reshape(len(seen), -1))
        return largest_of(z.reshape(math.prod(stem.size), -1, *seen.shape[1:]))

    y, at = by_block(of_block, _overlapping(x, stem), of_space=2)
    return y, (x, at)


def _columns_backward(stem: Stem, kept: Any, gradient: Any) -> Any:
    x, at = kept

    def of_block(x: Any, at: Any, gradient: Any) -> Any:
        spread = to_largest(at, gradient, math.prod(stem.size))
        seen = _seen(x, stem)
        return matmul(spread.reshape(-1, seen[0].size), seen.reshape(len(seen), -1).T)

    seen = _overlapping(x, stem), Windows(at), Windows(gradient)
    of_kernel = by_block(of_block, *seen, of_space=0)
    return jnp.zeros_like(x), of_kernel  # of the data: nobody asks for it


by_columns.defvjp(_columns_forward, _columns_backward)
WAYS = {"columns": by_columns, "kernels": by_kernels}


def _overlapping(x: Any, stem: Stem) -> Windows:
    """An image, and the rows of it that a row of pooling windows sees."""
    rows = padded(x, (stem.added[0], (0, 0)))
    return Windows(rows, step=stem.size[0], overlap=stem.taps[0] - 1)


def _seen(x: Any, stem: Stem) -> Any:
    """All that each pooling window sees of an image: (numbers, *windows, rows)."""
    return gathered(padded(x, ((0, 0), stem.added[1])), stem.reach, stem.size, (1, 1))
