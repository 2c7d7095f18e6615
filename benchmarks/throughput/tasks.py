"""What is trained: rows of two sizes, and models of few parameters drawn for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np


def digits() -> tuple[tuple[Any, ...], Callable[[np.random.Generator], Any], int]:
    """Dense networks on 8 x 8 pixels: 1,078 rows to train, 359 to validate."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    return (x[:1078], y[:1078], x[1078:1437], y[1078:1437]), dense, 32


def mnist(
    train: int = 10_000, validation: int = 2_000, *, kind: str = "Conv2D"
) -> tuple[tuple[Any, ...], Callable[[np.random.Generator], Any], int]:
    """Convolutions on 28 x 28 pixels: so many rows to train and to validate.

    The pixels are drawn: how long a step takes does not depend on what they show.

    Args:
        kind: Keras's name of all but the first.
    """
    rng, rows = np.random.default_rng(0), train + validation
    x, y = rng.random((rows, 28, 28, 1), "float32"), rng.integers(0, 10, rows)
    return (x[:train], y[:train], x[train:], y[train:]), partial(convolutional, kind), 128


def table() -> tuple[tuple[Any, ...], Callable[[np.random.Generator], Any], int]:
    """Dense networks on some of 40 columns, drawn: 4,000 rows to train, 2,000 to validate."""
    rng = np.random.default_rng(0)
    x, y = rng.random((6000, 40), "float32"), rng.integers(0, 10, 6000)
    return (x[:4000], y[:4000], x[4000:], y[4000:]), of_columns, 32


def autoencoder() -> tuple[tuple[Any, ...], Callable[[np.random.Generator], Any], int]:
    """Convolutions and transposed ones on 28 x 28 pixels, drawn: 10,000 rows and 2,000."""
    x = np.random.default_rng(0).random((12_000, 28, 28, 1), "float32")
    y = x.reshape(len(x), -1)
    return (x[:10_000], y[:10_000], x[10_000:], y[10_000:]), restoring, 64


def dense(rng: np.random.Generator) -> Any:
    """Two hidden layers, as in the figures for `fit` that the goal was set by."""
    import keras

    units = rng.integers(8, 33, 2)
    stack = [keras.layers.Dense(int(each), "relu") for each in units]
    return compiled([keras.Input((64,)), *stack], rng)


def of_columns(rng: np.random.Generator) -> Any:
    """One hidden layer, which reads the first columns."""
    import keras

    layers = keras.layers
    cut = [layers.Reshape((40, 1)), layers.Cropping1D((0, int(rng.integers(40)))), layers.Flatten()]
    hidden = layers.Dense(int(rng.integers(2, 33)), "relu")
    return compiled([keras.Input((40,)), *cut, hidden], rng)


def restoring(rng: np.random.Generator) -> Any:
    """Two convolutions with strides, a code of 16, and the way back."""
    import keras

    layers, options = keras.layers, {"strides": 2, "padding": "same", "activation": "relu"}
    outer, inner = (int(each) for each in rng.integers(4, 17, 2))
    stack = [
        *(layers.Conv2D(filters, 3, **options) for filters in (outer, inner)),
        *(layers.Flatten(), layers.Dense(16), layers.Dense(49 * inner, "relu")),
        layers.Reshape((7, 7, inner)),
        *(layers.Conv2DTranspose(filters, 3, **options) for filters in (inner, outer)),
        *(layers.Conv2D(1, 3, padding="same", activation="sigmoid"), layers.Flatten()),
    ]
    model = keras.Sequential([keras.Input((28, 28, 1)), *stack])
    model.compile(optimizer=keras.optimizers.Adam(float(10 ** rng.uniform(-3, -1.5))), loss="mse")
    return model


def convolutional(kind: str, rng: np.random.Generator) -> Any:
    """Two blocks, batch normalization, global pooling: below 10,000 parameters."""
    import keras

    layers = keras.layers
    stack: list[Any] = [keras.Input((28, 28, 1))]
    for index, filters in enumerate(rng.integers(4, 17, 2)):
        convolution = getattr(layers, kind if index else "Conv2D")
        stack.append(convolution(int(filters), 3, padding="same", use_bias=False))
        stack += [layers.BatchNormalization(), layers.Activation("relu"), layers.MaxPooling2D(2)]
    return compiled([*stack, layers.GlobalAveragePooling2D()], rng)


def compiled(stack: list[Any], rng: np.random.Generator) -> Any:
    """The stack as a classifier with a learning rate of its own."""
    import keras

    model = keras.Sequential([*stack, keras.layers.Dense(10, "softmax")])
    rate = float(10 ** rng.uniform(-3, -1.5))
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    return model


TASKS = {
    "digits": digits,
    "table": table,
    "mnist": mnist,
    "mnist_separable": partial(mnist, kind="SeparableConv2D"),
    "mnist_full": partial(mnist, 60_000, 10_000),
    "autoencoder": autoencoder,
}
