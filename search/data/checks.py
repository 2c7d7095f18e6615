"""Refuses data and labels that no model can be trained on, in one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..losses import BINARY, CLASSES, ONE_HOT, is_of_keras, loss_names, single
from .splits import check_listed

if TYPE_CHECKING:
    from ..metrics import Array, Metric
    from ..pipeline import Data

SPLITS = ("train", "validation", "test")
COLUMN = ", column "
SHOWN = 3  # rows or values named in a message
TAKE_CLASSES = {"ctc", "circle", "categoricalgeneralizedcrossentropy"}  # also as whole numbers


def check_data(data: Data, metric: Metric) -> None:
    """Refuse splits that are empty, uneven, not finite, unlike each other or without contrast.

    Inputs may be nested; text is let through where there is nothing else, for a model to read.
    """
    splits = {}
    for name in SPLITS:
        inputs, labels = _pair(name, getattr(data, name))
        if data.transform is not None:
            _check_numbers(name, inputs)
        leaves = {**dict(_leaves("inputs", inputs)), "labels": _array("labels", labels)}
        check_listed(inputs, leaves["labels"])
        _check_rows(name, leaves)
        for part, values in leaves.items():
            _check_finite(f"{name} {part}", values)
            _check_type(f"{name} {part}", values)
        _check_tables(name, leaves)
        _check_kind(name, leaves["labels"], metric)
        if name == "train" or metric.name in ("auc", "r2"):  # undefined without contrast
            _check_contrast(name, leaves["labels"], metric)
        splits[name] = leaves
    for name in SPLITS[1:]:
        _check_alike(name, splits["train"], splits[name])


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
            f"Labels must be numbers, received {_examples(labels)}: turn classes into 0, 1, 2, ... "
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
            f"apart: name each of these, in the order of the labels; received {_listed(classes)}."
        )


def _pair(name: str, split: Any) -> tuple[Any, Any]:
    if not isinstance(split, tuple | list) or len(split) != 2:
        received = type(split).__name__
        raise InputError(f"The {name} split must be (inputs, labels), received {received}.")
    return split[0], split[1]


def _check_numbers(name: str, inputs: Any) -> None:
    """What was transformed holds numbers; text alone in an array may be for the model to read."""
    left: list[Any] = []
    if isinstance(inputs, pd.DataFrame):
        left = [column for column, kind in inputs.dtypes.items() if kind.kind not in "biuf"]
    elif isinstance(inputs, np.ndarray) and inputs.dtype == object:
        whole = all(isinstance(value, str) for value in inputs.flat)
        left = [] if whole or _numbers_as_objects(inputs) else [*inputs.flat]
    if left:
        raise InputError(f"The {name} inputs are still text after preprocessing: {_listed(left)}.")


def _leaves(name: str, values: Any) -> Iterator[tuple[str, Array]]:
    """The arrays of a nest and the columns of a data frame, named for a message."""
    if isinstance(values, Mapping):
        for key, each in values.items():
            yield from _leaves(f"{name} {key!r}", each)
    elif isinstance(values, pd.DataFrame):
        _check_names(name, values.columns)
        for column in values.columns:
            yield f"{name}{COLUMN}{column!r}", _column(values[column])
    elif not isinstance(values, list | tuple):
        yield name, _array(name, values)
    elif all(hasattr(each, "shape") for each in values):
        for number, each in enumerate(values):
            yield from _leaves(f"{name} {number}", each)
    else:
        raise InputError(f"The {name} are a {type(values).__name__}: give np.asarray(...) of it.")


def _check_names(name: str, columns: pd.Index[Any]) -> None:
    if (twice := columns[columns.duplicated()]).size:
        raise InputError(f"The {name} have two columns of one name: {_listed(list(twice))}.")


def _column(column: pd.Series[Any]) -> Array:
    """Numbers that may be missing, as in pandas's Int64, become floats with NaN."""
    nullable = column.dtype.kind in "biuf" and not isinstance(column.dtype, np.dtype)
    return np.asarray(column.to_numpy(float, na_value=np.nan) if nullable else column)


def _array(name: str, values: Any) -> Array:
    if hasattr(values, "toarray"):
        raise InputError(
            f"The {name} are a sparse matrix: make them dense, with .toarray() or "
            "OneHotEncoder(sparse_output=False)."
        )
    return np.asarray(values)


def _check_rows(name: str, leaves: Mapping[str, Array]) -> None:
    rows = {part: len(each) if each.ndim else 0 for part, each in leaves.items()}
    for part, count in rows.items():
        if not count or len(rows) == 1:
            raise InputError(f"The {name} split is empty: every split needs rows of inputs.")
        if count != rows["labels"]:
            raise InputError(
                f"The {name} split has {count:,} rows of {part} and {rows['labels']:,} labels: "
                "each row needs one label."
            )


