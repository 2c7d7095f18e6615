"""Sets rows aside, from arrays, data frames or nests of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError
from .batches import one_output

if TYPE_CHECKING:
    from . import Split


def checked(inputs: Any, labels: Any) -> Split:
    """Rows with their labels; those of a list in an array.

    Raises InputError unless each row of inputs has its label.
    """
    if hasattr(inputs, "toarray"):
        raise InputError("The inputs are a sparse matrix: make them dense, with .toarray().")
    labels = one_output(labels)
    check_listed(inputs, labels)
    if (count := len(_leaf(inputs))) != len(labels):
        raise InputError(f"There are {count:,} rows of inputs and {len(labels):,} labels.")
    return inputs, labels


def check_listed(inputs: Any, labels: Any) -> None:
    """Refuse a list of rows, each an array: it stands for as many inputs."""
    listed = isinstance(inputs, list | tuple) and bool(inputs)
    if listed and np.shape(labels)[:1] == (len(inputs),) != np.shape(_leaf(inputs))[:1]:
        raise InputError(
            f"The inputs are a {type(inputs).__name__} of {len(inputs):,} arrays, which stands for "
            f"{len(inputs):,} inputs: give np.asarray(...) of it."
        )


def set_aside(rows: Split, share: float) -> tuple[Split, Split]:
    """What is kept, and a share of the rows, always the same; classes keep their shares in both.

    Raises InputError where there are too few rows.
    """
    from sklearn.model_selection import train_test_split

    inputs, labels = rows
    answers = np.asarray(labels)
    if answers.dtype == object:  # texts, and what is missing among them
        answers = answers.reshape(len(answers), -1).astype(str)
    known, counts = np.unique(answers, axis=0, return_counts=True)
    classes = len(known) > 1 and counts.min() * share >= 1
    try:
        kept, aside = train_test_split(
            np.arange(len(labels)),
            test_size=share,
            random_state=0,
            stratify=answers if classes else None,
        )
    except ValueError as error:
        if answers.dtype.kind == "f" and np.isnan(answers).any():
            raise InputError("The labels have missing values: drop those rows.") from error
        raise InputError(
            f"The data cannot be split: too few rows are left to set some aside ({len(labels)})."
        ) from error
    kept, aside = sorted(kept), sorted(aside)
    return (_take(inputs, kept), _take(labels, kept)), (_take(inputs, aside), _take(labels, aside))


def _leaf(values: Any) -> Any:
    """Any one array or data frame of a nest."""
    while isinstance(values, dict | tuple) or _is_nest(values):
        values = next(iter(values.values() if isinstance(values, dict) else values))
    return values


def _is_nest(values: Any) -> bool:
    """A list of arrays, not one of rows."""
    return isinstance(values, list) and bool(values) and getattr(values[0], "shape", ()) != ()


def _take(values: Any, rows: Any) -> Any:
    """These rows of an array or a data frame, or of any nest of them."""
    if isinstance(values, dict):
        return {name: _take(each, rows) for name, each in values.items()}
    if isinstance(values, tuple) or _is_nest(values):
        return type(values)(_take(each, rows) for each in values)
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    if isinstance(values, list):
        return [values[row] for row in rows]
    if hasattr(values, "__array__"):  # a backend's tensor, too
        values = np.asarray(values)
    return values[rows]
