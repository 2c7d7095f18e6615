"""Transposed convolution over (channels, *space, rows), as one dense convolution.

With a stride of s an output is made by every s-th tap alone. The taps of each remainder are a small
kernel over the image as it is; all these kernels are one kernel with more units, and what they make
is put between each other. No zero is multiplied but where s does not divide the taps.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from .windows import Sizes, convolve_dense


@dataclass(frozen=True)
class Axis:
    """One axis of space: so many places, taps and steps, and what Keras makes of it."""

    places: int
    taps: int
    step: int
    mode: str

    @property
    def length(self) -> int:
        """Of the output."""
        beyond = max(self.taps - self.step, 0) if self.mode == "valid" else 0
        return self.places * self.step + beyond

    @property
    def cut(self) -> int:
        """Outputs that the first tap makes before the first one that is kept."""
        return 0 if self.mode == "valid" else max(self.taps - self.step, 0) // 2

    @property
    def taps_each(self) -> int:
        """Taps of the kernel of one remainder, at most."""
        return math.ceil(self.taps / self.step)

    @property
    def added(self) -> tuple[int, int]:
        """Places before and after the image, for the outputs that are kept."""
        last = (self.cut + self.length - 1) // self.step
        return self.taps_each - 1 - self.cut // self.step, last - (self.places - 1)

    @property
    def kept(self) -> slice:
        """Of what is computed."""
        return slice(self.cut % self.step, self.cut % self.step + self.length)


def convolve_transposed(x: Any, kernel: Any, strides: Sizes, mode: str) -> Any:
    """What convolves (F, *space, B) with (*taps, F, C), turned around: from (C, *space, B)."""
    sizes = zip(x.shape[1:-1], kernel.shape[:-2], strides, strict=True)
    axes = [Axis(*each, mode) for each in sizes]
    y = convolve_dense(x, _of_remainders(kernel, axes), tuple(axis.added for axis in axes))
    return _between(y, strides)[(slice(None), *(axis.kept for axis in axes))]


def _of_remainders(kernel: Any, axes: list[Axis]) -> Any:
    """(*taps, F, C) as (*taps of each remainder, C, remainders * F)."""
    rank = len(axes)
    more = [(0, axis.taps_each * axis.step - axis.taps) for axis in axes]
    split = itertools.chain(*((axis.taps_each, axis.step) for axis in axes))
    parts = jnp.pad(kernel, (*more, (0, 0), (0, 0))).reshape(*split, *kernel.shape[-2:])
    taps, remainders, units, channels = range(0, 2 * rank, 2), range(1, 2 * rank, 2), -2, -1
    ordered = jnp.flip(parts, taps).transpose(*taps, channels, *remainders, units)
    return ordered.reshape(*ordered.shape[: rank + 1], -1)


def _between(y: Any, strides: Sizes) -> Any:
    """(remainders * F, *space, B) as (F, *space * strides, B)."""
    rank, (_, *space, rows) = len(strides), y.shape
    apart = y.reshape(*strides, -1, *space, rows)
    pairs = itertools.chain(*((rank + 1 + axis, axis) for axis in range(rank)))
    ordered = apart.transpose(rank, *pairs, -1)
    return ordered.reshape(len(ordered), *map(math.prod, zip(space, strides, strict=True)), rows)
