"""MNIST at 99 %: separable convolutions, with the images and the epochs that the last errors take.

The data and splits of mnist_dense.py; each image that trains is there five times, as it is and
moved by a pixel to each side. The learning rate falls to nothing over the epochs of a trial.
"""

from __future__ import annotations

import numpy as np
from occam.pipelines import mnist_dense
from occam.search.pipeline import Data, Pipeline
from occam.spaces.separable import separable

PLACES = ((1, 1), (0, 1), (2, 1), (1, 0), (1, 2))  # of an image, one pixel around it
EPOCHS = 10


def data() -> Data:
    """MNIST with images that have been moved, among those that train only."""
    official = mnist_dense.data()
    images, labels = official.train
    moved = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    train = np.concatenate([moved[:, y : y + 28, x : x + 28] for y, x in PLACES])
    return Data((train, np.tile(labels, len(PLACES))), official.validation, official.test)


pipeline = Pipeline(
    data=data,
    preprocessing=mnist_dense.preprocessing,
    space=separable(
        mnist_dense.SHAPE,
        10,
        stem_filters=(4, 12),
        stages=(2, 3),
        optimizers=("adam", "nadam", "adamw"),
        learning_rate=(1e-2, 1e-1),
        batch_sizes=(128,),
        annealing=EPOCHS,
        rows=50_000 * len(PLACES),
    ),
    target=0.99,
    epochs=EPOCHS,
    smallest_known=1_467,
)
