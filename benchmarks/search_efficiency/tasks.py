"""The tasks of the comparison: small grids of real Keras models, each of them trained in full once.

The rows called truth are seen by no tool: they say what a pick is worth on new data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from occam.search.counting import unallocated
from occam.search.data.preparation import prepare
from occam.search.loading import load
from sklearn.datasets import load_breast_cancer, load_digits, make_friedman1
from sklearn.model_selection import train_test_split

Rows = tuple[np.ndarray, np.ndarray]
WIDE, NARROW = range(4, 33, 4), range(1, 13)  # units of a layer


@dataclass(frozen=True, kw_only=True)
class Task:
    """A grid of models and the rows they see."""

    name: str
    data: Callable[[], tuple[Rows, Rows, Rows]]  # train, validation, truth
    build: Callable[[Any], Any]  # `build(hp)` of whole numbers and choices
    metric: str = "accuracy"
    epochs: int = 40
    batch_size: int = 32


def key(configuration: dict[str, Any]) -> str:
    """Equal for equal configurations."""
    return json.dumps(configuration, sort_keys=True)


def grid(task: Task) -> tuple[list[dict[str, Any]], dict[str, list[Any]]]:
    """Every configuration, and what a build reads next, by the values that it has read."""
    waiting: list[dict[str, Any]] = [{}]
    complete, reads = [], {}
    while waiting:
        hp = Reader(waiting.pop())
        with unallocated():
            task.build(hp)
        if hp.asked is None:
            complete.append(hp.given)
        else:
            method, name, arguments, values = hp.asked
            reads[key(hp.given)] = [method, name, arguments]
            waiting += [{**hp.given, name: value} for value in reversed(values)]
    return complete, reads


class Reader:
    """Gives a build the values that are given, and keeps what it reads beyond them first."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.asked: tuple[str, str, dict[str, Any], list[Any]] | None = None

    def Choice(self, name: str, values: list[Any]) -> Any:  # noqa: N802
        return self._read("Choice", name, {"values": values}, values)

    def Int(self, name: str, low: int, high: int, *, step: int, default: int) -> Any:  # noqa: N802
        arguments = {"min_value": low, "max_value": high, "step": step, "default": default}
        return self._read("Int", name, arguments, [*range(low, high + 1, step)])

    def _read(self, method: str, name: str, arguments: Any, values: list[Any]) -> Any:
        if name not in self.given and self.asked is None:
            self.asked = method, name, arguments, values
        return self.given.get(name, values[0])


