"""Networks of separable convolutions, the smallest that know images well; from some 100 weights.

One convolution, then stages of separable ones with a pooling between them, and a global mean.
Filters in space and mixtures of channels are apart there (Chollet, Xception, CVPR 2017; Howard and
others, MobileNets, 2017), which takes a sixth of the weights of as many usual convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import Bounds, Build, Hidden, check_images, compile, depth, width

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

RECTIFIED = Hidden(activation="relu", normalized=True, penalty=None)


def separable(
    input_shape: Sequence[int],
    classes: int,
    *,
    loss: str = "sparse_categorical_crossentropy",
    output_activation: str = "softmax",
    stem_filters: Bounds = (4, 16),
    stages: Bounds = (1, 3),
    layers: Bounds = (1, 2),
    filters: Bounds = (4, 32),
    default_filters: int = 16,
    kernel_size: int = 3,
    **training: Any,
) -> Build:
    """A space of separable convolutional networks for images of (height, width, channels).

    All layers are normalized by batches and rectified.

    Args:
        input_shape: (height, width, channels).
        classes: outputs of the model.
        loss: one of Keras's, by name.
        stem_filters: of the usual convolution at the beginning, which a pooling follows.
        stages: fewest and most; a pooling that halves the image lies between two of them.
        layers: fewest and most of a stage, each with its own `filters`.
        default_filters: of each layer in the first model that is tried.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """
    check_images(input_shape)

    def build(hp: HyperParameters) -> keras.Model:
        stem = width(hp, "stem_filters", stem_filters)
        stack = [keras.Input(tuple(input_shape)), *_layer(keras.layers.Conv2D, stem, kernel_size)]
        for stage in range(depth(hp, "stages", stages, default=2)):
            stack.append(keras.layers.MaxPooling2D(2, padding="same"))
            for layer in range(depth(hp, f"layers_{stage}", layers, default=2)):
                size = width(hp, f"filters_{stage}_{layer}", filters, default_filters)
                stack += _layer(keras.layers.SeparableConv2D, size, kernel_size)
        output = keras.layers.Dense(classes, output_activation)
        model = keras.Sequential([*stack, keras.layers.GlobalAveragePooling2D(), output])
        return compile(model, hp, loss=loss, **training)

    return build


def _layer(kind: type[keras.Layer], filters: int, kernel_size: int) -> list[keras.Layer]:
    convolution = kind(filters, kernel_size, padding="same", use_bias=False)
    return [convolution, *RECTIFIED.nonlinearity()]
