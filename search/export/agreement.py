"""Whether an exported model is the same model: outputs, score and speed beside Keras's own."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ..arrays import Array
from ..nests import first_rows
from .formats import Run

TOLERANCE = 1e-4  # of the largest output; float32 that is summed in another order stays below 1e-5
HALF = {"float16": 4e-3, "bfloat16": 3e-2}  # four steps of their last bit
CALLS, SECONDS = 200, 1.0  # that one row is timed for, at most


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One format beside Keras.

    Args:
        size: of its files, in bytes.
        difference: largest absolute one between its outputs and Keras's.
        scale: largest absolute output of Keras's.
        score: the metric, on the rows of the comparison.
        seconds: that one row takes, the median of many calls.
    """

    format: str
    files: tuple[str, ...]
    size: int
    difference: float
    scale: float
    score: float
    seconds: float

    def agrees(self, tolerance: float) -> bool:
        """As far as such numbers can."""
        return self.difference <= tolerance * self.scale


def tolerance(model: keras.Model) -> float:
    """The part of its largest output by which another runtime may miss a model's outputs."""
    precisions = {getattr(layer, "compute_dtype", "") for layer in model.layers}
    return max([TOLERANCE, *(HALF.get(each, TOLERANCE) for each in precisions)])


def largest_difference(first: Array, second: Array) -> float:
    """Between two arrays of outputs; infinite where their shapes differ or a value is no number."""
    if first.shape != second.shape:
        return float("inf")
    difference = float(np.max(np.abs(first.astype("float64") - second), initial=0.0))
    return difference if difference == difference else float("inf")


def seconds_a_row(run: Run, inputs: Any) -> float:
    """The median time of a call with one row, after one call that is not timed."""
    row = first_rows(inputs, 1)
    run(row)
    end = time.perf_counter() + SECONDS
    times: list[float] = []
    while len(times) < CALLS and (not times or time.perf_counter() < end):
        started = time.perf_counter()
        run(row)
        times.append(time.perf_counter() - started)
    return statistics.median(times)
