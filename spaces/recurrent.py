"""Recurrent networks over sequences of numbers: SimpleRNN, GRU or LSTM; both ways; stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import Bounds, Build, Labels, check_output, compile, depth, dropout, width

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

CELLS = {
    "gru": keras.layers.GRU,
    "lstm": keras.layers.LSTM,
    "simple_rnn": keras.layers.SimpleRNN,
}


def recurrent(
    input_shape: Sequence[int],
    outputs: int,
    *,
    loss: str = "mse",
    output_activation: str = "linear",
    cells: Sequence[str] = tuple(CELLS),
    layers: Bounds = (1, 2),
    units: Bounds = (1, 32),
    label_mean: float = 0.0,
    label_scale: float = 1.0,
    **training: Any,
) -> Build:
    """A space of recurrent networks for sequences of (steps, features); the last state is read.

    Args:
        input_shape: (steps, features).
        outputs: classes, or numbers to predict; 1 with "sigmoid" where there are two classes.
        loss: one of Keras's, by name.
        cells: some of `CELLS`.
        layers, units: fewest and most recurrent layers, and units of each.
        label_mean, label_scale: of a regression, as in `hyperparameters.Labels`.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """
    if len(input_shape) != 2:
        raise ValueError(
            f"Recurrent networks need inputs of (steps, features), received {tuple(input_shape)}: "
            "give sequences of single numbers one feature, as in (30, 1)."
        )
    check_output(outputs, output_activation)
    labels = Labels(mean=label_mean, scale=label_scale)

    def build(hp: HyperParameters) -> keras.Model:
        stack = [keras.Input(tuple(input_shape)), *recurrent_layers(hp, cells, layers, units)]
        stack += [keras.layers.Dense(outputs, output_activation), *labels.layers()]
        model, weight = keras.Sequential(stack), labels.loss_weight(loss)
        return compile(model, hp, loss=loss, loss_weight=weight, **training)

    return build


def recurrent_layers(
    hp: HyperParameters, cells: Sequence[str], layers: Bounds, units: Bounds
) -> list[keras.Layer]:
    """Layers of one kind of cell, each with its own width; the last returns its last state."""
    cell = CELLS[hp.Choice("cell", list(cells))]
    both_ways = bool(hp.Boolean("bidirectional"))
    count, rate = depth(hp, "layers", layers, default=1), dropout(hp)
    stack = []
    for index in range(count):
        size = width(hp, f"units_{index}", units)
        layer = cell(size, return_sequences=index + 1 < count)
        stack.append(keras.layers.Bidirectional(layer) if both_ways else layer)
        stack += [keras.layers.Dropout(rate)] if rate else []
    return stack
