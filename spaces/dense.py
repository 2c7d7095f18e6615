"""Fully connected networks: linear, logistic and softmax regression up to several hidden layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import (
    Bounds,
    Build,
    Hidden,
    Labels,
    check_output,
    compile,
    depth,
    dropout,
    l2,
    width,
)

if TYPE_CHECKING:
    from keras_tuner import HyperParameters


def dense(
    input_shape: Sequence[int],
    outputs: int,
    *,
    loss: str = "sparse_categorical_crossentropy",
    output_activation: str = "softmax",
    layers: Bounds = (0, 3),
    units: Bounds = (2, 128),
    first: Bounds | None = None,
    label_mean: float = 0.0,
    label_scale: float = 1.0,
    **training: Any,
) -> Build:
    """A space of dense networks; no hidden layer makes it a linear model.

    Args:
        input_shape: of one row; more than one axis is flattened.
        outputs: classes, or numbers to predict; 1 with "sigmoid" where there are two classes.
        loss: one of Keras's, by name.
        layers, units: fewest and most hidden layers, and units of each.
        first: of inputs on one axis, the most important ones first: fewest and most that are read;
            None: all.
        label_mean, label_scale: of a regression, as in `hyperparameters.Labels`.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """
    check_output(outputs, output_activation)
    labels = Labels(mean=label_mean, scale=label_scale)

    def build(hp: HyperParameters) -> keras.Model:
        penalty = l2(hp)
        stack = [keras.Input(tuple(input_shape))]
        stack += [keras.layers.Flatten()] if len(input_shape) > 1 else []
        stack += _first(input_shape[0], width(hp, "first", first, first[1])) if first else []
        stack += _hidden_layers(hp, layers=layers, units=units, penalty=penalty)
        stack.append(keras.layers.Dense(outputs, output_activation, kernel_regularizer=penalty))
        stack += labels.layers()
        model, weight = keras.Sequential(stack), labels.loss_weight(loss)
        return compile(model, hp, loss=loss, loss_weight=weight, **training)

    return build


def _first(inputs: int, read: int) -> list[keras.Layer]:
    """Layers without weights that cut the other inputs off."""
    cut = keras.layers.Cropping1D((0, inputs - read))
    return [keras.layers.Reshape((inputs, 1)), cut, keras.layers.Flatten()]


def _hidden_layers(
    hp: HyperParameters, *, layers: Bounds, units: Bounds, penalty: keras.Regularizer | None
) -> list[keras.Layer]:
    """What only hidden layers have is not searched where there are none."""
    count = depth(hp, "layers", layers, default=1)
    if not count:
        return []
    hidden = Hidden.searched(hp, penalty=penalty)
    rate = dropout(hp)
    stack = []
    for index in range(count):
        stack += hidden.dense(width(hp, f"units_{index}", units))
        stack += [keras.layers.Dropout(rate)] if rate else []
    return stack
