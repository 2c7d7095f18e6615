"""Text classifiers: an embedding of few words and few dimensions, then a way to read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import Bounds, Build, check_output, compile, dropout, width
from .recurrent import CELLS, recurrent_layers

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

Words = Callable[[], Sequence[str]]

READERS = ("bag", "convolution", "attention", "recurrent")
MASKED = ("bag", "recurrent")  # they leave padding out; the others learn to
MARKS = 2  # of a vocabulary: padding is 0, and unknown words are 1 where text is read


def text(
    input_shape: Sequence[int],
    outputs: int,
    *,
    words: Words | None = None,
    loss: str = "sparse_categorical_crossentropy",
    output_activation: str = "softmax",
    vocabulary: Bounds = (100, 5000),
    length: Bounds = (50, 400),
    embedding: Bounds = (1, 8),
    readers: Sequence[str] = READERS,
    **training: Any,
) -> Build:
    """A space of networks for texts as word indices, the most frequent words first; 0 is padding.

    Args:
        input_shape: (words of a row,); () for raw text, which TensorFlow's backend alone can read.
        words: of raw text, the known ones by falling frequency; looked up when a model is built.
        vocabulary: how many words are told apart; all rarer ones count as the last of them.
        length: how many words of a text are read, from its end; of raw text, from its start.
        readers: some of `READERS`.
        training: as `hyperparameters.compile` takes it: `optimizers`, `learning_rate` and more.
    """
    if (len(input_shape), words is None) not in ((0, False), (1, True)):
        raise ValueError(
            "Texts are rows of word indices, as in (400,), or raw with the shape () and their "
            f"`words`; received {tuple(input_shape)} and {words}."
        )
    check_output(outputs, output_activation)

    def build(hp: HyperParameters) -> keras.Model:
        size = width(hp, "vocabulary", vocabulary, default=2000)
        steps = width(hp, "length", length, default=length[1])
        if words is None:
            inputs = keras.Input(tuple(input_shape), dtype="int32")
            indices = keras.ops.minimum(inputs[:, -steps:], size - 1)
        else:
            inputs = keras.Input((), dtype="string")
            indices = _vectorized(words()[: size - MARKS], steps)(inputs)
        reader = hp.Choice("reader", list(readers))
        embedded = keras.layers.Embedding(
            size, width(hp, "embedding", embedding, default=1), mask_zero=reader in MASKED
        )
        read = _read(hp, reader, embedded(indices))
        rate = dropout(hp)
        read = keras.layers.Dropout(rate)(read) if rate else read
        output = keras.layers.Dense(outputs, output_activation)(read)
        return compile(keras.Model(inputs, output), hp, loss=loss, **training)

    return build


def _vectorized(words: Sequence[str], steps: int) -> keras.Layer:
    return keras.layers.TextVectorization(vocabulary=list(words), output_sequence_length=steps)


def _read(hp: HyperParameters, reader: str, embedded: Any) -> Any:
    """(rows, words, dimensions) to (rows, features)."""
    if reader == "convolution":
        filters, size = width(hp, "filters", (1, 16)), int(hp.Choice("kernel_size", [3, 5]))
        answers = keras.layers.Conv1D(filters, size, padding="same", activation="relu")(embedded)
        return keras.layers.GlobalMaxPooling1D()(answers)
    if reader == "attention":
        weights = keras.ops.softmax(keras.layers.Dense(1)(embedded), axis=1)
        return keras.ops.sum(weights * embedded, axis=1)
    if reader == "recurrent":
        for layer in recurrent_layers(hp, tuple(CELLS), layers=(1, 1), units=(1, 16)):
            embedded = layer(embedded)
        return embedded
    return keras.layers.GlobalAveragePooling1D()(embedded)
