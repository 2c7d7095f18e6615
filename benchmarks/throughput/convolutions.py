"""Ways to compute a convolution on this device, in one run: milliseconds of a step.

    python benchmarks/throughput/convolutions.py [LANES]

`forward` is the outputs alone, `step` the gradients of the kernel and, but for the first layer,
of the image. `chosen` is what populations take there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
from occam.search.training.population import windows

SHAPES = ((1, 16, 28, 3), (16, 16, 14, 3), (8, 12, 14, 5), (16, 24, 7, 3), (4, 8, 14, 3))
ROWS, REPEATED = 128, 5  # a batch; the fastest counts


def by_library(x: Any, kernel: Any) -> Any:
    """XLA's own convolution, of one lane; lanes make groups of channels of it."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=("CHWN", "HWIO", "CHWN")
    )


def by_columns(x: Any, kernel: Any) -> Any:
    """Of an image that is padded already."""
    return windows.by_columns(x, kernel, ((0, 0), (0, 0)))


WAYS = {"columns": by_columns, "sums": windows.by_sums, "library": by_library}


def milliseconds(function: Callable[..., Any], *given: Any) -> float:
    """The fastest of some calls, compiled before."""
    with jax.default_matmul_precision("highest"):
        compiled = jax.jit(function).lower(*given).compile()
    taken = []
    for _ in range(1 + REPEATED):
        started = time.perf_counter()
        jax.block_until_ready(compiled(*given))
        taken.append(time.perf_counter() - started)
    return 1000 * min(taken)


def main() -> None:
    lanes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    device = jax.devices()[0]
    print(f"{device.device_kind}: {lanes} lanes, batches of {ROWS}, milliseconds")
    for inputs, outputs, side, tap in SHAPES:
        image, key = (lanes, inputs, side + tap - 1, side + tap - 1, ROWS), jax.random.key(0)
        x = jax.random.normal(key, image)
        kernel = jax.random.normal(key, (lanes, tap, tap, inputs, outputs))
        chosen = "sums" if windows.adds_up(kernel[0]) else "columns"
        for name, way in WAYS.items():

            def size(x: Any, kernel: Any, way: Any = way) -> Any:
                return (way(x, kernel) ** 2).sum()

            learned = (1,) if inputs == 1 else (0, 1)
            forward = milliseconds(jax.vmap(way), x, kernel)
            step = milliseconds(jax.vmap(jax.grad(size, argnums=learned)), x, kernel)
            mark = " chosen" if name == chosen else ""
            print(
                f"{inputs:3d} to {outputs:2d} channels, {side} x {side} pixels, {tap} x {tap} "
                f"taps, {name:8}: forward {forward:7.2f}, step {step:7.2f}{mark}",
                flush=True,
            )


if __name__ == "__main__":
    main()
