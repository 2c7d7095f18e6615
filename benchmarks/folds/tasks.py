"""Tasks with few rows, drawn anew each time: the rows called truth are seen by no scheme."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from occam.search.counting import unallocated
from occam.search.training.population.lowering import Member, lower
from sklearn.datasets import load_breast_cancer, load_digits, make_classification, make_friedman1
from sklearn.model_selection import train_test_split

Rows = tuple[np.ndarray, np.ndarray]
RATES = (0.003, 0.01, 0.03)
ROWS, TRUTH = 1500, 4000  # of what is generated
BATCH_SIZE = 32


@dataclass(frozen=True, kw_only=True)
class Task:
    """A grid of dense models and the rows they see."""

    draw: Callable[[int], tuple[Rows, Rows]]  # development and truth rows
    draws: int  # that say enough, as far as time goes
    features: int
    outputs: int = 1
    end: str | None = "sigmoid"
    loss: str = "binary_crossentropy"
    widths: tuple[int, ...]
    metric: str = "accuracy"

    def grid(self) -> list[tuple[tuple[int, ...], float]]:
        """Widths of the hidden layers and the learning rate of each configuration."""
        one = itertools.product(((width,) for width in self.widths), RATES)
        two = itertools.product(self.widths[1::2], self.widths[::3])
        return [*one, *((pair, RATES[1]) for pair in two)]

    def member(self, widths: tuple[int, ...], rate: float) -> tuple[int, Member]:
        """Parameter count of a configuration, and what a population trains."""
        with unallocated():
            hidden = [keras.layers.Dense(width, "relu") for width in widths]
            end = keras.layers.Dense(self.outputs, self.end)
            model = keras.Sequential([keras.Input((self.features,)), *hidden, end])
            model.compile(keras.optimizers.Adam(rate), self.loss)
            return int(model.count_params()), lower(model, BATCH_SIZE)


def divided(load: Callable[..., Any], rows: int, draw: int) -> tuple[Rows, Rows]:
    """So many rows to develop with; the rest of what there is says the truth."""
    x, y = load(return_X_y=True)
    x = ((x - x.mean(0)) / np.maximum(x.std(0), 1e-6)).astype("float32")
    x, x_new, y, y_new = train_test_split(x, y, train_size=rows, stratify=y, random_state=draw)
    return (x, y), (x_new, y_new)


def friedman(draw: int) -> tuple[Rows, Rows]:
    """Five columns that matter and five that do not (Friedman, Annals of Statistics 19, 1991)."""
    x, y = make_friedman1(ROWS + TRUTH, noise=1.0, random_state=draw)
    x, y = (2 * x - 1).astype("float32"), ((y - 14.4) / 4.9).astype("float32")
    return (x[:ROWS], y[:ROWS]), (x[ROWS:], y[ROWS:])


def clusters(draw: int) -> tuple[Rows, Rows]:
    """Four classes of three clusters each, in eight of twelve columns."""
    x, y = make_classification(
        40 * ROWS,
        12,
        n_informative=8,
        n_redundant=0,
        n_classes=4,
        n_clusters_per_class=3,
        class_sep=2.0,
        flip_y=0.01,
        random_state=0,
    )
    rows = np.random.default_rng(draw).permutation(len(y))
    x, y = (x[rows] / 2).astype("float32"), y[rows]
    return (x[:ROWS], y[:ROWS]), (x[ROWS : ROWS + TRUTH], y[ROWS : ROWS + TRUTH])


SMALL = (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20)
SOFTMAX: dict[str, Any] = {
    "end": "softmax",
    "loss": "sparse_categorical_crossentropy",
    "widths": (3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24),
}
TASKS = {
    "digits": Task(
        draw=partial(divided, load_digits, 1000), draws=3, features=64, outputs=10, **SOFTMAX
    ),
    "breast cancer": Task(
        draw=partial(divided, load_breast_cancer, 370), draws=4, features=30, widths=SMALL
    ),
    "clusters": Task(draw=clusters, draws=7, features=12, outputs=4, **SOFTMAX),
    "friedman": Task(
        draw=friedman, draws=8, features=10, end=None, loss="mse", widths=SMALL, metric="r2"
    ),
}
