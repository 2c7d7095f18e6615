"""Images of clothing through a code of at most 32 numbers and back, with fewer weights than PCA.

Fashion-MNIST's images, 784 pixels between 0 and 1, as in fashion_mnist.py: 20,000 train, 5,000
validate, 5,000 of the test images test; labels are the images themselves. Trials may add noise to
their inputs in training, which makes them denoising autoencoders.
Target: a mean squared error of 0.0200 a pixel. Principal components leave 0.0266 with 8 numbers,
0.0205 with 16 and 0.0152 with 32, at 784 weights a number and as many for the mean.
"""

from __future__ import annotations

import numpy as np
from occam.pipelines.fashion_mnist import SHAPE, read, scale
from occam.search.pipeline import Data, Pipeline, Split
from occam.spaces.autoencoder import autoencoder


def data() -> Data:
    (images, _), (test, _) = read()
    parts = (images[:20_000], images[50_000:55_000], test[:5_000])
    return Data(*map(itself, parts))


def itself(images: np.ndarray) -> Split:
    return images, scale(images).reshape(len(images), -1)


def preprocessing(data: Data) -> Data:
    return data.transformed(scale)


pipeline = Pipeline(
    data=data,
    preprocessing=preprocessing,
    space=autoencoder(
        SHAPE,
        (8, 32),
        output_activation="sigmoid",
        kinds=("convolutional", "dense"),
        noise=(0.0, 0.1),
        learning_rate=(1e-3, 3e-2),
        batch_sizes=(64, 128),
    ),
    target=0.0200,
    metric="mse",
    epochs=15,
    smallest_known=2_888,
)
