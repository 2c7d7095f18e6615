"""One picture of what a model does on validation data, for people who look rather than read."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import confusion_matrix

from ..measures import class_indices, label_indices
from ..metrics import are_classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..arrays import Array
    from ..metrics import Metric

ROWS = 2000  # predicted for the picture, at most
SHOWN = 8  # images side by side
MOST_CLASSES = 30  # with a name on each axis


def picture(
    inputs: Any, labels: Array, predictions: Array, metric: Metric, classes: Sequence[str]
) -> Figure:
    """The picture for this kind of task.

    Classes: a confusion matrix. Labels as large as the predictions and square: images above their
    reconstructions, or generated ones below real ones. Numbers: predictions against the truth.

    Args:
        inputs, labels, predictions: (rows, ...) each, in any nest of inputs.
        classes: their names; none: their numbers.
    """
    if are_classes(metric, labels, predictions):
        return _confusion(label_indices(labels, predictions), class_indices(predictions), classes)
    if side(predictions):
        return drawn_images(labels, predictions, same=np.size(inputs) == np.size(labels))
    return _scatter(np.asarray(labels), np.asarray(predictions), metric.name)


def as_png(figure: Figure, **options: Any) -> bytes:
    """A figure as the bytes of a file."""
    file = io.BytesIO()
    figure.savefig(file, format="png", **options)
    return file.getvalue()


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def confusion(truth: Array, predicted: Array, classes: Sequence[str]) -> tuple[Array, list[str]]:
    """How often each class is taken for each, (classes, classes), and the names of the classes.

    Args:
        truth, predicted: numbers of classes, one of each row or step.
        classes: their names; none: their numbers.
    """
    size = max(int(truth.max()), int(predicted.max()), len(classes) - 1) + 1
    counts = confusion_matrix(truth.reshape(-1), predicted.reshape(-1), labels=range(size))
    return counts, [*map(str, classes)] or [str(number) for number in range(size)]


def _confusion(truth: Array, predicted: Array, classes: Sequence[str]) -> Figure:
    counts, names = confusion(truth, predicted, classes)
    size = len(counts)
    figure = _figure(*[3.5 + 0.35 * min(size, MOST_CLASSES)] * 2)
    axes = figure.subplots()
    shares = counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted", ylabel="true", title="Confusion matrix, validation data")
    if size <= MOST_CLASSES:
        axes.set_xticks(range(size), names, rotation=90, parse_math=False)  # "$0 to $50" is none
        axes.set_yticks(range(size), names, parse_math=False)
        for row, column in np.argwhere(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    return figure


def side(predictions: Array) -> int:
    """Side of square grey images in rows of pixels; 0 where the rows are none."""
    values = math.prod(predictions.shape[1:])
    length = math.isqrt(values)
    return length if length * length == values and length >= 8 else 0


def drawn_images(labels: Array, predictions: Array, *, same: bool) -> Figure:
    """Some images of both, in two rows.

    Args:
        same: the predictions are reconstructions of the labels, not generated like them.
    """
    length = side(predictions)
    figure = _figure(1.2 * SHOWN, 2.8)
    titles = ("inputs", "reconstructions") if same else ("real", "generated")
    grid = figure.subplots(2, SHOWN)
    for row, values, title in zip(grid, (labels, predictions), titles, strict=True):
        for axes, image in zip(row, np.asarray(values)[:SHOWN], strict=False):
            axes.imshow(image.reshape(length, length), cmap="gray", vmin=0, vmax=1)
        for axes in row:
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(title)
    return figure


def _scatter(truth: Array, predicted: Array, name: str) -> Figure:
    truth, predicted = truth.reshape(-1), predicted.reshape(-1)
    figure = _figure(5, 5)
    axes = figure.subplots()
    axes.scatter(truth, predicted, s=6, alpha=0.5)
    ends = [float(truth.min()), float(truth.max())]
    axes.plot(ends, ends, color="black", linewidth=1)
    axes.set(xlabel="true", ylabel="predicted", title=f"Validation data ({name})")
    return figure
