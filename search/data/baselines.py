"""What needs no search: the majority class, the mean, the last value, a linear model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..figures import figure
from ..selection import rows_to_show, search_target

if TYPE_CHECKING:
    from ..arrays import Array
    from ..metrics import Metric
    from . import Data

ROWS = 2000  # that a linear model is trained on at least, where there are as many
WORK = 1e7  # numbers of all rows times its outputs, at most beyond: the search would wait for more
NUMBERS = 20_000  # of a row, at most
SPARE = 0.5  # standard errors, so that a network need not be the best of all linear models
SHIFT = 1e-3  # of the metric: targets are given in such steps
STEPS = 120  # of a hundredth each: more than three times the error of a baseline is no target


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A prediction that needs no network, and its score on validation data."""

    name: str
    score: float
    trained: bool  # it has weights
    parameter_count: int = 0  # of those weights
    of_rows: int | None = None  # train rows that it has learned from; None: all


def baselines(data: Data, metric: Metric, *, chronological: bool = False) -> list[Baseline]:
    """Those that can be measured on these data: none for a metric or labels of a kind of their own.

    Args:
        chronological: rows are in the order of time, so that the last label is a forecast.
    """
    labels, validation = (np.asarray(split[1]) for split in (data.train, data.validation))
    if ":" in metric.name or labels.dtype.kind not in "biuf" or labels.ndim > 2:
        return []
    found = [_constant(labels, validation, metric)]
    if chronological and labels.ndim == 1:
        known = np.concatenate([labels[-1:], validation[:-1]])
        predictions = known.astype(int) if metric.of_classes else known
        score = metric.measure(validation, predictions)
        found.append(Baseline(name="last value", score=score, trained=False))
    linear = _linear(data, metric)
    return found if linear is None else [*found, linear]


def described(found: Sequence[Baseline], metric: Metric, target: float) -> list[str]:
    """One line of scores, and one where the target needs no search."""
    found = [each for each in found if math.isfinite(each.score)]
    if not found:
        return []
    scores = ", ".join(map(_said, found))
    lines = [f"Baselines, {metric.name} on validation data: {scores}."]
    reaching = [each for each in found if metric.reaches(each.score, target)]
    trivial = [each.name for each in reaching if not each.trained]
    if trivial:
        lines.append(f"The target {target:g} is trivial: the {trivial[0]} reaches it.")
    elif reaching:
        lines.append(f"A linear model reaches {target:g}: what is searched is something smaller.")
    return lines


def modest_target(found: Sequence[Baseline], metric: Metric, labels: Array, margin: float) -> float:
    """A target that the best baseline can be shown to hold, half a standard error to spare.

    In steps of a thousandth; an error, which has the labels' unit, in steps of a hundredth of
    itself, with three digits.
    """
    strongest = best(found, metric)
    if strongest is None:
        return 0.9 if metric.needs_classes else 0.5
    score = strongest.score
    if metric.higher_is_better:
        steps = np.arange(math.floor(score / SHIFT), -1, -1) * SHIFT
        targets = [round(float(each), 3) for each in steps if 0 < each < metric.perfect]
    else:
        targets = [float(f"{score * 1.01**step:.3g}") for step in range(STEPS)]
    margin += SPARE
    held = (
        target
        for target in targets
        if metric.reaches(score, search_target(metric, target, labels, margin))
        and rows_to_show(metric, target, labels, margin) is None
    )
    return next(held, targets[-1] if targets else SHIFT)


def best(found: Sequence[Baseline], metric: Metric) -> Baseline | None:
    """The one with the best score; None where none has any."""
    scored = [each for each in found if math.isfinite(each.score)]
    return min(scored, key=lambda each: metric.error(each.score), default=None)


def _said(baseline: Baseline) -> str:
    part = f" (of {baseline.of_rows:,} rows)" if baseline.of_rows is not None else ""
    return f"{baseline.name} {figure(baseline.score)}{part}"


