"""Small models of every layer that populations know, of any width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
import numpy as np

L = keras.layers
ROWS, BATCH = 40, 8
CLASSES = 3


def inputs(shape: Sequence[int], vocabulary: int = 0) -> np.ndarray:
    rng = np.random.default_rng(0)
    if vocabulary:
        return rng.integers(0, vocabulary, (ROWS, *shape))
    return rng.normal(size=(ROWS, *shape)).astype("float32")


def compiled(
    layers: Callable[[int], list[keras.Layer]], width: int, shape: Sequence[int], **options: object
) -> keras.Model:
    stack = [keras.Input(tuple(shape)), *layers(width)]
    model = keras.Sequential([*stack, L.Dense(CLASSES, "softmax")])
    model.compile(
        **{"optimizer": keras.optimizers.Adam(0.01), "loss": "sparse_categorical_crossentropy"}
        | options
    )
    return model


IMAGE, SERIES, WORDS, ROW = (7, 6, 2), (6, 3), (5,), (4,)
CASES: dict[str, tuple[Sequence[int], Callable[[int], list[keras.Layer]]]] = {
    "dense": (ROW, lambda w: [L.Dense(w, "relu"), L.Dense(w + 1, "tanh", use_bias=False)]),
    "masked activations": (ROW, lambda w: [L.Dense(w, "sigmoid"), L.Dense(w, "softplus")]),
    "hidden softmax": (ROW, lambda w: [L.Dense(w, "softmax"), L.Dense(w)]),
    "activation layers": (
        ROW,
        lambda w: [L.Dense(w), L.LeakyReLU(0.1), L.Dense(w), L.ELU(), L.Dense(w), L.ReLU()],
    ),
    "penalties": (
        ROW,
        lambda w: [
            L.Dense(
                w,
                "relu",
                kernel_regularizer=keras.regularizers.L2(0.01),
                bias_regularizer=keras.regularizers.L1(0.01),
            )
        ],
    ),
    "batch normalization": (
        IMAGE,
        lambda w: [
            L.Conv2D(w, 3, use_bias=False),
            L.BatchNormalization(momentum=0.9),
            L.ReLU(),
            L.Flatten(),
        ],
    ),
    "layer normalization": (ROW, lambda w: [L.Dense(w), L.LayerNormalization(), L.ReLU()]),
    "convolutions": (
        IMAGE,
        lambda w: [
            L.Conv2D(w, (3, 2), padding="same", activation="relu"),
            L.Conv2D(w, 3, strides=2, padding="same", activation="gelu"),
            L.GlobalAveragePooling2D(),
        ],
    ),
    "stem": (
        (10, 12, 1),
        lambda w: [
            L.Conv2D(w, 3, padding="same", use_bias=False),
            L.BatchNormalization(momentum=0.9),
            L.Activation("relu"),
            L.MaxPooling2D(2),
            L.Conv2D(w + 1, 3, activation="relu"),
            L.Flatten(),
        ],
    ),
    "stem without a scale": (
        (8, 8, 1),
        lambda w: [
            L.Conv2D(w, 3, padding="same", use_bias=False),
            L.BatchNormalization(scale=False, axis=3),
            L.ReLU(),
            L.MaxPooling2D(2),
            L.SeparableConv2D(w + 1, 3, padding="same", use_bias=False),
            L.BatchNormalization(scale=False),
            L.ReLU(),
            L.GlobalAveragePooling2D(),
        ],
    ),
    "valid and dilated": (
        IMAGE,
        lambda w: [
            L.Conv2D(w, 2, activation="silu"),
            L.Conv2D(w, 2, dilation_rate=2, activation="elu"),
            L.Flatten(),
        ],
    ),
    "separable": (
        IMAGE,
        lambda w: [
            L.SeparableConv2D(w, 3, padding="same", depth_multiplier=2, activation="relu"),
            L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2),
            L.GlobalMaxPooling2D(),
        ],
    ),
    "transposed": (
        IMAGE,
        lambda w: [
            L.Conv2DTranspose(w, 3, strides=2, padding="same", activation="relu"),
            L.Conv2D(w, 3, strides=2, activation="tanh"),
            L.Conv2DTranspose(w + 1, (4, 2), strides=(2, 1), activation="sigmoid"),
            L.Conv2DTranspose(2, (2, 3), strides=(3, 1), padding="same", use_bias=False),
            L.Flatten(),
        ],
    ),
    "transposed, one dimension": (
        SERIES,
        lambda w: [
            L.Conv1DTranspose(w, 4, strides=2, padding="same", activation="elu"),
            L.Conv1DTranspose(w, 5, padding="same"),
            L.Conv1DTranspose(w + 1, 2, strides=3, activation="relu"),
            L.GlobalAveragePooling1D(),
        ],
    ),
    "decoder": (
        ROW,
        lambda w: [
            L.Dense(6 * w, use_bias=False),
            L.BatchNormalization(momentum=0.9),
            L.ReLU(),
            L.Reshape((3, -1, w)),
            L.Conv2DTranspose(w + 1, 3, strides=2, padding="same", activation="relu"),
            L.GlobalAveragePooling2D(),
            L.Dense(2 * w, "sigmoid"),
            L.Reshape((2, w)),
            L.Flatten(),
        ],
    ),
    "first features": (
        ROW,
        lambda w: [
            L.Reshape((ROW[0], 1)),
            L.Cropping1D((0, max(0, ROW[0] - 1 - w // 2))),
            L.Flatten(),
            L.Dense(w, "relu"),
        ],
    ),
    "sizes": (
        IMAGE,
        lambda w: [
            L.Conv2D(w, 2, activation="tanh"),
            L.UpSampling2D((2, 1)),
            L.ZeroPadding2D(((1, 0), (2, 1))),
            L.Conv2D(w + 1, 2, activation="relu"),
            L.Cropping2D(((1, 2), (0, 1))),
            L.Flatten(),
        ],
    ),
    "sizes, one dimension": (
        SERIES,
        lambda w: [
            L.Conv1D(w, 2, activation="tanh"),
            L.UpSampling1D(2),
            L.ZeroPadding1D(2),
            L.Conv1D(w + 1, 3, activation="relu"),
            L.Cropping1D((1, 0)),
            L.Flatten(),
        ],
    ),
    "pooling": (
        IMAGE,
        lambda w: [
            L.Conv2D(w, 1, activation="tanh"),
            L.MaxPooling2D(2, padding="same"),
            L.AveragePooling2D(2, padding="same"),
            L.Flatten(),
        ],
    ),
    "one dimension": (
        SERIES,
        lambda w: [
            L.Conv1D(w, 3, padding="same", activation="relu"),
            L.SeparableConv1D(w, 2, activation="relu"),
            L.AveragePooling1D(2),
            L.GlobalAveragePooling1D(),
        ],
    ),
    "lstm": (SERIES, lambda w: [L.LSTM(w, return_sequences=True), L.LSTM(w + 1)]),
    "gru": (SERIES, lambda w: [L.GRU(w, return_sequences=True), L.GRU(w, reset_after=False)]),
    "simple rnn": (SERIES, lambda w: [L.SimpleRNN(w, go_backwards=True, use_bias=False)]),
    "bidirectional": (
        SERIES,
        lambda w: [
            L.Bidirectional(L.LSTM(w, return_sequences=True)),
            L.Bidirectional(L.GRU(w), merge_mode="sum"),
        ],
    ),
    "embedding": (WORDS, lambda w: [L.Embedding(9, w), L.GlobalAveragePooling1D()]),
    "shapes": (
        SERIES,
        lambda w: [L.Flatten(), L.Dense(6), L.Reshape((3, 2)), L.Conv1D(w, 2), L.Flatten()],
    ),
    "rescaling": (
        ROW,
        lambda w: [L.Rescaling(2.0, 1.0), L.Dense(w), L.RepeatVector(2), L.Flatten()],
    ),
    "adapted": (
        ROW,
        lambda w: [
            L.Normalization(mean=[0.0, 1.0, 2.0, 3.0], variance=[1.0, 4.0, 0.25, 9.0]),
            L.Normalization(axis=None, mean=0.5, variance=4.0),
            L.Dense(w),
        ],
    ),
}


def branched(width: int, combine: type[keras.Layer]) -> keras.Model:
    source = keras.Input(ROW)
    left, right = L.Dense(width, "relu")(source), L.Dense(width, "tanh")(source)
    merged = combine()([left, right])
    merged = L.Concatenate()([merged, left, L.Dense(width + 2)(merged)])
    model = keras.Model(source, L.Dense(CLASSES, "softmax")(merged))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model
