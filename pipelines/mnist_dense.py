"""MNIST with dense layers: below the 7,850 parameters of softmax regression at 92.69 % accuracy.

60,000 grey images of handwritten digits, 28 x 28 pixels of 0 to 255 (LeCun, Cortes and Burges), of
which 10,000 validate, and the official test split of 10,000; `mnist.npz` as Keras keeps it.
Target: 92.69 %, the test accuracy of the course's model of 7,850 parameters.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from occam.search.data.archives import read_splits
from occam.search.errors import InputError, MissingData
from occam.search.pipeline import Data, Pipeline, Split, data_file, downloaded
from occam.spaces.dense import dense
from sklearn.model_selection import train_test_split

SHAPE = (28, 28, 1)


def data() -> Data:
    (x, y), test = read()
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=1 / 6, stratify=y, random_state=0
    )
    return Data((x_train, y_train), (x_validation, y_validation), test)


def preprocessing(data: Data) -> Data:
    return data.transformed(scale)


def scale(images: Any) -> np.ndarray:
    """Pixels between 0 and 1, from rows of 784 pixels as well as from images."""
    pixels = np.asarray(images, dtype="float32")
    if np.prod(pixels.shape[1:]) != 784:
        raise InputError(f"MNIST images have 28 x 28 pixels, received shape {pixels.shape}.")
    return pixels.reshape(len(pixels), *SHAPE) / 255


def read() -> tuple[Split, Split]:
    """The official train and test rows; downloaded by Keras only where OCCAM_DATA is not set."""
    try:
        path = data_file("mnist.npz")
    except MissingData as missing:
        return downloaded(missing, keras.datasets.mnist.load_data)
    train, test = read_splits(path)
    for images, _ in (train, test):
        if images.shape[1:] != (28, 28):
            raise InputError(f"{path} is not MNIST: its images have shape {images.shape[1:]}.")
    return train, test


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=dense(SHAPE, 10, batch_sizes=(64, 128, 256)),
    target=0.9269,
    epochs=15,
    smallest_known=5_694,
)
