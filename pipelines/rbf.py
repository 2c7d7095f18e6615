"""A ring around a disc, told apart by radial-basis units: five parameters where dense needs more.

1,000 generated points of two coordinates, half of them around a centre and half on a ring about
it, with noise. 40 % train, 40 % validate, 20 % test. Dense networks are in the same space beside
the radial-basis ones, so that the search itself says which family is smaller.
Target: 93 % accuracy; a line does no better than chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.dense import dense
from occam.spaces.rbf import rbf as radial_basis
from sklearn.preprocessing import FunctionTransformer

if TYPE_CHECKING:
    import keras
    from keras_tuner import HyperParameters

BINARY = {
    "loss": "binary_crossentropy",
    "output_activation": "sigmoid",
    "learning_rate": (0.03, 0.3),  # one unit has far to go
}
FAMILIES = {
    "radial_basis": radial_basis((2,), 1, units=(1, 8), **BINARY),
    "dense": dense((2,), 1, layers=(0, 2), units=(2, 16), **BINARY),
}


def data() -> Data:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 500)
    angles, radii = rng.uniform(0, 2 * np.pi, 1000), np.where(labels, 2.0, 0.5)
    points = radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    points += rng.normal(0, 0.33, points.shape) + np.array([3.0, -1.0])
    parts = (slice(400), slice(400, 800), slice(800, 1000))
    return Data(*((points[part], labels[part]) for part in parts))


def preprocessing(data: Data) -> Data:
    points = data.train[0]
    numbers = {"mean": points.mean(axis=0), "deviation": points.std()}
    return data.transformed(FunctionTransformer(standardize, kw_args=numbers).transform)


def standardize(points: Any, mean: np.ndarray, deviation: float) -> np.ndarray:
    points = np.asarray(points, dtype="float64")
    if points.shape[1:] != (2,):
        raise InputError(f"Points have two coordinates, received rows of shape {points.shape[1:]}.")
    return ((points - mean) / deviation).astype("float32")


def space(hp: HyperParameters) -> keras.Model:
    return FAMILIES[hp.Choice("family", list(FAMILIES))](hp)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=space,
    target=0.93,
    epochs=60,
    classes=("disc", "ring"),
    smallest_known=5,
)
