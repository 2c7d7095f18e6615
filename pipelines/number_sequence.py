"""Twice the number that comes next: a recurrent network reads five numbers that follow each other.

1,000 generated sequences n, n + 1, ..., n + 4 with n between 0 and 100, labels 2 (n + 5), so 10 to
210. Half train, 30 % validate, 20 % test.
Target: a mean absolute error of 2, a hundredth of the labels' range; their mean is 50 off.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.recurrent import recurrent

STEPS = 5


def data() -> Data:
    first = np.random.default_rng(0).uniform(0, 100, 1000).astype("float32")
    sequences = (first[:, None] + np.arange(STEPS, dtype="float32"))[..., None]
    labels = 2 * (first + STEPS)
    parts = (slice(500), slice(500, 800), slice(800, 1000))
    return Data(*((sequences[part], labels[part]) for part in parts))


def preprocessing(data: Data) -> Data:
    return data.transformed(scale)


def scale(sequences: Any) -> np.ndarray:
    """Numbers of about unit size, a sequence a row."""
    numbers = np.asarray(sequences, dtype="float32")
    if np.prod(numbers.shape[1:]) != STEPS:
        raise InputError(f"Sequences of {STEPS} numbers are needed, received {numbers.shape}.")
    return numbers.reshape(-1, STEPS, 1) / 50 - 1


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=recurrent((STEPS, 1), 1, units=(1, 16), label_mean=110.0, label_scale=58.0),
    target=2.0,
    metric="mae",
    epochs=80,
    smallest_known=5,
)
