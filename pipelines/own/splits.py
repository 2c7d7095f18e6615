"""Splits rows into 50 % to train, 30 % to validate and 20 % to test, or as the data say."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from occam.search.errors import InputError
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from .values import dates, numbers, present

FEWEST_ROWS, FEWEST_TO_TRAIN = 40, 20
TEST, VALIDATION = 0.2, 0.375  # of all, and of what is left
NAMES = {  # by which people call the splits
    "train": ("train", "training"),
    "validation": ("val", "valid", "validate", "validation", "dev", "eval"),
    "test": ("test", "testing"),
}

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


def stratified(labels: np.ndarray, *, classes: bool, names: Sequence[str] = ()) -> Parts:
    """At random, with the same mix of labels in each part; numbers by their quarters.

    Args:
        classes: whether the labels are classes.
        names: of the classes, for a message.
    """
    check_enough(len(labels))
    strata = _strata(labels, classes, names)
    rest, test = _set_aside(np.arange(len(labels)), strata, TEST)
    return (*_set_aside(rest, strata[rest], VALIDATION), test)


def split_called(name: str) -> str | None:
    """The split that people call so: train, validation or test; None for any other name."""
    core = re.sub(r"[ _-]?(set|data|split)?[ _-]?\d*$", "", name.strip().lower())
    return next((split for split, names in NAMES.items() if core in names), None)


def given(
    splits: Sequence[str], labels: np.ndarray, *, classes: bool, names: Sequence[str] = ()
) -> Parts:
    """As is said of each row: train, validation or test.

    Of two splits the other one tests; rows to validate are then set aside from those to train.

    Args:
        classes: whether the labels are classes.
        names: of the classes, for a message.
    """
    check_enough(len(labels))
    train, validation, test = (np.flatnonzero(np.asarray(splits) == each) for each in NAMES)
    if not len(test):
        validation, test = test, validation
    if not len(train) or not len(test):
        raise InputError(
            f"Rows to train and others to test are needed; the {len(labels):,} labelled rows are "
            f"for {' and '.join(sorted(set(splits)))} alone."
        )
    if not len(validation):
        strata = _strata(labels[train], classes, names)
        train, validation = _set_aside(train, strata, VALIDATION)
    return _checked(train, validation, test)


def said(rows: Parts) -> str:
    """What `given` has made of the splits, for the user to object to."""
    train, validation, test = map(len, rows)
    return f"Split as given: {train:,} rows to train, {validation:,} to validate, {test:,} to test."


def _strata(labels: np.ndarray, classes: bool, names: Sequence[str]) -> np.ndarray:
    if classes and (rare := [k for k, count in enumerate(np.bincount(labels)) if 0 < count < 3]):
        raise InputError(
            f"Class {names[rare[0]] if names else rare[0]} has {np.sum(labels == rare[0])} rows: "
            "at least 3 are needed, one a split; drop it or add rows."
        )
    strata = labels if classes else np.digitize(labels, np.quantile(labels, [0.25, 0.5, 0.75]))
    counts = np.bincount(strata.astype(int))
    return strata if counts.min() >= 3 else np.zeros(len(labels), dtype=int)


def _set_aside(rows: np.ndarray, strata: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    try:
        kept, aside = train_test_split(rows, test_size=share, stratify=strata, random_state=0)
    except ValueError as error:
        raise InputError(f"{len(rows)} rows cannot be split: {error}.") from error
    return kept, aside


def grouped(groups: Sequence[str]) -> Parts:
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
    return _checked(rest[train], rest[validation], test)


def chronological(cells: pd.Series) -> Parts:
    """In the order of time: the newest rows test."""
    check_enough(len(cells))
    moments = dates(cells)
    if moments.isna().any():
        counted = numbers(cells)
        odd = np.isnan(counted) | np.isinf(counted)
        if odd.any():
            example = cells[moments.isna().to_numpy()].iloc[0]
            shown = repr(example) if present(cells).all() else "missing values"
            raise InputError(
                f"--time {cells.name!r} holds no dates in all rows: {shown}; write 2024-01-31."
            )
        order = np.argsort(counted, kind="stable")
    else:
        order = np.argsort(moments.to_numpy(), kind="stable")
    one, two = int(len(order) * 0.5), int(len(order) * 0.8)
    return order[:one], order[one:two], order[two:]


def check_enough(rows: int) -> None:
    if rows < FEWEST_ROWS:
        raise InputError(f"{rows} labelled rows are too few: at least {FEWEST_ROWS} are needed.")


def _checked(train: np.ndarray, validation: np.ndarray, test: np.ndarray) -> Parts:
    if len(train) < FEWEST_TO_TRAIN:
        raise InputError(
            f"{len(train)} rows to train are too few, beside {len(validation):,} to validate and "
            f"{len(test):,} to test: at least {FEWEST_TO_TRAIN} are needed."
        )
    return train, validation, test
