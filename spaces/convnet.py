"""Convolutional networks: blocks of convolution and pooling, then a head; from some 100 weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from .augmentation import augment
from .hyperparameters import (
    Bounds,
    Build,
    Hidden,
    check_images,
    compile,
    depth,
    dropout,
    l2,
    width,
)

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

POOLINGS = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}
HEADS = {
    "global_average": keras.layers.GlobalAveragePooling2D,
    "global_max": keras.layers.GlobalMaxPooling2D,
    "flatten": keras.layers.Flatten,
}


def convnet(
    input_shape: Sequence[int],
    classes: int,
    *,
    loss: str = "sparse_categorical_crossentropy",
    output_activation: str = "softmax",
    blocks: Bounds = (1, 3),
    filters: Bounds = (2, 32),
    convolutions: Bounds = (1, 1),
    kernel_sizes: Sequence[int] = (3, 5),
    heads: Sequence[str] = tuple(HEADS),
    head_layers: int = 1,
    head_units: Bounds = (4, 64),
    value_range: tuple[float, float] | None = None,
    scale: float = 1.0,
    **training: Any,
) -> Build:
    """A space of convolutional networks for images of (height, width, channels).

    Every block has its own filters, kernel size, kind of convolution and pooling. Padding keeps
    an image at one pixel or more, however many blocks there are.

    LeNet-5 is in it where `head_layers` is 2, VGG's shape where `convolutions` is (1, 2) or more.

    Args:
        input_shape: (height, width, channels).
        classes: outputs of the model.
        loss: one of Keras's, by name.
        blocks, filters: fewest and most, and of each convolution.
        convolutions: fewest and most of a block, one after the other before its pooling.
        heads: some of `HEADS`. Flattening learns in the fewest epochs; global pooling makes the
            parameter count independent of the size of the images.
        head_layers: most dense layers before the output; a trial may do without any.
        head_units: fewest and most units of each of them.
        value_range: darkest and lightest pixel, for images that are changed at random in training
            where a trial asks for it; None: never.
        scale: of the pixels, as 1 / 255 where they come as 0 to 255.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """
    check_images(input_shape)

    many = convolutions != (1, 1)

    def build(hp: HyperParameters) -> keras.Model:
        hidden = Hidden.searched(hp, penalty=l2(hp), normalized=True)
        stack = [keras.Input(tuple(input_shape))]
        stack += augment(hp, value_range=value_range) if value_range else []
        stack += [keras.layers.Rescaling(scale)] if scale != 1.0 else []
        for index in range(depth(hp, "blocks", blocks, default=2)):
            size = width(hp, f"filters_{index}", filters, default=8 * 2**index)
            deep = depth(hp, f"convolutions_{index}", convolutions, 1) if many else 1
            stack += _block(hp, index, [size] * deep, kernel_sizes, hidden)
        stack += _head(hp, heads, head_layers, head_units, hidden)
        output = keras.layers.Dense(classes, output_activation, kernel_regularizer=hidden.penalty)
        return compile(keras.Sequential([*stack, output]), hp, loss=loss, **training)

    return build


def _block(
    hp: HyperParameters,
    index: int,
    filters: Sequence[int],
    kernel_sizes: Sequence[int],
    hidden: Hidden,
) -> list[keras.Layer]:
    """Convolutions of one kind and size, the last of which may halve the image itself."""
    kind = hp.Choice(f"convolution_{index}", ["standard", "separable"])
    kernel_size = int(hp.Choice(f"kernel_size_{index}", list(kernel_sizes)))
    pooling = hp.Choice(f"pooling_{index}", ["average", "max", "strides", "none"])
    steps = [1] * (len(filters) - 1) + [2 if pooling == "strides" else 1]
    stack = []
    for size, strides in zip(filters, steps, strict=True):
        stack += [_convolution(kind, size, kernel_size, strides, hidden), *hidden.nonlinearity()]
    return [*stack, POOLINGS[pooling](2, padding="same")] if pooling in POOLINGS else stack


def _convolution(
    kind: str, filters: int, kernel_size: int, strides: int, hidden: Hidden
) -> keras.Layer:
    options = {"strides": strides, "padding": "same", "use_bias": not hidden.normalized}
    if kind == "standard":
        return keras.layers.Conv2D(
            filters, kernel_size, kernel_regularizer=hidden.penalty, **options
        )
    return keras.layers.SeparableConv2D(
        filters,
        kernel_size,
        depthwise_regularizer=hidden.penalty,
        pointwise_regularizer=hidden.penalty,
        **options,
    )


def _head(
    hp: HyperParameters, heads: Sequence[str], layers: int, units: Bounds, hidden: Hidden
) -> list[keras.Layer]:
    stack = [HEADS[hp.Choice("head", list(heads))]()]
    if hp.Boolean("head_hidden_layer"):
        stack += hidden.dense(width(hp, "head_units", units))
        more = depth(hp, "more_head_layers", (0, layers - 1), default=0) if layers > 1 else 0
        for index in range(more):
            stack += hidden.dense(width(hp, f"more_head_units_{index}", units))
    rate = dropout(hp)
    return [*stack, keras.layers.Dropout(rate)] if rate else stack
