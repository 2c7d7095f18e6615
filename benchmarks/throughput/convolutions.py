"""Ways to compute a convolution on this device, in one run: milliseconds of a step.

    python benchmarks/throughput/convolutions.py [LANES]

`forward` is the outputs alone, `step` the gradients of the kernel and, but for the first layer, of
the image; `apart` how far they are from those by columns, relatively. `chosen` is what populations
take there. At last the first layers of a network as one, as population/stem.py has them.
"""

from __future__ import annotations

import sys
from typing import Any

import jax
from occam.search.training.population import stem, windows
from occam.search.training.population.trying import timed

SHAPES = ((1, 16, 28, 3), (16, 16, 14, 3), (8, 12, 14, 5), (16, 24, 7, 3), (4, 8, 14, 3))
ROWS = 128  # a batch


def by_library(x: Any, kernel: Any) -> Any:
    """XLA's own convolution, of one lane; lanes make groups of channels of it."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "VALID", dimension_numbers=("CHWN", "HWIO", "CHWN")
    )


def of_padded(way: Any) -> Any:
    """A way of populations, for an image that is padded already."""
    return lambda x, kernel: way(x, kernel, ((0, 0), (0, 0)))


def of_shifted(way: Any) -> Any:
    """A way to compute the first layers, for a kernel as it is."""
    return lambda x, kernel: way(x, stem._shifted(kernel, STEM.size), STEM)


STEM = stem.Stem((), taps=(3, 3), added=((1, 1), (1, 1)), size=(2, 2))
WAYS = {name: of_padded(way) for name, way in windows.WAYS.items()} | {"library": by_library}
STEMS = {name: of_shifted(way) for name, way in stem.WAYS.items()}
if jax.default_backend() != "gpu":
    del WAYS["kernels"], STEMS["kernels"]


def compare(ways: dict[str, Any], x: Any, kernel: Any, learned: tuple[int, ...], of: str) -> None:
    """Print a line a way; the first is what the others are held against."""
    expected: list[Any] = []
    for name, way in ways.items():

        def size(x: Any, kernel: Any, way: Any = way) -> Any:
            return (way(x, kernel) ** 2).sum()

        forward, _ = timed(jax.vmap(way), x, kernel)
        step, found = timed(jax.vmap(jax.grad(size, argnums=learned)), x, kernel)
        expected = expected or found
        pairs = zip(found, expected, strict=True)
        apart = max(float(abs(one - other).max() / abs(other).max()) for one, other in pairs)
        times = f"forward {1000 * forward:7.2f}, step {1000 * step:7.2f}"
        print(f"{of}, {name:8}: {times}, apart {apart:.0e}")
        sys.stdout.flush()


def main() -> None:
    lanes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    device, key = jax.devices()[0], jax.random.key(0)
    print(f"{device.device_kind}: {lanes} lanes, batches of {ROWS}, milliseconds")
    for inputs, outputs, side, tap in SHAPES:
        x = jax.random.normal(key, (lanes, inputs, side + tap - 1, side + tap - 1, ROWS))
        kernel = jax.random.normal(key, (lanes, tap, tap, inputs, outputs))
        chosen = windows.best_way(kernel.shape[1:])
        of = (
            f"{inputs} to {outputs} channels, {side} x {side}, {tap} x {tap} taps ({chosen} chosen)"
        )
        compare(WAYS, x, kernel, (1,) if inputs == 1 else (0, 1), of)
    x = jax.random.normal(key, (lanes, 1, 28, 28, ROWS))
    for outputs in (8, 16):
        kernel = jax.random.normal(key, (lanes, 3, 3, 1, outputs))
        chosen = stem.best_way((4 * outputs, 16), STEM)
        compare(STEMS, x, kernel, (1,), f"first layers, {outputs} channels ({chosen} chosen)")


if __name__ == "__main__":
    main()
