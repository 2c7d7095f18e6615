"""Pooling over (channels, *space, rows), and where the largest value of a window was."""

from __future__ import annotations

import itertools
import operator
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp

from .windows import Sizes, padded, padding, slices

UNROLLED = 16  # comparisons beside each other; more of them take longer to compile than to loop


def pool(x: Any, size: Sizes, strides: Sizes, mode: str, average: bool) -> Any:
    """Largest or mean value of each window; padding counts in neither."""
    if size == strides and not any(map(operator.mod, x.shape[1:-1], size)):
        return _pool_whole(x, size, average)
    ones = (1,) * len(size)
    added = padding(mode, x.shape[1:-1], size, strides, ones)
    seen = slices(padded(x, added, 0.0 if average else -jnp.inf), size, strides, ones)
    if not average:
        return reduce(_larger, seen)
    inside = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
    counts = sum(slices(padded(inside, added), size, strides, ones))
    return sum(seen) / counts


def _pool_whole(x: Any, size: Sizes, average: bool) -> Any:
    """Windows that tile the space: an axis of windows and one inside them for each."""
    split = itertools.chain(
        *((n // each, each) for n, each in zip(x.shape[1:-1], size, strict=True))
    )
    tiles = x.reshape(x.shape[0], *split, x.shape[-1])
    inside = tuple(range(2, 2 * len(size) + 1, 2))
    if average:
        return tiles.mean(inside)
    within = jnp.moveaxis(tiles, inside, range(len(inside)))
    return largest(within.reshape(-1, *within.shape[len(inside) :]))


@partial(jax.custom_jvp)
def _larger(one: Any, other: Any) -> Any:
    """The larger value; where they are equal the gradient is that of the first."""
    return jnp.maximum(one, other)


def _larger_moved(values: tuple[Any, Any], moved: tuple[Any, Any]) -> tuple[Any, Any]:
    one, other = values
    return jnp.maximum(one, other), jnp.where(other > one, moved[1], moved[0])


_larger.defjvp(_larger_moved)


@partial(jax.custom_vjp)
def largest_of_all(x: Any) -> Any:
    """Largest along the first axis; those that are equally large share its gradient.

    Keras does so where it pools over all of space, and not where it pools windows.
    """
    return x.max(0)


def _all_forward(x: Any) -> Any:
    x = jax.lax.optimization_barrier(x)  # computed twice, it could differ by rounding
    value = x.max(0)
    return value, x == value


def _all_backward(equal: Any, gradient: Any) -> Any:
    return (equal * (gradient / jnp.maximum(equal.sum(0), 1)),)


largest_of_all.defvjp(_all_forward, _all_backward)


@partial(jax.custom_vjp)
def largest(x: Any) -> Any:
    """Largest along the first axis; its gradient goes to where it was seen first, as Keras's does.

    XLA would compare each value with the largest, and may compute the two apart, with different
    rounding: then the gradient is lost.
    """
    return x.max(0)


def largest_of(x: Any) -> tuple[Any, Any]:
    """Largest along the first axis, and where it was seen first."""
    if len(x) > UNROLLED:
        return x.max(0), jnp.argmax(x, 0)
    value, at = x[0], jnp.zeros(x.shape[1:], jnp.int8)
    for index in range(1, len(x)):
        at = jnp.where(x[index] > value, jnp.int8(index), at)
        value = jnp.maximum(value, x[index])
    return value, at


def to_largest(at: Any, gradient: Any, count: int) -> Any:
    """The gradient of each of so many, from that of the largest and where this was."""
    places = jnp.arange(count, dtype=at.dtype).reshape(-1, *(1,) * at.ndim)
    return jnp.where(places == at, gradient, 0)


def _largest_forward(x: Any) -> Any:
    value, at = largest_of(x)
    return value, (at, len(x))


def _largest_backward(kept: Any, gradient: Any) -> Any:
    at, count = kept
    return (to_largest(at, gradient, count),)


largest.defvjp(_largest_forward, _largest_backward)
