"""How each convolution is computed: on a processor by columns, elsewhere what measures faster."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import numpy as np

from .layout import Layout
from .lowering import Member
from .windows import METHODS

REPEATED = 3  # of which the fastest counts

Shape = tuple[int, ...]
Options = tuple[Any, ...]  # strides, padding and dilation


def methods(member: Member, layout: Layout, lanes: int) -> dict[int, str]:
    """The method for each convolution of a template, by its node; none is measured on a processor.

    There columns are up to seven times faster than XLA's own convolution, for every shape tried.

    Args:
        lanes: of one device.
    """
    if jax.default_backend() == "cpu":
        return {}
    chosen = {}
    for place in layout.places:
        node = member.template.nodes[place.node]
        if node.layer in ("Conv1D", "Conv2D") and place.weight.name == "kernel":
            static = dict(node.static)
            options = tuple(static[name] for name in ("strides", "padding", "dilation"))
            rows = member.template.batch_size
            x = (lanes, place.shape[-2], *member.shapes[place.node], rows)
            chosen[place.node] = fastest(seconds(x, (lanes, *place.shape), options))
    return chosen


def fastest(taken: Mapping[str, float]) -> str:
    """The method that took the least time."""
    return min(taken, key=lambda name: taken[name])


@cache
def seconds(x: Shape, kernel: Shape, options: Options) -> dict[str, float]:
    """What each method takes for a step with arrays of these shapes, lanes first."""
    given = [np.ones(shape, "float32") for shape in (x, kernel)]
    return {name: _seconds(name, given, options) for name in METHODS}


def _seconds(name: str, given: list[Any], options: Options) -> float:
    def size(x: Any, kernel: Any) -> Any:
        return (METHODS[name](x, kernel, *options) ** 2).sum()

    step = jax.jit(jax.vmap(jax.grad(size, argnums=(0, 1))))
    taken = []
    for _ in range(1 + REPEATED):
        started = time.perf_counter()
        jax.block_until_ready(step(*given))
        taken.append(time.perf_counter() - started)
    return min(taken[1:])