def whole(hp: Any, name: str, values: range) -> int:
    """A whole number, by default that in the middle."""
    number: int = hp.Int(
        name, values[0], values[-1], step=values.step, default=values[len(values) // 2]
    )
    return number


def dense(hp: Any, *, shape: tuple[int, ...], outputs: int, widths: range, end: str | None) -> Any:
    """Up to two hidden layers."""
    activation = hp.Choice("activation", ["relu", "tanh"])
    layers = hp.Choice("layers", [1, 0, 2])
    stack = [keras.Input(shape), *([keras.layers.Flatten()] if len(shape) > 1 else [])]
    for index in range(layers):
        units = whole(hp, f"units_{index}", widths[:: 2 * index + 1])
        stack.append(keras.layers.Dense(units, activation))
    return compiled(hp, [*stack, keras.layers.Dense(outputs, end)])


def convolutional(hp: Any, *, shape: tuple[int, ...], filters: range) -> Any:
    """One or two convolutions, separable ones among them, with pooling or flattening on top."""
    kind = hp.Choice("convolution", ["standard", "separable"])
    head = hp.Choice("head", ["global", "flatten"])
    blocks = hp.Choice("blocks", [2, 1])
    layer = keras.layers.Conv2D if kind == "standard" else keras.layers.SeparableConv2D
    stack: list[Any] = [keras.Input(shape)]
    for index in range(blocks):
        size = whole(hp, f"filters_{index}", filters)
        stack += [layer(size, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D(2)]
    heads = {"global": keras.layers.GlobalAveragePooling2D, "flatten": keras.layers.Flatten}
    return compiled(hp, [*stack, heads[head](), keras.layers.Dense(10, "softmax")])


def text(hp: Any) -> Any:
    """A small embedding, read as a bag of words or by a convolution."""
    reader = hp.Choice("reader", ["bag", "convolution"])
    size = whole(hp, "embedding", range(1, 8, 2))
    stack: list[Any] = [keras.Input((WORDS,), dtype="int32"), keras.layers.Embedding(KNOWN, size)]
    if reader == "convolution":
        filters = whole(hp, "filters", range(2, 9, 3))
        stack.append(keras.layers.Conv1D(filters, 3, activation="relu"))
    stack.append(keras.layers.GlobalAveragePooling1D())
    units = hp.Choice("units", [0, 4, 8])  # of a hidden layer, if any
    stack += [keras.layers.Dense(units, "relu")] if units else []
    return compiled(hp, [*stack, keras.layers.Dense(1, "sigmoid")])


def recurrent(hp: Any) -> Any:
    """One or two recurrent layers on a short series."""
    cell = hp.Choice("cell", ["SimpleRNN", "LSTM", "GRU"])
    layers = hp.Choice("layers", [1, 2])
    stack: list[Any] = [keras.Input((STEPS, 1))]
    for index in range(layers):
        units = whole(hp, f"units_{index}", range(2, 17, 4 + 2 * index))
        more = index + 1 < layers
        stack.append(getattr(keras.layers, cell)(units, return_sequences=more))
    return compiled(hp, [*stack, keras.layers.Dense(1)])


def compiled(hp: Any, stack: list[Any]) -> Any:
    rate = 10 ** (-3 + whole(hp, "half_decades", range(4)) / 2)
    model = keras.Sequential(stack)
    losses = {"softmax": "sparse_categorical_crossentropy", "sigmoid": "binary_crossentropy"}
    ending = stack[-1].activation.__name__
    model.compile(keras.optimizers.Adam(rate), losses.get(ending, "mse"))
    return model


def embedded_digits() -> tuple[Rows, Rows, Rows]:
    x, y = load_digits(return_X_y=True)
    return split((x / 16 - 0.3).astype("float32").reshape(-1, 8, 8, 1), y, 700, 400)


def breast_cancer() -> tuple[Rows, Rows, Rows]:
    x, y = load_breast_cancer(return_X_y=True)
    return split(((x - x.mean(0)) / x.std(0)).astype("float32"), y, 200, 150)


def spirals() -> tuple[Rows, Rows, Rows]:
    """Two arms, blurred."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 22000)
    turn = np.sqrt(rng.uniform(0.05, 1, len(y))) * 1.25 * math.pi
    x = np.stack([turn * np.cos(turn + math.pi * y), turn * np.sin(turn + math.pi * y)], 1)
    return split((x + rng.normal(0, 0.3, x.shape)).astype("float32") / 2, y, 1000, 1000)


def friedman() -> tuple[Rows, Rows, Rows]:
    """Five columns that matter and five that do not (Friedman, Annals of Statistics 19, 1991)."""
    x, y = make_friedman1(22000, noise=1.0, random_state=0)
    return split((2 * x - 1).astype("float32"), ((y - 14.4) / 4.9).astype("float32"), 1000, 1000)


def series() -> tuple[Rows, Rows, Rows]:
    """Where a sum of two waves goes on, from twelve values of it."""
    rng = np.random.default_rng(0)
    start, pace = rng.uniform(0, 2 * math.pi, (2, 12000, 1)), rng.uniform(0.2, 0.6, (12000, 1))
    time = np.arange(STEPS + 2)
    waves = np.sin(pace * time + start[0]) + 0.5 * np.sin(2.3 * pace * time + start[1])
    waves = (waves + rng.normal(0, 0.1, waves.shape)).astype("float32")
    return split(waves[:, :STEPS, None], waves[:, -1], 1000, 1000)


def images(name: str, rows: int = 10000) -> tuple[Rows, Rows, Rows]:
    """2,000 rows to train, as many to validate, half as wide and high as they come.

    Args:
        rows: of truth.
    """
    data = prepare(load(name)).data
    x, y = _halved(data.train[0][:4000]), np.asarray(data.train[1][:4000])
    truth = _halved(data.test[0][:rows]), np.asarray(data.test[1][:rows])
    return (x[:2000], y[:2000]), (x[2000:], y[2000:]), truth


def churn() -> tuple[Rows, Rows, Rows]:
    data = prepare(load("churn")).data
    (x, y), (x_validation, y_validation), (x_test, y_test) = (
        (np.asarray(x), np.asarray(y)) for x, y in (data.train, data.validation, data.test)
    )
    x, y = np.concatenate([x, x_validation, x_test]), np.concatenate([y, y_validation, y_test])
    return split(x.astype("float32"), y, 2000, 2000)


def reviews() -> tuple[Rows, Rows, Rows]:
    data = prepare(load("imdb")).data
    x, y = np.asarray(data.train[0])[:, -WORDS:], np.asarray(data.train[1])
    truth = np.asarray(data.test[0])[:5000, -WORDS:], np.asarray(data.test[1])[:5000]
    x, known = np.minimum(x, KNOWN - 1), np.minimum(truth[0], KNOWN - 1)
    return (x[:1500], y[:1500]), (x[1500:4500], y[1500:4500]), (known, truth[1])


def split(x: np.ndarray, y: np.ndarray, train: int, validation: int) -> tuple[Rows, Rows, Rows]:
    """The rest is truth."""
    classes = y if y.dtype.kind in "iu" else None
    x, rest, y, labels = train_test_split(x, y, train_size=train, stratify=classes, random_state=0)
    classes = labels if classes is not None else None
    held, truth, known, right = train_test_split(
        rest, labels, train_size=validation, stratify=classes, random_state=0
    )
    return (x, y), (held, known), (truth, right)


def _halved(x: np.ndarray) -> np.ndarray:
    x = np.asarray(x, "float32").reshape(len(x), 14, 2, 14, 2)
    return x.mean(axis=(2, 4))[..., None]


STEPS, WORDS, KNOWN = 12, 60, 300
SOFTMAX = {"outputs": 10, "end": "softmax", "widths": WIDE}
LOGISTIC = {"outputs": 1, "end": "sigmoid", "widths": NARROW}
SMALL_IMAGES = {"shape": (14, 14, 1), "filters": range(4, 17, 6)}

TASKS = {
    task.name: task
    for task in (
        Task(
            name="digits dense",
            data=embedded_digits,
            build=partial(dense, shape=(8, 8, 1), **SOFTMAX),
        ),
        Task(
            name="digits convolutional",
            data=embedded_digits,
            build=partial(convolutional, shape=(8, 8, 1), filters=range(4, 17, 3)),
        ),
        Task(
            name="breast cancer",
            data=breast_cancer,
            build=partial(dense, shape=(30,), **LOGISTIC),
        ),
        Task(name="spirals", data=spirals, build=partial(dense, shape=(2,), **LOGISTIC)),
        Task(
            name="friedman",
            data=friedman,
            build=partial(dense, shape=(10,), outputs=1, end=None, widths=NARROW),
            metric="r2",
        ),
        Task(name="series", data=series, build=recurrent, metric="mae"),
        Task(
            name="mnist dense",
            data=partial(images, "mnist_dense"),
            build=partial(dense, shape=(14, 14, 1), **SOFTMAX),
            epochs=30,
        ),
        Task(
            name="mnist convolutional",
            data=partial(images, "mnist_cnn", 5000),
            build=partial(convolutional, **SMALL_IMAGES),
            epochs=20,
            batch_size=64,
        ),
        Task(
            name="fashion convolutional",
            data=partial(images, "fashion_mnist", 5000),
            build=partial(convolutional, **SMALL_IMAGES),
            epochs=20,
            batch_size=64,
        ),
        Task(
            name="churn",
            data=churn,
            build=partial(dense, shape=(26,), **LOGISTIC),
            epochs=30,
        ),
        Task(name="reviews", data=reviews, build=text, epochs=30),
    )
}
