"""Sequence to sequence: an encoder and a decoder over tokens, with attention between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import Bounds, Build, compile, width
from .recurrent import CELLS

if TYPE_CHECKING:
    from keras_tuner import HyperParameters


def seq2seq(
    input_shape: Sequence[int],
    outputs: int,
    *,
    tokens: int,
    steps: int,
    loss: str = "sparse_categorical_crossentropy",
    output_activation: str = "softmax",
    kinds: Sequence[str] = ("recurrent", "transformer"),
    embedding: Bounds = (2, 16),
    units: Bounds = (4, 32),
    **training: Any,
) -> Build:
    """A space of translators that give all tokens of the answer at once, each its probabilities.

    The decoder sees the encoder's states, not its own answers: training and use are the same.

    Args:
        input_shape: (tokens of a row,), whole numbers; 0 is padding.
        outputs: tokens of the language translated into.
        tokens: of the language translated from.
        steps: tokens of an answer.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """

    def build(hp: HyperParameters) -> keras.Model:
        inputs = keras.Input(tuple(input_shape), dtype="int32")
        size = width(hp, "embedding", embedding)
        embedded = keras.layers.Embedding(tokens, size)(inputs)
        kind = hp.Choice("kind", list(kinds))
        if kind == "recurrent":
            answers = _recurrent(hp, embedded, steps, units)
        else:
            answers = _transformer(hp, inputs, embedded, size, steps, units)
        output = keras.layers.Dense(outputs, output_activation)(answers)
        return compile(keras.Model(inputs, output), hp, loss=loss, **training)

    return build


def _recurrent(hp: HyperParameters, embedded: Any, steps: int, units: Bounds) -> Any:
    """The decoder starts from the encoder's last state and looks back at all of them.

    After Luong and others, "Effective approaches to attention-based machine translation", 2015.
    """
    cell, size = CELLS[hp.Choice("cell", list(CELLS))], width(hp, "units", units)
    states = cell(size, return_sequences=True)
    both_ways = bool(hp.Boolean("bidirectional"))
    encoder = keras.layers.Bidirectional(states, merge_mode="sum") if both_ways else states
    encoded = encoder(embedded)
    summary = encoded[:, -1]
    decoded = cell(size, return_sequences=True)(keras.layers.RepeatVector(steps)(summary))
    if not hp.Boolean("attention", default=True):
        return decoded
    seen = keras.layers.Attention(use_scale=True)([decoded, encoded])
    return keras.layers.Concatenate()([decoded, seen])


def _transformer(
    hp: HyperParameters, inputs: Any, embedded: Any, size: int, steps: int, units: Bounds
) -> Any:
    """One block each side: the answer's positions attend to the encoded tokens.

    After Vaswani and others, "Attention is all you need", 2017.
    """
    heads = int(hp.Choice("heads", [1, 2, 4]))
    length = embedded.shape[1]
    encoded = embedded + keras.layers.Embedding(length, size)(_positions(inputs, length))
    encoded = _block(encoded, encoded, heads, size)
    asked = keras.layers.Embedding(steps, size)(_positions(inputs, steps))
    decoded = _block(asked, encoded, heads, size)
    hidden = keras.layers.Dense(width(hp, "units", units), "relu")(decoded)
    return keras.layers.LayerNormalization()(decoded + keras.layers.Dense(size)(hidden))


def _block(queries: Any, values: Any, heads: int, size: int) -> Any:
    attention = keras.layers.MultiHeadAttention(heads, max(1, size // heads))
    return keras.layers.LayerNormalization()(queries + attention(queries, values))


def _positions(inputs: Any, steps: int) -> Any:
    """0, 1, 2, ... for each row."""
    ones = keras.ops.ones_like(keras.ops.repeat(inputs[:, :1], steps, axis=1))
    return keras.ops.cumsum(ones, axis=1) - 1
