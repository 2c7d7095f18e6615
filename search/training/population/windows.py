"""Convolution over (channels, *space, rows), as shifted slices and one matrix product.

Rows come last, so every slice is contiguous and each product has many columns: twice as fast on a
CPU as channels last, and vmapped convolutions of XLA's own are slower still.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from .blocks import Windows, by_block, written
from .kinds import product
from .trying import fastest, found_apart

ADDED = 32  # rows of an image that are added up beside each other
LEAST = 16  # features that a product of kernels takes, or the next power of two: theirs, too
FEW = 2  # units for which adding up what each tap sees is faster than a product of columns
REGISTERED = 1024  # entries of a matrix that kernels have registers for
Sizes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]


def padding(mode: str, space: Sizes, kernel: Sizes, strides: Sizes, dilation: Sizes) -> Padding:
    """Rows to add before and after each axis of `space`, as TensorFlow does."""
    reach = [(taps - 1) * apart + 1 for taps, apart in zip(kernel, dilation, strict=True)]
    return tuple(jax.lax.padtype_to_pads(space, reach, strides, mode.upper()))


def convolve(x: Any, kernel: Any, strides: Sizes, mode: str, dilation: Sizes) -> Any:
    """Cross-correlation of (C, *space, B) with (*taps, C, F): (F, *space, B)."""
    taps, space = kernel.shape[:-2], x.shape[1:-1]
    added = padding(mode, space, taps, strides, dilation)
    if any(step != 1 for step in (*strides, *dilation)):
        return product(_flat(kernel), gathered(padded(x, added), taps, strides, dilation))
    return convolve_dense(x, kernel, added)


def convolve_dense(x: Any, kernel: Any, added: Padding) -> Any:
    """The same without strides and dilation, with so many places added before and after an axis."""
    return WAYS[best_way(kernel.shape)](x, kernel, added)


def best_way(kernel: Sizes) -> str:
    """Which way this device computes a dense convolution with a kernel of such a shape."""
    if jax.default_backend() == "cpu" or kernel[-2] == 1:
        return "columns"
    return tried() if len(kernel) == 4 and suits_kernels(*kernel[-2:]) else "sums"


def tried() -> str:
    """Which way is the fastest on this GPU where kernels suit."""
    return found_apart(__name__, "sums")


def try_ways() -> str:
    """The fastest way, found by trying them in this process."""
    added = ((1, 1), (1, 1))
    ways = {name: jax.vmap(partial(WAYS[name], added=added)) for name in ("sums", "kernels")}
    return fastest(ways, (32, 16, 14, 14, 128), (32, 3, 3, 16, 16))


def suits_kernels(one: int, other: int) -> bool:
    """Whether this device has units and registers for kernels with so many features."""
    wide = (max(LEAST, 1 << (each - 1).bit_length()) for each in (one, other))
    return has_rounded_units() and math.prod(wide) <= REGISTERED


def by_kernels(x: Any, kernel: Any, added: Padding) -> Any:
    """A dense convolution in two dimensions by kernels of our own, for NVIDIA's GPUs."""
    from . import kernels  # what it imports takes its time

    return kernels.convolve(x, kernel, added)


def by_sums(x: Any, kernel: Any, added: Padding) -> Any:
    """A dense convolution by columns without the first axis of space.

    What the taps along that axis give is added up: 3 x 3 taps make arrays of 3 C and 3 F features
    in place of 9 C. A GPU's time is its memory's: there this is up to twice as fast, and XLA's own
    convolution slower than either; benchmarks/throughput/convolutions.py compares them.
    """
    ones, x = (1,) * (kernel.ndim - 3), padded(x, added)
    columns = gathered(x, (1, *kernel.shape[1:-2]), (1, *ones), (1, *ones))
    of_tap = jnp.concatenate([_flat(each) for each in kernel], -1)
    y = matmul(of_tap.T, columns.reshape(len(columns), -1))
    y = y.reshape(len(kernel), -1, *columns.shape[1:])
    rows = x.shape[1] - len(kernel) + 1
    return sum(jax.lax.slice_in_dim(y[tap], tap, tap + rows, axis=1) for tap in range(len(kernel)))


