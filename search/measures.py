"""What outputs score against their labels: each metric as a function of both, a row each."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .arrays import Array, Rows

Measure = Callable[..., float]  # (labels, a model's outputs, a row each): the score


def class_indices(values: Array) -> Array:
    """Class of each row from probabilities, one-hot rows, a single probability, or indices already.

    Shapes: (..., classes) or (..., 1) or (...); sequences give one class a step, flattened.
    """
    values = np.asarray(values)
    if values.ndim > 1 and values.shape[-1] > 1:
        return np.asarray(values.argmax(axis=-1)).reshape(-1)
    flat = values.reshape(-1)
    return np.asarray(flat > 0.5 if flat.dtype.kind == "f" else flat, dtype=int)


def label_indices(labels: Array, predictions: Array) -> Array:
    """Class of each label, in the shape that `predictions` has once they are classes too."""
    labels = np.asarray(labels)
    if labels.shape == np.shape(predictions) and labels.ndim > 1 and labels.shape[-1] > 1:
        return np.asarray(labels.argmax(axis=-1)).reshape(-1)
    return np.asarray(labels.reshape(-1), dtype=int)


def classes(labels: Array, predictions: Array) -> Rows:
    """Classes as indices, (rows, steps, 1): one step but of sequences."""
    shape = (len(labels), -1, 1)
    truth, predicted = label_indices(labels, predictions), class_indices(predictions)
    return truth.reshape(shape), predicted.reshape(shape)


def accuracy(labels: Array, predictions: Array, weights: Array | None = None) -> float:
    """Share of the rows, or of the steps of sequences, that are right."""
    right = label_indices(labels, predictions) == class_indices(predictions)
    return float(np.average(right, weights=weights))


def balanced_accuracy(labels: Array, predictions: Array, weights: Array | None = None) -> float:
    """Mean over the classes of the share of their rows that is right."""
    right, rows, _ = _counts(labels, predictions, weights)
    return float(np.mean(right[rows > 0] / rows[rows > 0]))


def f1(labels: Array, predictions: Array, weights: Array | None = None) -> float:
    """Of class 1 where there are two, else the mean over the classes."""
    return f1_of_parts((labels, predictions))(labels, predictions, weights)


def f1_of_parts(*rows: Rows) -> Measure:
    """The f1 of some of these rows: of class 1, or the mean of several, as all of them have it."""
    several = any(_has_several_classes(*each) for each in rows)

    def measure(labels: Array, predictions: Array, weights: Array | None = None) -> float:
        right, rows, found = _counts(labels, predictions, weights)
        known = rows + found > 0
        each = np.divide(2 * right, rows + found, out=np.zeros(len(rows)), where=known)
        return float(each[known].mean() if several else each[1:2].sum())

    return measure


def _counts(labels: Array, predictions: Array, weights: Array | None) -> tuple[Array, Array, Array]:
    """Of each class how many rows are right, are of it, and are taken for it: (classes,) each.

    A bootstrap asks 2,000 times: scikit-learn's metrics would check their input anew each time.
    """
    truth, predicted = label_indices(labels, predictions), class_indices(predictions)
    weights = np.ones(len(truth)) if weights is None else weights
    classes = int(max(truth.max(), predicted.max())) + 1
    return (
        np.bincount(truth, weights * (truth == predicted), classes),
        np.bincount(truth, weights, classes),
        np.bincount(predicted, weights, classes),
    )


def _has_several_classes(labels: Array, predictions: Array) -> bool:
    """Whether they are more than two, which outputs say whatever happens to be predicted."""
    columns = np.shape(predictions)[-1] if np.ndim(predictions) > 1 else 1
    truth, predicted = label_indices(labels, predictions), class_indices(predictions)
    return bool(columns > 2 or max(truth.max(), predicted.max()) > 1)


def auc(labels: Array, predictions: Array, weights: Array | None = None) -> float:
    """Share of the pairs of a row of class 1 and one of class 0 that are ranked so; ties half.

    Not a number where all rows are of one class, as in a few draws of a bootstrap.

    Args:
        weights: of rows that `ranks` has made.
    """
    if weights is None:
        labels, predictions = ranks(labels, predictions)
        weights = np.ones(labels.size)
    truth, places = labels.reshape(-1), predictions.reshape(-1)
    ones, all_rows = np.bincount(places, weights * truth), np.bincount(places, weights)
    zeros = all_rows - ones
    pairs = ones.sum() * zeros.sum()
    return float(ones @ (zeros.cumsum() - zeros / 2) / pairs) if pairs else math.nan


def ranks(labels: Array, predictions: Array) -> Rows:
    """Of each output its place among all that differ, in the shape of the labels' rows."""
    truth, outputs = (np.asarray(each).reshape(len(labels), -1) for each in (labels, predictions))
    places = np.unique(outputs, return_inverse=True)[1]
    return (truth > 0.5).astype(int), places.reshape(outputs.shape)


def _residuals(labels: Array, predictions: Array) -> Array:
    labels, predictions = np.asarray(labels, dtype=float), np.asarray(predictions, dtype=float)
    difference = labels.reshape(len(labels), -1) - predictions.reshape(len(predictions), -1)
    return np.asarray(difference)


def squares(labels: Array, predictions: Array) -> Rows:
    """Of each row the root of its mean square, against nothing."""
    errors = np.sqrt(row_squares(labels, predictions))
    return np.zeros_like(errors), errors


def amounts(labels: Array, predictions: Array) -> Rows:
    """Of each row its mean absolute error, against nothing."""
    errors = row_amounts(labels, predictions)
    return np.zeros_like(errors), errors


def row_squares(labels: Array, predictions: Array) -> Array:
    """Mean squared error of each row, (rows,)."""
    return np.asarray(np.mean(_residuals(labels, predictions) ** 2, axis=1))


def row_amounts(labels: Array, predictions: Array) -> Array:
    """Mean absolute error of each row, (rows,)."""
    return np.asarray(np.mean(np.abs(_residuals(labels, predictions)), axis=1))


def mse(labels: Array, predictions: Array) -> float:
    """Mean squared error."""
    return float(np.mean(_residuals(labels, predictions) ** 2))


def mae(labels: Array, predictions: Array) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(_residuals(labels, predictions))))


def r2(labels: Array, predictions: Array) -> float:
    """Share of the labels' variance that is explained; -inf where they have none."""
    labels = np.asarray(labels, dtype=float).reshape(len(labels), -1)
    spread = float(np.mean((labels - labels.mean(axis=0)) ** 2))
    return 1.0 - mse(labels, predictions) / spread if spread > 0 else -math.inf


def rmse(labels: Array, predictions: Array) -> float:
    """Root of the mean squared error."""
    return math.sqrt(mse(labels, predictions))


def rmse_influence(labels: Array, predictions: Array) -> Array:
    """Delta method: a square root moves by half of what is under it moves, in parts of itself."""
    squares = row_squares(labels, predictions)
    return squares / (2 * math.sqrt(squares.mean()) or 1.0)


def r2_influence(labels: Array, predictions: Array) -> Array:
    """Delta method on 1 - (mean of squared errors) / (mean of squared distances to the mean)."""
    squares = row_squares(labels, predictions)
    labels = np.asarray(labels, dtype=float).reshape(len(labels), -1)
    distances = np.mean((labels - labels.mean(axis=0)) ** 2, axis=1)
    spread = distances.mean() or 1.0
    return np.asarray(distances * squares.mean() / spread**2 - squares / spread)
