"""Autoencoders: inputs through a code of a few numbers and back, dense or with convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import Bounds, Build, activation, compile, depth, width

if TYPE_CHECKING:
    from keras_tuner import HyperParameters


def autoencoder(
    input_shape: Sequence[int],
    code: Bounds,
    *,
    loss: str = "mse",
    output_activation: str = "linear",
    kinds: Sequence[str] = ("dense", "convolutional"),
    layers: Bounds = (0, 2),
    units: Bounds = (4, 64),
    blocks: Bounds = (2, 3),
    filters: Bounds = (2, 16),
    noise: Sequence[float] = (0.0,),
    **training: Any,
) -> Build:
    """A space of encoders and decoders that give their inputs back, flattened.

    Args:
        input_shape: of one row; convolutions need images of (height, width, channels).
        code: fewest and most numbers between encoder and decoder.
        layers, units: of the dense kind, hidden layers on each side of the code.
        blocks, filters: of the convolutional kind; every block halves the image.
        noise: standard deviations, in units of the inputs, of what is added in training only.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """
    if "convolutional" in kinds and len(input_shape) != 3:
        raise ValueError(
            "Convolutions need inputs of (height, width, channels), received "
            f"{tuple(input_shape)}: give kinds=('dense',) or images."
        )

    def build(hp: HyperParameters) -> keras.Model:
        kind = hp.Choice("kind", list(kinds)) if len(kinds) > 1 else kinds[0]
        size = width(hp, "code", code)
        added = float(hp.Choice("noise", list(noise))) if len(noise) > 1 else noise[0]
        stack = [keras.Input(tuple(input_shape))]
        stack += [keras.layers.GaussianNoise(added)] if added else []
        if kind == "dense":
            stack += _dense(hp, size, math.prod(input_shape), layers, units, output_activation)
        else:
            stack += _convolutional(hp, size, input_shape, blocks, filters, output_activation)
        return compile(keras.Sequential(stack), hp, loss=loss, **training)

    return build


def _dense(
    hp: HyperParameters, code: int, values: int, layers: Bounds, units: Bounds, end: str
) -> list[keras.Layer]:
    """The decoder's hidden layers are as wide as the encoder's, in reverse order."""
    count, biased = depth(hp, "layers", layers, default=0), bool(hp.Boolean("bias", default=True))
    widths = [width(hp, f"units_{index}", units) for index in range(count)]
    kind = activation(hp) if count else "linear"
    hidden = [(size, kind) for size in widths]
    sizes = [*hidden, (code, "linear"), *reversed(hidden), (values, end)]
    stack = [keras.layers.Dense(size, kind, use_bias=biased) for size, kind in sizes]
    return [keras.layers.Flatten(), *stack]


def _convolutional(
    hp: HyperParameters, code: int, shape: Sequence[int], blocks: Bounds, filters: Bounds, end: str
) -> list[keras.Layer]:
    """What the decoder's doubling makes larger than the image is cut off."""
    count, kind = depth(hp, "blocks", blocks, default=blocks[1]), activation(hp)
    widths = [width(hp, f"filters_{index}", filters) for index in range(count)]
    options = {"strides": 2, "padding": "same", "activation": kind}
    low = tuple(math.ceil(size / 2**count) for size in shape[:2])
    extra = [size * 2**count - image for size, image in zip(low, shape[:2], strict=True)]
    return [
        *(keras.layers.Conv2D(size, 3, **options) for size in widths),
        keras.layers.Flatten(),
        keras.layers.Dense(code),
        keras.layers.Dense(math.prod(low) * widths[-1], kind),
        keras.layers.Reshape((*low, widths[-1])),
        *(keras.layers.Conv2DTranspose(size, 3, **options) for size in reversed(widths)),
        keras.layers.Cropping2D(((0, extra[0]), (0, extra[1]))),
        keras.layers.Conv2D(shape[2], 3, padding="same", activation=end),
        keras.layers.Flatten(),
    ]
