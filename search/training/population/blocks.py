"""Work on some places at a time, so that what a layer makes of them stays in a core's cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

PLACES = 2**12  # in a block, over all rows: a convolution with 16 channels has 2.4 MB of columns
FEWEST = 2**9  # a product with fewer columns wastes its time
LARGE = 2**16  # numbers in an input that are worth a loop


@dataclass(frozen=True, eq=False)
class Windows:
    """An array of (features, *space, rows), and the windows along its first axis of space."""

    values: Any
    step: int = 1  # from one window to the next
    overlap: int = 0  # by how much a window is longer

    @property
    def count(self) -> int:
        return (int(self.values.shape[1]) - self.overlap) // self.step

    def of(self, block: Any, size: int) -> Any:
        """What the windows of a block see, where each block has so many."""
        features, _, *rest = self.values.shape
        start, length = size * self.step, size * self.step + self.overlap
        if self.overlap:
            return jax.lax.dynamic_slice_in_dim(self.values, block * start, length, 1)
        # Of an axis of blocks XLA reads vectors, of a part of another one number by number.
        apart = self.values.reshape(features, -1, length * math.prod(rest))
        return jax.lax.dynamic_index_in_dim(apart, block, 1).reshape(features, length, *rest)


def by_block(function: Callable[..., Any], *arrays: Windows, of_space: int = 1) -> Any:
    """A function of arrays, computed for some windows after the others.

    A block is cut from the first axis of space: what it reads of a feature lies together.

    Args:
        of_space: how many results are over space, too; those that follow are added up.
    """
    count = arrays[0].count
    large = max(each.values.size for each in arrays) >= LARGE
    size = _at_a_time(count, math.prod(arrays[-1].values.shape[2:]))
    if jax.default_backend() != "cpu" or not large or size == count:
        return function(*(each.values for each in arrays))

    def at(block: Any) -> list[Any]:
        return list(jax.tree.leaves(function(*(each.of(block, size) for each in arrays))))

    def step(block: Any, so_far: list[Any]) -> list[Any]:
        now = at(block)
        for place, each in enumerate(now[:of_space]):
            now[place] = jax.lax.dynamic_update_slice_in_dim(so_far[place], each, block * size, 1)
        return [*now[:of_space], *map(jnp.add, so_far[of_space:], now[of_space:])]

    begin = [jnp.zeros(each.shape, each.dtype) for each in jax.eval_shape(at, 0)]
    begin[:of_space] = (jnp.concatenate([each] * (count // size), 1) for each in begin[:of_space])
    results = jax.lax.fori_loop(0, count // size, step, begin)
    return tuple(results) if len(results) > 1 else results[0]


def written(x: Any) -> Any:
    """The array itself, which XLA is to write as it is, not to compute where it is read.

    Read in another shape it would be computed number by number, and what is read often, often.
    """
    return jax.lax.optimization_barrier(x) if jax.default_backend() == "cpu" else x


def _at_a_time(count: int, places: int) -> int:
    """Windows of a block, of so many places each: the same number in all blocks."""
    sizes = (size for size in range(1, count + 1) if count % size == 0)
    size = max((size for size in sizes if size * places <= PLACES), default=1)
    return size if size * places >= FEWEST else count
