"""Refuses labels that a model, its loss or the metric cannot take, in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from ..losses import BINARY, CLASSES, ONE_HOT, is_of_keras, loss_names, single
from .checks import examples, listed, shown

if TYPE_CHECKING:
    from ..arrays import Array
    from ..metrics import Metric

TAKE_CLASSES = {"ctc", "circle", "categoricalgeneralizedcrossentropy"}  # also as whole numbers


def check_labels(labels: Any, loss: Any, output_shape: Any, metric: Metric) -> None:
    """Refuse labels that do not fit the loss and the outputs of a model.

    Args:
        loss: as a compiled model has it: a name, a function or a Loss object; one that Keras does
            not have is let through.
        output_shape: of the model, the rows first; a model of several outputs is let through.
    """
    labels, loss = np.asarray(labels), single(loss)
    names = loss_names(loss)
    if not isinstance(output_shape, tuple) or isinstance(output_shape[0], tuple):
        return
    output_shape = _with_column(output_shape)
    if labels.dtype.kind not in "biuf":
        raise InputError(
            f"Labels must be numbers, received {examples(labels)}: turn classes into 0, 1, 2, ... "
            "and name them in `Pipeline(classes=...)`."
        )
    if names & CLASSES:
        ignored = getattr(loss, "ignore_class", None) if ":" in metric.name else None
        _check_classes(np.where(labels == ignored, 0, labels), output_shape)
    elif names & ONE_HOT:
        _check_one_hot(labels, output_shape)
    elif names & BINARY:
        _check_binary(labels, output_shape, metric)
    elif metric.of_classes and is_of_keras(loss):
        _check_told(labels, output_shape, metric)
        _check_compared(labels, output_shape, loss)
    if metric.name == "auc" or not metric.needs_classes:
        _check_measured(labels, output_shape, metric, loss)


def check_classes(classes: Sequence[str], output_shape: Any) -> None:
    """Refuse names of classes that are not as many as a model can tell apart."""
    if not classes or not isinstance(output_shape, tuple) or isinstance(output_shape[0], tuple):
        return
    outputs = _with_column(output_shape)[-1]
    if outputs is not None and len(classes) != max(outputs, 2):
        raise InputError(
            f"{len(classes)} names of classes are given, and the model tells {max(outputs, 2)} "
            f"apart: name each of these, in the order of the labels; received {listed(classes)}."
        )


def _with_column(output_shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """One number a row is one column."""
    return output_shape if len(output_shape) > 1 else (*output_shape, 1)


def _check_classes(labels: Array, output_shape: Sequence[Any]) -> None:
    classes = output_shape[-1]
    shape = _without_columns(labels, 1)
    _check_axes(shape, output_shape)
    if len(shape) != len(output_shape) - 2:
        raise InputError(
            f"Labels must be whole numbers, received rows of shape {labels.shape[1:]}: for one-hot "
            "labels use the loss 'categorical_crossentropy'."
        )
    wrong = (labels != np.round(labels)) | (labels < 0) | (labels >= (classes or np.inf))
    if wrong.any():
        raise InputError(
            f"Labels must be whole numbers from 0 to {(classes or 0) - 1}, as the model has "
            f"{classes} outputs, received {examples(labels[wrong])} in {shown(wrong)}."
        )


def _without_columns(labels: Array, *columns: Any) -> tuple[int, ...]:
    """Shape of one row's labels, but for a last axis of so many columns."""
    shape: tuple[int, ...] = labels.shape[1:]
    return shape[:-1] if shape and shape[-1] in columns else shape


def _check_axes(shape: Sequence[int], output_shape: Sequence[Any]) -> None:
    """Refuse outputs with more axes than the labels have, as where a Flatten is missing.

    Args:
        shape: of one row's labels, columns left out.
    """
    if len(shape) < len(output_shape) - 2:
        labels = f"are labels of shape {shape}" if shape else "is one label"
        raise InputError(
            f"The model's outputs have shape {tuple(output_shape[1:])} a row, and there {labels} a "
            "row: put Flatten or a GlobalAveragePooling before the last Dense (of a recurrent "
            "layer, leave out return_sequences)."
        )