def matmul(one: Any, other: Any) -> Any:
    """A product of large matrices, in single precision.

    NVIDIA's devices make it of three products of rounded parts, which are as exact and faster; they
    have units for them since compute capability 8.0.
    """
    exactness = jax.lax.DotAlgorithmPreset.TF32_TF32_F32_X3 if has_rounded_units() else None
    return jnp.matmul(one, other, precision=exactness)


def has_rounded_units() -> bool:
    """Whether this device has units for products of rounded parts."""
    capability = str(getattr(jax.devices()[0], "compute_capability", ""))
    return bool(re.fullmatch(r"\d+\.\d+", capability)) and float(capability) >= 8.0


def convolve_depthwise(x: Any, kernel: Any, strides: Sizes, mode: str, dilation: Sizes) -> Any:
    """Each channel of (C, *space, B) with its own (*taps, C, M): (C * M, *space, B)."""
    taps, space = kernel.shape[:-2], x.shape[1:-1]
    added = padding(mode, space, taps, strides, dilation)
    if any(step != 1 for step in (*strides, *dilation)):
        y = _weighed(slices(padded(x, added), taps, strides, dilation), kernel)
    else:
        y = by_taps(x, kernel, added)
    return y.reshape(-1, *y.shape[2:])


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def by_taps(x: Any, kernel: Any, added: Padding) -> Any:
    """A dense depthwise convolution as a sum over taps: (C, M, *space, B).

    Its gradient is written out: a CPU would else take three to seven times as long for it.
    """
    if jax.default_backend() != "cpu":
        return _weighed(_seen(x, kernel.shape[:-2], added), kernel)

    of_channel = partial(_of_channel, added)
    return jax.lax.map(of_channel, (x, jnp.moveaxis(kernel, -2, 0)))


def _of_channel(added: Padding, each: tuple[Any, Any]) -> Any:
    """What one channel and its part of a kernel make: (units, *space, B)."""
    x, kernel = each[0][None], each[1][..., None, :]
    return _weighed(_seen(x, kernel.shape[:-2], added), kernel)[0]


def _by_taps_forward(x: Any, kernel: Any, added: Padding) -> Any:
    return by_taps(x, kernel, added), (x, kernel)


def _by_taps_backward(added: Padding, kept: Any, gradient: Any) -> Any:
    x, kernel = kept
    taps = kernel.shape[:-2]
    turned, back = jnp.flip(kernel, range(len(taps))), _turned(taps, added)
    of_x = sum(
        _weighed(_seen(gradient[:, index], taps, back), turned[..., index, None])[:, 0]
        for index in range(kernel.shape[-1])
    )
    totals = _totals([each[:, None] for each in _seen(x, taps, added)], gradient)
    return of_x, totals.reshape(kernel.shape)


by_taps.defvjp(_by_taps_forward, _by_taps_backward)


def _seen(x: Any, taps: Sizes, added: Padding) -> Sequence[Any]:
    """What each tap of a dense kernel sees; what is padded is written, else each tap pads again."""
    ones = (1,) * len(taps)
    return slices(written(padded(x, added)), taps, ones, ones)


def _weighed(seen: Sequence[Any], kernel: Any) -> Any:
    """Sum of what each tap sees times its weights: (C, M, *space, B)."""
    flat = kernel.reshape(-1, *kernel.shape[-2:])
    lift = (slice(None), slice(None), *(None,) * (seen[0].ndim - 1))
    return sum(each[:, None] * flat[tap][lift] for tap, each in enumerate(seen))


def _totals(arrays: Sequence[Any], other: Any) -> Any:
    """Sums of each array times another over all but their first two axes: (arrays, C, M).

    On a CPU in two steps, of which each reads vectors: rows of an image added up, then a product.
    """
    rows, rest = other.shape[2], tuple(range(2, other.ndim))
    if jax.default_backend() != "cpu" or rows > ADDED:
        return jnp.stack([(each * other).sum(rest) for each in arrays])
    sums = [sum(each[:, :, row] * other[:, :, row] for row in range(rows)) for each in arrays]
    totals = jnp.stack([written(each) for each in sums])
    return totals.reshape(*totals.shape[:3], -1) @ jnp.ones(math.prod(totals.shape[3:]))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def by_columns(x: Any, kernel: Any, added: Padding) -> Any:
    """A dense convolution as a product with all that the taps see; with few units a sum of it."""
    if jax.default_backend() == "cpu" and kernel.shape[-1] <= FEW:
        return _by_channels(x, kernel, added)

    def of_block(x: Any) -> Any:
        return product(_flat(kernel), _columns(x, kernel, added))

    return by_block(of_block, _overlapping(x, kernel, added))


