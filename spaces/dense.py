"""Fully connected networks: linear, logistic and softmax regression up to several hidden layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import (
    Bounds,
    Hidden,
    compile,
    depth,
    dropout,
    l2,
    width,
)

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

Build = Callable[["HyperParameters"], keras.Model]


def dense(
    input_shape: Sequence[int],
    outputs: int,
    *,
    loss: str = "sparse_categorical_crossentropy",
    output_activation: str = "softmax",
    layers: Bounds = (0, 3),
    units: Bounds = (2, 128),
    label_mean: float = 0.0,
    label_scale: float = 1.0,
    **training: Any,
) -> Build:
    """A space of dense networks; no hidden layer makes it a linear model.

    Args:
        input_shape: of one row; more than one axis is flattened.
        label_mean, label_scale: of a regression, mean and standard deviation of the train labels.
            The network then works in standard units inside and predicts in the labels' own, at no
            parameter; without them training is spent on finding the mean.
        training: `optimizers`, `learning_rate`, `batch_sizes` as in `hyperparameters.compile`.
    """
    if outputs == 1 and output_activation == "softmax":
        raise ValueError(
            "Softmax over one output is always 1: give output_activation='sigmoid' and "
            "loss='binary_crossentropy', or 'linear' and 'mse' for a regression."
        )

    def build(hp: HyperParameters) -> keras.Model:
        penalty = l2(hp)
        stack = [keras.Input(tuple(input_shape))]
        stack += [keras.layers.Flatten()] if len(input_shape) > 1 else []
        stack += _hidden_layers(hp, layers=layers, units=units, penalty=penalty)
        stack.append(keras.layers.Dense(outputs, output_activation, kernel_regularizer=penalty))
        if (label_mean, label_scale) != (0.0, 1.0):
            stack.append(keras.layers.Rescaling(label_scale, offset=label_mean))
        # The loss in standard units too: else good learning rates depend on the labels' unit.
        weight = label_scale ** (-2 if loss in ("mse", "mean_squared_error") else -1)
        return compile(keras.Sequential(stack), hp, loss=loss, loss_weight=weight, **training)

    return build


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