def _check_one_hot(labels: Array, output_shape: Sequence[Any]) -> None:
    _check_axes(_without_columns(labels, 1, output_shape[-1]), output_shape)
    if labels.ndim < 2 or labels.shape[-1] != output_shape[-1]:
        raise InputError(
            f"Labels must be one-hot in {output_shape[-1]} columns, as the model has outputs, "
            f"received shape {labels.shape}: whole numbers need 'sparse_categorical_crossentropy'."
        )
    wrong = (labels < 0).any(axis=-1) | ~np.isclose(labels.sum(axis=-1), 1, atol=1e-3)
    if wrong.any():
        raise InputError(f"One-hot labels must add up to 1 a row, but do not in {shown(wrong)}.")


def _check_binary(labels: Array, output_shape: Sequence[Any], metric: Metric) -> None:
    fractions = not metric.needs_classes  # as of grey images
    wrong = (labels < 0) | (labels > 1) if fractions else ~np.isin(labels, (0, 1))
    if wrong.any():
        allowed = "from 0 to 1" if fractions else "0 or 1"
        raise InputError(
            f"Labels must be {allowed} with this loss, received {examples(labels[wrong])} in "
            f"{shown(wrong)}: for more classes use 'sparse_categorical_crossentropy'."
        )
    if metric.needs_classes and output_shape[-1] != 1:
        raise InputError(
            f"The model has {output_shape[-1]} outputs, but {metric.name} with its binary loss "
            "needs Dense(1, 'sigmoid'); for several classes use 'sparse_categorical_crossentropy', "
            "for several labels a row a metric of your own, package.module:function."
        )
    _check_columns(labels, output_shape)


def _check_told(labels: Array, output_shape: Sequence[Any], metric: Metric) -> None:
    """Refuse classes beyond 0 and 1 of one output, which is above one half or not."""
    if output_shape[-1] == 1 and (labels > 1).any():
        raise InputError(
            f"{metric.name} of a model with one output tells 0 from 1, received labels "
            f"{examples(labels)}: measure numbers by r2, mae, mse or rmse, or give the model one "
            "output a class."
        )


def _check_compared(labels: Array, output_shape: Sequence[Any], loss: Any) -> None:
    """Refuse a loss of differences that would hold one class number against each output."""
    outputs = output_shape[-1]
    one_hot = labels.ndim == len(output_shape) and labels.shape[-1] == outputs
    if not (one_hot or outputs in (1, None) or loss_names(loss) & TAKE_CLASSES):
        _check_axes(_without_columns(labels, 1, outputs), output_shape)
        raise InputError(
            f"Loss {_called(loss)!r} compares {outputs} outputs with one-hot labels, received "
            f"rows of shape {labels.shape[1:]}: give keras.utils.to_categorical(y), or use "
            "'sparse_categorical_crossentropy'."
        )


def _called(loss: Any) -> str:
    return loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)


def _check_measured(labels: Array, output_shape: Sequence[Any], metric: Metric, loss: Any) -> None:
    """Refuse outputs that a metric cannot hold against the labels, value by value.

    One of the user's own takes those of classes, or of an own loss, as it likes.
    """
    of_classes = loss_names(loss) & CLASSES
    if ":" in metric.name and (of_classes or not is_of_keras(loss)):
        return
    if of_classes:
        _check_measurable(output_shape[-1], metric)
    _check_columns(labels, output_shape)


def _check_measurable(classes: int, metric: Metric) -> None:
    """Refuse a metric that has no use for one probability a class."""
    others = "accuracy, balanced_accuracy or f1"
    if metric.name != "auc":
        problem = f"measures numbers, but the labels are {classes} classes: give {others}"
    elif classes == 2:
        problem = (
            "ranks rows by one output, but the model has one a class: give it Dense(1, 'sigmoid') "
            f"and the loss 'binary_crossentropy', or measure {others}"
        )
    else:
        problem = f"tells two classes apart, but there are {classes}: give {others}"
    raise InputError(f"Metric {metric.name} {problem}.")


def _check_columns(labels: Array, output_shape: Sequence[Any]) -> None:
    """As many labels as predictions: NumPy would repeat one column to fit many."""
    outputs = tuple(output_shape[1:])
    if None not in outputs and np.prod(labels.shape[1:]) != np.prod(outputs):
        if not (shape := _without_columns(labels, 1)):
            _check_axes(shape, output_shape)
        raise InputError(
            f"Rows of labels have shape {labels.shape[1:]}, the model's outputs {outputs}: "
            "they must have as many values."
        )