def _check_finite(what: str, values: Array) -> None:
    numbers = values.dtype.kind in "biufc"
    bad = ~np.isfinite(values) if numbers else np.asarray(pd.isna(values))
    if bad.any():
        columns = bad.any(axis=0) if bad.ndim == 2 else np.array([])
        where = f" (columns {_listed(np.flatnonzero(columns))})" if columns.any() else ""
        raise InputError(
            f"The {what}{where} have missing, NaN or infinite values in {_rows(bad)}: "
            "fill or drop them in the pipeline's preprocessing."
        )


def _check_type(what: str, values: Array) -> None:
    """Keras takes no numbers from an array of objects, as `.values` of a mixed data frame is."""
    if _numbers_as_objects(values):
        raise InputError(
            f"The {what} are numbers held as objects: give them as .astype('float32')."
        )


def _check_tables(name: str, leaves: Mapping[str, Array]) -> None:
    """Refuse a data frame with text or dates beside numbers, which is no array of one type."""
    tables: dict[str, dict[str, Array]] = {}
    for part, values in leaves.items():
        table, is_column, column = part.partition(COLUMN)
        if is_column:
            tables.setdefault(table, {})[column] = values
    for table, columns in tables.items():
        left = [column for column, values in columns.items() if values.dtype.kind not in "biufc"]
        if left and not all(isinstance(values[0], str) for values in columns.values()):
            raise InputError(
                f"Columns {_listed(left)} of the {name} {table} are text or dates: turn them into "
                "numbers in preprocessing=, or leave them out."
            )


def _numbers_as_objects(values: Array) -> bool:
    kinds = (Number, np.generic)
    return values.dtype == object and all(isinstance(each, kinds) for each in values.flat)


def _check_kind(name: str, labels: Array, metric: Metric) -> None:
    """Numbers would be cut off to classes, and found right or wrong by that."""
    if not metric.of_classes or labels.dtype.kind not in "iuf":
        return
    if labels.ndim > 1 and labels.shape[-1] > 1:  # one-hot, or sequences
        return
    wrong = (labels != np.round(labels)) | (labels < 0)
    if wrong.any():
        raise InputError(
            f"{metric.name} needs labels of classes, whole numbers from 0: the {name} labels have "
            f"{_examples(labels[wrong])} in {_rows(wrong)}: number the classes, or measure numbers "
            "by r2, mae, mse or rmse."
        )


def _check_contrast(name: str, labels: Array, metric: Metric) -> None:
    """A single class, or a constant, can be learned by no model and by every model."""
    if np.all(labels == labels[:1]):
        what = "one class" if metric.needs_classes else "one value"
        raise InputError(
            f"The {name} labels have only {what}, {_examples(labels[:1])}: "
            "check how labels are read and splits are made."
        )


def _check_alike(name: str, train: Mapping[str, Array], other: Mapping[str, Array]) -> None:
    if odd := sorted(train.keys() ^ other.keys()):
        raise InputError(f"Only one of the train and the {name} split has {_listed(odd)}.")
    columns, theirs = ([part for part in each if COLUMN in part] for each in (train, other))
    if columns != theirs:
        raise InputError(
            f"The columns of the {name} inputs come in another order than those of the train "
            f"inputs: give them as {name}[train.columns]."
        )
    for part, values in train.items():
        expected, received = _row(values), _row(other[part])
        if received != expected:
            raise InputError(
                f"The {name} {part} are {received}, the train {part} {expected}: make them alike."
            )


def _row(values: Array) -> str:
    """What rows must have in common. Whole numbers beside fractions: one split was not scaled."""
    kind = "numbers" if values.dtype.kind in "biufc" else "text"
    if values.ndim > 1 and kind == "numbers":
        kind = "fractions" if values.dtype.kind in "fc" else "whole numbers"
    return f"{kind} of shape {values.shape[1:]}"


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
            f"{classes} outputs, received {_examples(labels[wrong])} in {_rows(wrong)}."
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
        raise InputError(f"One-hot labels must add up to 1 a row, but do not in {_rows(wrong)}.")


def _check_binary(labels: Array, output_shape: Sequence[Any], metric: Metric) -> None:
    fractions = not metric.needs_classes  # as of grey images
    wrong = (labels < 0) | (labels > 1) if fractions else ~np.isin(labels, (0, 1))
    if wrong.any():
        allowed = "from 0 to 1" if fractions else "0 or 1"
        raise InputError(
            f"Labels must be {allowed} with this loss, received {_examples(labels[wrong])} in "
            f"{_rows(wrong)}: for more classes use 'sparse_categorical_crossentropy'."
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
            f"{_examples(labels)}: measure numbers by r2, mae, mse or rmse, or give the model one "
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


def _rows(wrong: Array) -> str:
    rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    return f"{len(rows):,} of {len(wrong):,} rows (row {_listed(rows)})"


def _examples(values: Any) -> str:
    return _listed(sorted({str(each) for each in np.asarray(values).flat[:1000]}))


def _listed(values: Sequence[Any] | Array) -> str:
    return ", ".join(map(str, values[:SHOWN])) + (", ..." if len(values) > SHOWN else "")
