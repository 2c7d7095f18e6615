"""Convolutions as one kernel each for NVIDIA's GPUs, in Pallas.

Columns and sums write what each tap sees, or gives, to memory and read it again, which is what
takes their time there. Here it stays in registers: an image is read, its convolution is written.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton

LEAST = 16  # features that a product takes
ROWS, SUMMED = 128, 32  # of a batch at a time, with few features; where they are added up
EXACT = jax.lax.DotAlgorithmPreset.TF32_TF32_F32_X3
Sizes = tuple[int, ...]
Padding = tuple[tuple[int, int], ...]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(x: Any, kernel: Any, added: Padding, interpret: bool = False) -> Any:
    """Cross-correlation of (C, height, width, B) with (*taps, C, F): (F, height, width, B)."""
    return _convolved(x, kernel, added, interpret)


def _convolve_forward(x: Any, kernel: Any, added: Padding, interpret: bool) -> Any:
    return _convolved(x, kernel, added, interpret), (x, kernel)


def _convolve_backward(added: Padding, interpret: bool, kept: Any, gradient: Any) -> Any:
    x, kernel = kept
    turned = jnp.flip(kernel, (0, 1)).swapaxes(-1, -2)
    back = tuple(
        (tap - 1 - low, tap - 1 - high)
        for tap, (low, high) in zip(kernel.shape, added, strict=False)
    )
    of_x = _convolved(gradient, turned, back, interpret)
    return of_x, _of_kernel(x, gradient, kernel.shape, added, interpret)


convolve.defvjp(_convolve_forward, _convolve_backward)


def _convolved(x: Any, kernel: Any, added: Padding, interpret: bool) -> Any:
    """A program a place and so many rows: a product a tap, all added up in registers."""
    (high, across), outputs, rows = kernel.shape[:2], kernel.shape[-1], x.shape[-1]
    space = [
        n + sum(more) - tap + 1
        for n, more, tap in zip(x.shape[1:], added, kernel.shape, strict=False)
    ]
    block = _block(rows, ROWS * LEAST // max(map(_wide, kernel.shape[2:])))

    def of_place(x_ref: Any, kernel_ref: Any, y_ref: Any) -> None:
        row, column, first = pl.program_id(0), pl.program_id(1), pl.program_id(2) * block

        def of_taps(down: Any, y: Any) -> Any:
            for right in range(across):
                place = row + down - added[0][0], column + right - added[1][0]
                seen = _load(x_ref, *place, first, block)
                y += _dot(_weights(kernel_ref, down, right), seen, interpret, trans_a=True)
            return y

        begin = jnp.zeros((_wide(outputs), block), jnp.float32)
        _store(y_ref, jax.lax.fori_loop(0, high, of_taps, begin), row, column, first)

    return pl.pallas_call(
        of_place,
        out_shape=jax.ShapeDtypeStruct((outputs, *space, rows), x.dtype),
        grid=(*space, pl.cdiv(rows, block)),
        compiler_params=triton.CompilerParams(num_warps=4, num_stages=2),
        interpret=interpret,
    )(x, kernel)


def _of_kernel(x: Any, gradient: Any, shape: Sizes, added: Padding, interpret: bool) -> Any:
    """A program a row of the taps and a row of the image; their sums are added up."""
    outputs, height, width, rows = gradient.shape
    high, across, inputs = shape[:3]
    block, wide = _block(rows, SUMMED), (_wide(inputs), _wide(outputs))
    pieces = pl.cdiv(rows, block)

    def of_row(x_ref: Any, gradient_ref: Any, sums_ref: Any) -> None:
        down, row = pl.program_id(0), pl.program_id(1)
        line = row + down - added[0][0]

        def of_piece(step: Any, sums: list[Any]) -> list[Any]:
            column, first = _piece(step, pieces, block)
            given = _load(gradient_ref, row, column, first, block)
            places = [column + right - added[1][0] for right in range(across)]
            seen = [_load(x_ref, line, place, first, block) for place in places]
            products = [_dot(each, given, interpret, trans_b=True) for each in seen]
            return [total + new for total, new in zip(sums, products, strict=True)]

        begin = [jnp.zeros(wide, jnp.float32) for _ in range(across)]
        for number, total in enumerate(jax.lax.fori_loop(0, width * pieces, of_piece, begin)):
            sums_ref[0, 0, number] = total

    sums = pl.pallas_call(
        of_row,
        out_shape=jax.ShapeDtypeStruct((high, height, across, *wide), x.dtype),
        out_specs=pl.BlockSpec((1, 1, across, *wide), lambda down, row: (down, row, 0, 0, 0)),
        grid=(high, height),
        compiler_params=triton.CompilerParams(num_warps=_warps(*wide), num_stages=2),
        interpret=interpret,
    )(x, gradient)
    return sums.sum(1)[..., :inputs, :outputs]


@partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def pooled(x: Any, kernel: Any, reach: Sizes, size: Sizes, interpret: bool = False) -> Any:
    """The largest of each pooling window of a convolution, as the first layers have it.

    Args:
        x: (C, height, width, B), padded.
        kernel: for each place in a window (places * F, all that the window sees).
        reach: what a window sees along each axis.
        size: of the pooling.
    """
    return _pooled_forward(x, kernel, reach, size, interpret)[0]


def _pooled_forward(x: Any, kernel: Any, reach: Sizes, size: Sizes, interpret: bool) -> Any:
    places = size[0] * size[1]
    outputs, rows = len(kernel) // places, x.shape[-1]
    block, space = _block(rows, ROWS), _windows(x, reach, size)

    def of_window(x_ref: Any, kernel_ref: Any, y_ref: Any, at_ref: Any) -> None:
        row, column, first = pl.program_id(0), pl.program_id(1), pl.program_id(2) * block
        seen = _seen(x_ref, row * size[0], column * size[1], first, reach, block)
        y = at = None
        for place in range(places):
            z = _dot(_part(kernel_ref, place, outputs), seen, interpret)
            if y is None:
                y, at = z, jnp.zeros(z.shape, jnp.int8)
            else:
                at = jnp.where(z > y, jnp.int8(place), at)
                y = jnp.maximum(y, z)
        _store(y_ref, y, row, column, first)
        _store(at_ref, at, row, column, first)

    y, at = pl.pallas_call(
        of_window,
        out_shape=[
            jax.ShapeDtypeStruct((outputs, *space, rows), kind) for kind in (x.dtype, jnp.int8)
        ],
        grid=(*space, pl.cdiv(rows, block)),
        compiler_params=triton.CompilerParams(num_warps=4, num_stages=2),
        interpret=interpret,
    )(x, kernel)
    return y, (x, at, kernel.shape)


def _pooled_backward(reach: Sizes, size: Sizes, interpret: bool, kept: Any, gradient: Any) -> Any:
    """A program a row of pooling windows; their sums are added up."""
    x, at, shape = kept
    places, rows = size[0] * size[1], x.shape[-1]
    outputs, (height, width) = shape[0] // places, _windows(x, reach, size)
    block, wide = _block(rows, SUMMED), (_wide(outputs), _wide(shape[1]))
    pieces = pl.cdiv(rows, block)

    def of_row(x_ref: Any, at_ref: Any, gradient_ref: Any, sums_ref: Any) -> None:
        row = pl.program_id(0)

        def of_piece(step: Any, sums: list[Any]) -> list[Any]:
            column, first = _piece(step, pieces, block)
            seen = _seen(x_ref, row * size[0], column * size[1], first, reach, block)
            given = _load(gradient_ref, row, column, first, block)
            where = _load(at_ref, row, column, first, block)
            parts = [jnp.where(where == place, given, 0.0) for place in range(places)]
            products = [_dot(each, seen, interpret, trans_b=True) for each in parts]
            return [total + new for total, new in zip(sums, products, strict=True)]

        begin = [jnp.zeros(wide, jnp.float32) for _ in range(places)]
        for place, total in enumerate(jax.lax.fori_loop(0, width * pieces, of_piece, begin)):
            sums_ref[0, place] = total

    sums = pl.pallas_call(
        of_row,
        out_shape=jax.ShapeDtypeStruct((height, places, *wide), x.dtype),
        out_specs=pl.BlockSpec((1, places, *wide), lambda row: (row, 0, 0, 0)),
        grid=(height,),
        compiler_params=triton.CompilerParams(num_warps=_warps(*wide), num_stages=2),
        interpret=interpret,
    )(x, at, gradient)
    of_kernel = sums.sum(0)[:, :outputs, : shape[1]].reshape(shape)
    return jnp.zeros_like(x), of_kernel  # of the data: nobody asks for it


pooled.defvjp(_pooled_forward, _pooled_backward)


def _windows(x: Any, reach: Sizes, size: Sizes) -> list[int]:
    axes = zip(x.shape[1:], reach, size, strict=False)
    return [(length - seen) // step + 1 for length, seen, step in axes]


def _piece(step: Any, pieces: int, block: int) -> tuple[Any, Any]:
    """The column, and the first row of the batch, of a step among so many steps a column."""
    each = jnp.int32(pieces)
    return jax.lax.div(step, each), jax.lax.rem(step, each) * block


def _seen(ref: Any, row: Any, column: Any, first: Any, reach: Sizes, block: int) -> Any:
    """All that a window sees: columns of the image first, then its rows, then channels."""
    channels, rows = ref.shape[0], ref.shape[-1]
    numbers = channels * reach[0] * reach[1]
    number, each = jnp.arange(_wide(numbers))[:, None], first + jnp.arange(block)[None]
    known = (number < numbers) & (each < rows)
    number = jnp.minimum(number, numbers - 1)
    down, right = number // channels % reach[0], number // (channels * reach[0])
    place = ref.at[number % channels, row + down, column + right, each]
    return triton.load(place, mask=known, other=0.0)


def _part(ref: Any, place: int, outputs: int) -> Any:
    """The kernel of one place in a window."""
    one, other = jnp.arange(_wide(outputs))[:, None], jnp.arange(_wide(ref.shape[1]))[None]
    known = (one < outputs) & (other < ref.shape[1])
    return triton.load(ref.at[place * outputs + one, other], mask=known, other=0.0)


def _load(ref: Any, row: Any, column: Any, first: Any, block: int) -> Any:
    """All features of one place and some rows of the batch; zeros beyond the image."""
    features, height, width, rows = ref.shape
    feature, each = jnp.arange(_wide(features))[:, None], first + jnp.arange(block)[None]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    known = (feature < features) & (each < rows) & inside
    place = jnp.clip(row, 0, height - 1), jnp.clip(column, 0, width - 1)
    return triton.load(ref.at[feature, *place, each], mask=known, other=0)


def _store(ref: Any, values: Any, row: Any, column: Any, first: Any) -> None:
    features, _, _, rows = ref.shape
    feature = jnp.arange(values.shape[0])[:, None]
    each = first + jnp.arange(values.shape[1])[None]
    known = (feature < features) & (each < rows)
    triton.store(ref.at[feature, row, column, each], values, mask=known)


def _weights(ref: Any, down: Any, right: int) -> Any:
    inputs, outputs = ref.shape[2:]
    one, other = jnp.arange(_wide(inputs))[:, None], jnp.arange(_wide(outputs))[None]
    known = (one < inputs) & (other < outputs)
    return triton.load(ref.at[down, right, one, other], mask=known, other=0.0)


def _dot(one: Any, other: Any, interpret: bool, **turned: bool) -> Any:
    return triton.dot(one, other, precision=None if interpret else EXACT, **turned)


def _wide(features: int) -> int:
    return max(LEAST, int(pl.next_power_of_2(features)))


def _block(rows: int, most: int) -> int:
    return min(most, _wide(rows))


def _warps(one: int, other: int) -> int:
    """For sums of so many products."""
    return min(8, max(2, one * other // 512))
