"""Work on some rows at a time, so that what a layer makes of them stays in a core's cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

ROWS = 16  # of a block: the columns of a convolution with 16 channels are 1.8 MB
LARGE = 2**17  # numbers in an input that are worth a loop


def by_block(function: Callable[..., Any], *arrays: Any, of_rows: int = 1) -> Any:
    """A function of arrays over (..., rows), computed for a block of rows after the other.

    Args:
        of_rows: how many results are over rows, too; those that follow are added up.
    """
    rows = arrays[0].shape[-1]
    large = max(each.size for each in arrays) >= LARGE
    if jax.default_backend() != "cpu" or not large or rows % ROWS or rows == ROWS:
        return function(*arrays)

    def at(index: Any) -> list[Any]:
        cut = (jax.lax.dynamic_slice_in_dim(a, index * ROWS, ROWS, a.ndim - 1) for a in arrays)
        return list(jax.tree.leaves(function(*cut)))

    def step(index: Any, so_far: list[Any]) -> list[Any]:
        now = at(index)
        for place, each in enumerate(now[:of_rows]):
            now[place] = jax.lax.dynamic_update_slice_in_dim(
                so_far[place], each, index * ROWS, each.ndim - 1
            )
        return [*now[:of_rows], *map(jnp.add, so_far[of_rows:], now[of_rows:])]

    shapes = jax.eval_shape(at, 0)
    whole = [jnp.zeros((*each.shape[:-1], rows), each.dtype) for each in shapes[:of_rows]]
    sums = [jnp.zeros(each.shape, each.dtype) for each in shapes[of_rows:]]
    results = jax.lax.fori_loop(0, rows // ROWS, step, [*whole, *sums])
    return tuple(results) if len(results) > 1 else results[0]
