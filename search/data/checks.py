"""Refuses data that no model can be trained on, in one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Number
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .batches import counted
from .splits import check_listed

if TYPE_CHECKING:
    from ..arrays import Array
    from ..metrics import Metric
    from . import Data

SPLITS = ("train", "validation", "test")
COLUMN = ", column "
SHOWN = 3  # rows or values named in a message


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


def _pair(name: str, split: Any) -> tuple[Any, Any]:
    if not isinstance(split, tuple | list) or len(split) != 2:
        raise InputError(f"The {name} split must be (inputs, labels), received {counted(split)}.")
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
        raise InputError(f"The {name} inputs are still text after preprocessing: {listed(left)}.")


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
        raise InputError(f"The {name} have two columns of one name: {listed(list(twice))}.")


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
        where = f" (columns {listed(np.flatnonzero(columns))})" if columns.any() else ""
        raise InputError(
            f"The {what}{where} have missing, NaN or infinite values in {shown(bad)}: "
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
                f"Columns {listed(left)} of the {name} {table} are text or dates: turn them into "
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
            f"{examples(labels[wrong])} in {shown(wrong)}: number the classes, or measure numbers "
            "by r2, mae, mse or rmse."
        )


def _check_contrast(name: str, labels: Array, metric: Metric) -> None:
    """A single class, or a constant, can be learned by no model and by every model."""
    if np.all(labels == labels[:1]):
        what = "one class" if metric.needs_classes else "one value"
        raise InputError(
            f"The {name} labels have only {what}, {examples(labels[:1])}: "
            "check how labels are read and splits are made."
        )


def _check_alike(name: str, train: Mapping[str, Array], other: Mapping[str, Array]) -> None:
    if odd := sorted(train.keys() ^ other.keys()):
        raise InputError(f"Only one of the train and the {name} split has {listed(odd)}.")
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


def shown(wrong: Array) -> str:
    """Which rows are wrong, the first of them by number."""
    rows = np.flatnonzero(wrong.reshape(len(wrong), -1).any(axis=1))
    return f"{len(rows):,} of {len(wrong):,} rows (row {listed(rows)})"


def examples(values: Any) -> str:
    """Some of the different values."""
    return listed(sorted({str(each) for each in np.asarray(values).flat[:1000]}))


def listed(values: Sequence[Any] | Array) -> str:
    """The first few of these."""
    return ", ".join(map(str, values[:SHOWN])) + (", ..." if len(values) > SHOWN else "")