def _constant(labels: Array, validation: Array, metric: Metric) -> Baseline:
    """The most frequent class, or the mean."""
    name = "majority class" if metric.needs_classes else "mean"
    if not metric.needs_classes or (labels.ndim == 2 and set(np.unique(labels)) <= {0, 1}):
        predictions = np.broadcast_to(labels.mean(axis=0), validation.shape)
    else:
        columns = labels.reshape(len(labels), -1).astype(int).T
        most = [np.bincount(column).argmax() for column in columns]
        predictions = np.tile(most, len(validation))
        validation = validation.reshape(-1)
    return Baseline(name=name, score=metric.measure(validation, predictions), trained=False)


def _linear(data: Data, metric: Metric) -> Baseline | None:
    """Logistic or linear regression on some of the rows; None where inputs are no plain numbers."""
    (inputs, labels), (others, truth) = data.train, data.validation
    inputs, others, labels = _side_by_side(inputs), _side_by_side(others), np.asarray(labels)
    if inputs is None or others is None or not 0 < inputs.shape[1] <= NUMBERS:
        return None
    if metric.needs_classes and labels.ndim != 1:
        return None
    if labels.ndim > 1 and labels.size == inputs.size:  # reconstruction: a copy is linear, too
        return None
    most = max(ROWS, int(WORK / (inputs.shape[1] * _outputs(labels, metric))))
    some = np.random.default_rng(0).permutation(len(labels))[:most]
    x, y = inputs[some], labels[some]
    if metric.needs_classes and len(np.unique(y)) < len(np.unique(labels)):
        return None
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    model = _model(metric)
    with warnings.catch_warnings(action="ignore"):  # that it has not converged
        model.fit((x - mean) / scale, y)
        predictions = _predicted(model, (others - mean) / scale, metric)
    score = metric.measure(np.asarray(truth), predictions)
    count = int(np.size(model.coef_) + np.size(model.intercept_))
    return Baseline(
        name="linear model",
        score=score,
        trained=True,
        parameter_count=count,
        of_rows=len(some) if len(some) < len(labels) else None,
    )


def _outputs(labels: Array, metric: Metric) -> int:
    """Of a linear model: one of two classes, and of each column of labels."""
    if not metric.needs_classes:
        return int(labels[0].size)
    classes = len(np.unique(labels))
    return classes if classes > 2 else 1


def _side_by_side(inputs: Any) -> Array | None:
    """All numbers of a row, of one input or several; None where some are codes or text.

    Of large images the means of squares: what is linear in them is linear in the image.
    """
    import keras

    leaves = [np.asarray(leaf) for leaf in keras.tree.flatten(inputs)]
    if any(leaf.dtype.kind not in "fub" for leaf in leaves):
        return None
    numbers = sum(math.prod(leaf.shape[1:]) for leaf in leaves)
    side = math.ceil(math.sqrt(numbers / NUMBERS))
    small = [_means(leaf, side) if leaf.ndim == 4 and side > 1 else leaf for leaf in leaves]
    flat = [leaf.reshape(len(leaf), -1) for leaf in small]
    return flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)


def _means(images: Array, side: int) -> Array:
    """Of squares of so many pixels a side; what is left at the edges is left out."""
    rows, height, width, channels = images.shape
    high, wide = height // side, width // side
    squares = images[:, : high * side, : wide * side].reshape(
        rows, high, side, wide, side, channels
    )
    means: Array = squares.mean(axis=(2, 4), dtype="float32")
    return means


def _model(metric: Metric) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if not metric.needs_classes:
        return Ridge()
    weights = None if metric.name == "accuracy" else "balanced"
    return LogisticRegression(max_iter=60, class_weight=weights)


def _predicted(model: Any, rows: Array, metric: Metric) -> Array:
    if not metric.needs_classes:
        return np.asarray(model.predict(rows))
    if (model.classes_ != np.arange(len(model.classes_))).any():  # their columns say no class
        return np.asarray(model.predict(rows), dtype=int)
    probabilities = np.asarray(model.predict_proba(rows))
    return probabilities[:, 1:] if probabilities.shape[1] == 2 else probabilities
