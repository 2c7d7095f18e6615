"""What the selected model predicts on the test split, as values that a page can draw."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.pictures import as_png, confusion, drawn_images, side
from ..figures import shortened
from ..measures import class_indices, label_indices
from ..metrics import are_classes

if TYPE_CHECKING:
    from ..held_out import HeldOut
    from ..metrics import Metric

POINTS = 1500  # of a scatter plot
CLASSES = 40  # in a confusion matrix


def predictions(
    rows: HeldOut, inputs: Any, metric: Metric, classes: Sequence[str]
) -> dict[str, Any] | None:
    """Counts of a confusion matrix, points of truth and prediction, or images.

    Args:
        inputs: a few rows of them, whose size tells reconstructed images from generated ones.
    """
    labels, predicted = rows.labels, rows.predictions
    if are_classes(metric, labels, predicted):
        return _confusion(labels, predicted, classes)
    if side(predicted):
        same = np.size(inputs) // max(len(inputs), 1) == labels.size // max(len(labels), 1)
        return _images(labels, predicted, same=same)
    if labels.size != predicted.size:
        return None
    points = np.stack([labels.reshape(-1), predicted.reshape(-1)], axis=1)[:POINTS]
    shown = [[shortened(value, 6) for value in point] for point in points.astype(float)]
    return {"kind": "numbers", "points": shown}


def _confusion(labels: Any, predicted: Any, classes: Sequence[str]) -> dict[str, Any] | None:
    if predicted.dtype.kind == "f":  # as AUC needs them
        labels, predicted = label_indices(labels, predicted), class_indices(predicted)
    counts, names = confusion(labels.astype(int), predicted.astype(int), classes)
    if len(counts) > CLASSES:
        return None
    return {"kind": "classes", "names": names, "counts": counts.tolist()}


def _images(labels: Any, predicted: Any, *, same: bool) -> dict[str, Any]:
    picture = as_png(drawn_images(labels, predicted, same=same), dpi=110)
    return {
        "kind": "images",
        "png": base64.b64encode(picture).decode(),
        "alt": "Reconstructions below their originals" if same else "Generated below real ones",
    }
