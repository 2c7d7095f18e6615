"""Splits rows into 50 % to train, 30 % to validate and 20 % to test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from occam.search.errors import InputError
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from .values import dates, numbers, present

FEWEST_ROWS = 40
TEST, VALIDATION = 0.2, 0.375  # of all, and of what is left

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def stratified(labels: np.ndarray, *, classes: bool) -> Rows:
    """At random, with the same mix of labels in each part; numbers by their quarters."""
    check_enough(len(labels))
    strata = labels if classes else np.digitize(labels, np.quantile(labels, [0.25, 0.5, 0.75]))
    if np.bincount(strata.astype(int)).min() < 3:
        strata = np.zeros(len(labels), dtype=int)
    try:
        rest, test = train_test_split(
            np.arange(len(labels)), test_size=TEST, stratify=strata, random_state=0
        )
        train, validation = train_test_split(
            rest, test_size=VALIDATION, stratify=strata[rest], random_state=0
        )
    except ValueError as error:
        raise InputError(f"{len(labels)} rows cannot be split: {error}.") from error
    return train, validation, test


def grouped(groups: Sequence[str]) -> Rows:
    """Whole groups, so that none is in two parts."""
    check_enough(len(groups))
    names = np.asarray(groups, dtype=str)
    if len(np.unique(names)) < 5:
        raise InputError(
            f"--group has {len(np.unique(names))} different values: at least 5 are needed."
        )
    rows = np.arange(len(names))
    rest, test = next(GroupShuffleSplit(1, test_size=TEST, random_state=0).split(rows, None, names))
    parts = GroupShuffleSplit(1, test_size=VALIDATION, random_state=0)
    train, validation = next(parts.split(rest, None, names[rest]))
    return rest[train], rest[validation], test


def chronological(cells: pd.Series) -> Rows:
    """In the order of time: the newest rows test."""
    check_enough(len(cells))
    moments = dates(cells)
    if moments.isna().any():
        counted = numbers(cells)
        odd = np.isnan(counted) | np.isinf(counted)
        if odd.any():
            example = cells[moments.isna().to_numpy()].iloc[0]
            shown = repr(example) if present(cells).all() else "missing values"
            raise InputError(f"--time {cells.name!r} holds no dates in all rows: {shown}.")
        order = np.argsort(counted, kind="stable")
    else:
        order = np.argsort(moments.to_numpy(), kind="stable")
    one, two = int(len(order) * 0.5), int(len(order) * 0.8)
    return order[:one], order[one:two], order[two:]


def check_enough(rows: int) -> None:
    if rows < FEWEST_ROWS:
        raise InputError(f"{rows} labelled rows are too few: at least {FEWEST_ROWS} are needed.")
