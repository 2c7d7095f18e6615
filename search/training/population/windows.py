"""Convolution and pooling over (channels, *space, rows), as shifted slices and one matrix product.

Rows come last, so every slice is contiguous and each product has many columns: twice as fast on a
CPU as channels last, and vmapped convolutions of XLA's own are slower still.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp

Sizes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]


def padding(mode: str, space: Sizes, kernel: Sizes, strides: Sizes, dilation: Sizes) -> Padding:
    """Rows to add before and after each axis of `space`, as TensorFlow does."""
    if mode == "valid":
        return tuple((0, 0) for _ in space)
    return tuple(map(_same, space, kernel, strides, dilation))


def convolve(x: Any, kernel: Any, strides: Sizes, mode: str, dilation: Sizes) -> Any:
    """Cross-correlation of (C, *space, B) with (*taps, C, F): (F, *space, B)."""
    taps, space = kernel.shape[:-2], x.shape[1:-1]
    added = padding(mode, space, taps, strides, dilation)
    if all(step == 1 for step in (*strides, *dilation)):
        return _dense(x, kernel, added)
    return _product(_columns(x, taps, strides, dilation, added), kernel)


def convolve_depthwise(x: Any, kernel: Any, strides: Sizes, mode: str, dilation: Sizes) -> Any:
    """Each channel of (C, *space, B) with its own (*taps, C, M): (C * M, *space, B)."""
    taps, space = kernel.shape[:-2], x.shape[1:-1]
    added = padding(mode, space, taps, strides, dilation)
    slices = _slices(_padded(x, added), taps, strides, dilation)
    flat = kernel.reshape(-1, *kernel.shape[-2:])
    lift = (slice(None), slice(None), *(None,) * (x.ndim - 1))
    y = sum(each[:, None] * flat[tap][lift] for tap, each in enumerate(slices))
    return y.reshape(-1, *y.shape[2:])


def pool(x: Any, size: Sizes, strides: Sizes, mode: str, average: bool) -> Any:
    """Largest or mean value of each window; padding counts in neither."""
    if size == strides and not any(map(operator.mod, x.shape[1:-1], size)):
        return _pool_whole(x, size, average)
    ones = (1,) * len(size)
    added = padding(mode, x.shape[1:-1], size, strides, ones)
    slices = _slices(_padded(x, added, 0.0 if average else -jnp.inf), size, strides, ones)
    if not average:
        return reduce(jnp.maximum, slices)
    inside = jnp.ones((1, *x.shape[1:-1], 1), x.dtype)
    counts = sum(_slices(_padded(inside, added), size, strides, ones))
    return sum(slices) / counts


def _pool_whole(x: Any, size: Sizes, average: bool) -> Any:
    """Windows that tile the space: an axis of windows and one inside them for each."""
    split = itertools.chain(
        *((n // each, each) for n, each in zip(x.shape[1:-1], size, strict=True))
    )
    tiles = x.reshape(x.shape[0], *split, x.shape[-1])
    inside = tuple(range(2, 2 * len(size) + 1, 2))
    return tiles.mean(inside) if average else tiles.max(inside)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _dense(x: Any, kernel: Any, added: Padding) -> Any:
    return _product(_columns(x, kernel.shape[:-2], *_ones(kernel), added), kernel)


def _dense_forward(x: Any, kernel: Any, added: Padding) -> Any:
    return _dense(x, kernel, added), (x, kernel)


def _dense_backward(added: Padding, kept: Any, gradient: Any) -> Any:
    """Of the inputs: a convolution too, half the time of the transposed slices."""
    x, kernel = kept
    taps = kernel.shape[:-2]
    columns = _columns(x, taps, *_ones(kernel), added)
    flat = gradient.reshape(len(gradient), -1)
    of_kernel = (columns.reshape(len(columns), -1) @ flat.T).reshape(kernel.shape)
    turned = jnp.flip(kernel, range(len(taps))).swapaxes(-1, -2)
    back = tuple(
        (tap - 1 - low, tap - 1 - high) for tap, (low, high) in zip(taps, added, strict=True)
    )
    return _product(_columns(gradient, taps, *_ones(kernel), back), turned), of_kernel


_dense.defvjp(_dense_forward, _dense_backward)


def _ones(kernel: Any) -> tuple[Sizes, Sizes]:
    return (1,) * (kernel.ndim - 2), (1,) * (kernel.ndim - 2)


def _product(columns: Any, kernel: Any) -> Any:
    flat = kernel.reshape(-1, kernel.shape[-1])
    y = flat.T @ columns.reshape(len(columns), -1)
    return y.reshape(-1, *columns.shape[1:])


def _columns(x: Any, taps: Sizes, strides: Sizes, dilation: Sizes, added: Padding) -> Any:
    return jnp.concatenate(_slices(_padded(x, added), taps, strides, dilation))


def _slices(x: Any, taps: Sizes, strides: Sizes, dilation: Sizes) -> Sequence[Any]:
    """What each tap of a kernel sees, in the order of the kernel's own axes."""
    reach = [
        (length - (tap - 1) * apart - 1) // step + 1
        for length, tap, step, apart in zip(x.shape[1:-1], taps, strides, dilation, strict=True)
    ]

    def at(offsets: Sizes) -> Any:
        cuts = [
            slice(offset * apart, offset * apart + (count - 1) * step + 1, step)
            for offset, apart, count, step in zip(offsets, dilation, reach, strides, strict=True)
        ]
        return x[(slice(None), *cuts)]

    return [at(offsets) for offsets in itertools.product(*map(range, taps))]


def _padded(x: Any, added: Padding, value: float = 0.0) -> Any:
    if not any(low or high for low, high in added):
        return x
    return jnp.pad(x, ((0, 0), *added, (0, 0)), constant_values=value)


def _same(length: int, tap: int, step: int, apart: int) -> tuple[int, int]:
    out = math.ceil(length / step)
    total = max((out - 1) * step + (tap - 1) * apart + 1 - length, 0)
    return total // 2, total - total // 2
