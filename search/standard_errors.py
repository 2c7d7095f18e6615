"""How far chance moves each metric at a target, on so many rows: one standard error."""

from __future__ import annotations

import math

import numpy as np

from .arrays import Array


def of_accuracy(target: float, labels: Array) -> float:
    """Binomial: sqrt(T (1 - T) / n)."""
    return math.sqrt(target * (1 - target) / len(labels))


def of_balanced_accuracy(target: float, labels: Array) -> float:
    """Independent binomial shares, one a class, each of the target."""
    counts = np.unique(numbered(labels), return_counts=True)[1]
    return math.sqrt(target * (1 - target) * float(np.sum(1 / counts))) / len(counts)


def of_f1(target: float, labels: Array) -> float:
    """Of class 1 the most that an f1 of T can have; of several classes as balanced accuracy's.

    With r the recall and all that is found right, T = 2 r / (1 + r); n rows of class 1 give, by the
    delta method, 2 sqrt(r (1 - r) / n) / (1 + r)^2 = (2 - T) sqrt(T (1 - T) / 2 n).
    """
    numbers = numbered(labels)
    if numbers.max() > 1 or (_one_hot(labels) and labels.shape[-1] > 2):
        return of_balanced_accuracy(target, labels)
    rows = max(int(np.sum(numbers == 1)), 1)
    return (2 - target) * math.sqrt(target * (1 - target) / (2 * rows))


def of_auc(target: float, labels: Array) -> float:
    """Hanley and McNeil, Radiology 143 (1982): the AUC of exponential scores.

    Of several columns of labels the one that says least: together they have no more rows.
    """
    positives = np.sum(np.asarray(labels).reshape(len(labels), -1) > 0.5, axis=0)
    known = [int(each) for each in positives if 0 < each < len(labels)]
    return max((_auc_spread(target, each, len(labels) - each) for each in known), default=math.inf)


def _auc_spread(target: float, positive: int, negative: int) -> float:
    q1, q2 = target / (2 - target), 2 * target**2 / (1 + target)
    spread = (positive - 1) * (q1 - target**2) + (negative - 1) * (q2 - target**2)
    return math.sqrt((target * (1 - target) + spread) / (positive * negative))


def of_r2(target: float, labels: Array) -> float:
    """Olkin and Finn, Psychological Bulletin 118 (1995), for many rows: 2 R (1 - R^2) / sqrt(n)."""
    explained = min(max(target, 0.0), 1.0)
    return 2 * math.sqrt(explained) * (1 - explained) / math.sqrt(len(labels))


def of_mse(target: float, labels: Array) -> float:
    """Normal residuals: the variance of a mean of n squares is 2 T^2 / n."""
    return target * math.sqrt(2 / len(labels))


def of_rmse(target: float, labels: Array) -> float:
    """Normal residuals, delta method: T / sqrt(2 n)."""
    return target / math.sqrt(2 * len(labels))


def of_mae(target: float, labels: Array) -> float:
    """Normal residuals: |e| has mean T and standard deviation T sqrt(pi / 2 - 1)."""
    return target * math.sqrt((math.pi / 2 - 1) / len(labels))


def _one_hot(labels: Array) -> bool:
    """Whether each row has a column a class, and not a class a step, as sequences have."""
    columns = labels.ndim > 1 and labels.shape[-1] > 1
    return columns and bool(np.allclose(labels.sum(axis=-1), 1))


def numbered(labels: Array) -> Array:
    """Class of each label, (n,), or of each step of a sequence."""
    return np.ravel(labels.argmax(axis=-1) if _one_hot(labels) else labels.astype(int))
