"""CIFAR-10, photos of ten things: 50 % accuracy from a sixtieth of a LeNet-5's parameters.

32 x 32 colour pixels of 0 to 255 (Krizhevsky, 2009). `cifar10.npz`, all 60,000 images in Keras's
four arrays, or where there is none `cifar10-subset.npz`: 10,000 train images, a fifth of which
validates, and 2,000 test images; ten times fewer than published figures are made with. What trains
is there as it is and mirrored.
Target: 50 % on the subset, where a linear model reaches 33 %; LeNet-5 has 62,006 parameters.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from occam.search.data.archives import read_splits
from occam.search.errors import InputError, MissingData
from occam.search.pipeline import Data, Pipeline, Split, data_file, downloaded
from occam.spaces.separable import separable
from sklearn.model_selection import train_test_split

SHAPE = (32, 32, 3)
CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


def data() -> Data:
    (x, y), test = read()
    x_train, x_validation, y_train, y_validation = train_test_split(
        x, y, test_size=0.2, stratify=y, random_state=0
    )
    both = np.concatenate([x_train, x_train[:, :, ::-1]])
    return Data((both, np.tile(y_train, 2)), (x_validation, y_validation), test)


def preprocessing(data: Data) -> Data:
    return data.transformed(scale)


def scale(images: Any) -> np.ndarray:
    """Pixels between 0 and 1."""
    pixels = np.asarray(images, dtype="float32")
    if pixels.shape[1:] != SHAPE:
        raise InputError(f"Images of shape {SHAPE} are needed, received {pixels.shape[1:]}.")
    return pixels / 255


def read() -> tuple[Split, Split]:
    """The whole set where it is there, else the subset; downloaded only without OCCAM_DATA."""
    for name in ("cifar10.npz", "cifar10-subset.npz"):
        try:
            return read_splits(data_file(name))
        except MissingData as error:
            missing = error
    (x, y), (x_test, y_test) = downloaded(missing, keras.datasets.cifar10.load_data)
    return (x, y.reshape(-1)), (x_test, y_test.reshape(-1))


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=separable(
        SHAPE,
        10,
        stages=(2, 3),
        filters=(4, 48),
        default_filters=20,
        optimizers=("adam", "nadam", "adamw"),
        learning_rate=(2e-3, 5e-2),
        batch_sizes=(64,),
    ),
    target=0.50,
    epochs=20,
    classes=CLASSES,
    smallest_known=778,
)
