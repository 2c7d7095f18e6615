"""What a model predicts for many rows, and how good that is on one metric."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from .metrics import Metric
    from .pipeline import Split

    Array = np.ndarray[Any, Any]

CHUNK = 4096  # rows in memory at once


def score(model: keras.Model, split: Split, metric: Metric) -> float:
    """`metric` of the model on a split."""
    inputs, labels = split
    return metric.measure(np.asarray(labels), predictions(model, inputs))


def predictions(model: keras.Model, inputs: Any) -> Array:
    """One prediction a row: a class model's logits become probabilities.

    Args:
        inputs: an array or data frame, or a list, tuple or dictionary of them.
    """
    inputs = arrays(inputs)
    chunks = [
        np.asarray(keras.ops.convert_to_numpy(_single(model(part, training=False))))
        for part in _chunks(inputs)
    ]
    return _probabilities(model, np.concatenate(chunks))


def arrays(inputs: Any) -> Any:
    """The same structure with arrays at its leaves, floats in the precision that Keras computes in."""
    return keras.tree.map_structure(_array, inputs)


def rows(inputs: Any) -> int:
    """Number of examples in an array or in a structure of arrays."""
    return len(keras.tree.flatten(inputs)[0])


def _array(values: Any) -> Array:
    values = np.asarray(values)
    return values.astype(keras.config.floatx(), copy=False) if values.dtype.kind == "f" else values


def _chunks(inputs: Any) -> list[Any]:
    return [
        keras.tree.map_structure(lambda leaf, start=start: leaf[start : start + CHUNK], inputs)
        for start in range(0, rows(inputs), CHUNK)
    ]


def _single(outputs: Any) -> Any:
    outputs = keras.tree.flatten(outputs)
    if len(outputs) != 1:
        raise InputError(
            f"The model has {len(outputs)} outputs: a metric is measured on one. "
            "Return one output from the space."
        )
    return outputs[0]


def _probabilities(model: keras.Model, outputs: Array) -> Array:
    loss = getattr(model, "loss", None)
    if not getattr(loss, "from_logits", False):
        return outputs
    if outputs.shape[-1] == 1 or "Binary" in type(loss).__name__:
        return np.asarray(1 / (1 + np.exp(-outputs)))
    exponentials = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))
