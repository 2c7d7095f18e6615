"""Handwritten digits, 8 x 8 pixels: scikit-learn's own copy, so nothing is downloaded.

1,797 grey images (UCI Optical Recognition of Handwritten Digits, test part), 10 classes of about
180 each; pixels 0 to 16. 60 % train, 20 % validate, 20 % test. Target: 95 % accuracy.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.convnet import convnet
from occam.spaces.dense import dense
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    import keras
    from keras_tuner import HyperParameters

SHAPE = (8, 8, 1)
FAMILIES = {
    "convolutional": convnet(SHAPE, 10, filters=(2, 24)),
    "dense": dense(SHAPE, 10, layers=(0, 2), units=(2, 64)),
}


def data() -> Data:
    digits = load_digits()
    x, x_test, y, y_test = train_test_split(
        digits.images, digits.target, test_size=0.2, stratify=digits.target, random_state=0
    )
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.25, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), (x_test, y_test))


def preprocessing(data: Data) -> Data:
    pixels = data.train[0]
    return data.transformed(partial(standardize, mean=pixels.mean(), deviation=pixels.std()))


def standardize(images: Any, mean: float, deviation: float) -> np.ndarray:
    """Images with pixels around 0, from rows of 64 pixels as well as from images."""
    pixels = np.asarray(images, dtype="float32")
    if np.prod(pixels.shape[1:]) != 64:
        raise InputError(f"Digits are images of 8 x 8 pixels, received shape {pixels.shape}.")
    return (pixels.reshape(len(pixels), *SHAPE) - np.float32(mean)) / np.float32(deviation)


def space(hp: HyperParameters) -> keras.Model:
    family = hp.Choice("family", list(FAMILIES))
    return FAMILIES[family](hp)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=space,
    target=0.95,
    epochs=60,
    smallest_known=295,
)