def _by_channels(x: Any, kernel: Any, added: Padding) -> Any:
    def add(y: Any, each: tuple[Any, Any]) -> tuple[Any, None]:
        return y + _of_channel(added, each), None

    channels = x, jnp.moveaxis(kernel, -2, 0)
    like = jax.eval_shape(partial(_of_channel, added), (x[0], kernel[..., 0, :]))
    return jax.lax.scan(add, jnp.zeros(like.shape, like.dtype), channels)[0]


def _columns_forward(x: Any, kernel: Any, added: Padding) -> Any:
    return by_columns(x, kernel, added), (x, kernel)


def _columns_backward(added: Padding, kept: Any, gradient: Any) -> Any:
    """Both gradients are products with the same columns, those of the output's gradient."""
    x, kernel = kept
    taps = kernel.shape[:-2]
    turned = jnp.flip(kernel, range(len(taps))).swapaxes(-1, -2)
    back = _turned(taps, added)

    def of_block(gradient: Any, x: Any) -> Any:
        columns = _columns(gradient, kernel, back)
        of_kernel = columns.reshape(len(columns), -1) @ x.reshape(len(x), -1).T
        return product(_flat(turned), columns), of_kernel

    of_x, of_turned = by_block(of_block, _overlapping(gradient, kernel, back), Windows(x))
    of_turned = of_turned.reshape(*reversed(taps), *turned.shape[-2:])
    of_turned = of_turned.transpose(*reversed(range(len(taps))), -2, -1)
    return of_x, jnp.flip(of_turned, range(len(taps))).swapaxes(-1, -2)


by_columns.defvjp(_columns_forward, _columns_backward)

WAYS = {"columns": by_columns, "sums": by_sums, "kernels": by_kernels}


def _turned(taps: Sizes, added: Padding) -> Padding:
    """What is added around the output's gradient, of which that of the input is a convolution."""
    return tuple(
        (tap - 1 - low, tap - 1 - high) for tap, (low, high) in zip(taps, added, strict=True)
    )


def _overlapping(x: Any, kernel: Any, added: Padding) -> Windows:
    """An image, with what is added to its first axis, as the taps of a dense kernel see it."""
    rows = (added[0], *((0, 0) for _ in added[1:]))
    return Windows(padded(x, rows), overlap=kernel.shape[0] - 1)


def _flat(kernel: Any) -> Any:
    """A kernel in the order of the columns: the last axis of the taps first."""
    axes = range(kernel.ndim - 2)
    return kernel.transpose(*reversed(axes), -2, -1).reshape(-1, kernel.shape[-1])


def _columns(x: Any, kernel: Any, added: Padding) -> Any:
    """All that each tap of a dense kernel sees, where the first axis has been padded."""
    ones = (1,) * (kernel.ndim - 2)
    return gathered(padded(x, ((0, 0), *added[1:])), kernel.shape[:-2], ones, ones)


def gathered(x: Any, taps: Sizes, strides: Sizes, dilation: Sizes) -> Any:
    """All that each tap sees as features: axis by axis, since 3 + 3 slices are less than 9."""
    for axis, (tap, step, apart) in enumerate(zip(taps, strides, dilation, strict=True), 1):
        length = x.shape[axis] - (tap - 1) * apart
        starts = [offset * apart for offset in range(tap)]
        cut = partial(jax.lax.slice_in_dim, x, stride=step, axis=axis)
        x = jnp.concatenate([cut(start, start + length) for start in starts])
    return x


def slices(x: Any, taps: Sizes, strides: Sizes, dilation: Sizes) -> Sequence[Any]:
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


def padded(x: Any, added: Padding, value: float = 0.0) -> Any:
    """An image with so many rows of a value around it."""
    if not any(low or high for low, high in added):
        return x
    return jnp.pad(x, ((0, 0), *added, (0, 0)), constant_values=value)
