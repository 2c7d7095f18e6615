"""Points in space through two numbers and back: an autoencoder finds the plane that they lie near.

2,000 generated points of three coordinates, on an arc of a tilted plane, with noise of 0.1 in each.
40 % train, 40 % validate, 20 % test; labels are the points themselves.
Target: a mean squared error of 0.0050. Principal components, of 9 numbers for two directions and a
mean, leave 0.0035; a linear autoencoder without biases needs 12 parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.autoencoder import autoencoder


def data() -> Data:
    rng = np.random.default_rng(0)
    angle = rng.uniform(-0.5, 4.0, 2000)
    plane = np.column_stack([np.cos(angle) + np.sin(angle) / 2, 0.8 * np.sin(angle)])
    tilt = np.array([[1.0, 0.0, 0.3], [0.0, 1.0, 0.5]])
    points = (plane @ tilt + rng.normal(0, 0.1, (2000, 3))).astype("float32")
    points -= points.mean(axis=0)
    parts = (slice(800), slice(800, 1600), slice(1600, 2000))
    return Data(*((points[part], points[part]) for part in parts))


def preprocessing(data: Data) -> Data:
    return data.transformed(as_points)


def as_points(points: Any) -> np.ndarray:
    points = np.asarray(points, dtype="float32")
    if points.shape[1:] != (3,):
        raise InputError(f"Points have three coordinates, received rows of {points.shape[1:]}.")
    return points


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=autoencoder((3,), (2, 2), kinds=("dense",), layers=(0, 1), units=(2, 8)),
    target=0.0050,
    metric="mse",
    epochs=60,
    smallest_known=12,
)
