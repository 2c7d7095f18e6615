"""What a column of labels asks for: classes to tell apart, or a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from occam.search.errors import InputError

from .values import LARGEST, numbers, present

OF_NUMBERS = ("r2", "mae", "mse", "rmse")
FEW = 20  # different whole numbers are classes
MOST_CLASSES, ROWS_EACH = 100, 20  # more classes than that have so many rows each in the mean
FEWEST_ROWS = 3  # of a class: one a split
RARE = 0.01  # share of the rows that may be left out because their class has fewer
POSITIVE = ("yes", "true", "1", "y", "t", "positive", "1.0")
# Texts of `values.MISSING` that are never a class; "none" or "-" may be the name of one.
NEVER = {"", "na", "n/a", "nan", "null", "?", "#n/a", "nat"}
A_CLASS = 0.01  # share of the rows from which such a text is one
SHOWN = 3  # texts named in a note


@dataclass(frozen=True)
class Labels:
    """Labels of the rows that have one, as Keras takes them."""

    rows: np.ndarray  # which rows of the table
    values: np.ndarray
    classes: tuple[str, ...]  # empty for numbers
    notes: tuple[str, ...]


def read_labels(cells: pd.Series, metric: str | None) -> Labels:
    """Labels of a table's column, or an InputError that says why it cannot be learned.

    Args:
        metric: that was asked for: it says whether whole numbers are classes.
    """
    missing, notes = _missing(cells)
    known = np.flatnonzero(~missing)
    if not len(known):
        raise InputError(f"Label column {cells.name!r} is empty.")
    cells = cells.iloc[known]
    if cells.nunique() < 2:
        raise InputError(
            f"Label column {cells.name!r} has only one value, {cells.iloc[0]!r}: there is nothing "
            "to learn."
        )
    cells = _alike(cells)
    found = numbers(cells)
    if (np.abs(found) > LARGEST).any():
        raise InputError(f"Label column {cells.name!r} holds infinite numbers, or as good as.")
    if _is_number(cells, found, metric):
        return Labels(known, found.astype("float32"), (), tuple(notes))
    return _classes(cells, known, notes)


def rarer_last(labels: np.ndarray, classes: tuple[str, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Two classes so that the rarer one is class 1, which f1 is of; as frequent ones stay."""
    if len(classes) == 2 and np.mean(labels) > 0.5:
        return 1 - labels, classes[::-1]
    return labels, classes


def _alike(cells: pd.Series) -> pd.Series:
    """Whole numbers that are also written with a point, as 1 and 1.0, are one class."""
    whole = cells.str.replace(r"^([-+]?\d+)\.0+$", r"\1", regex=True)
    return whole if whole.nunique() < cells.nunique() else cells


def _missing(cells: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Which rows have no label, and what was taken for none or for a class.

    A text such as "none" is a class where many rows have it, unless all others are numbers.
    """
    texts = cells.str.strip()
    empty = texts.str.lower().isin(NEVER)
    doubtful = ~present(cells) & ~empty
    frequent = texts.map(texts[doubtful].value_counts()) > A_CLASS * len(cells)
    named = doubtful & frequent & bool(np.isnan(numbers(cells[present(cells)])).any())
    missing, notes = empty | doubtful & ~named, []
    if missing.any():
        notes.append(
            f"{missing.sum():,} rows without a label are left out: {_counts(texts[missing])}."
        )
    if named.any():
        notes.append(f"Taken for a class, not for a missing label: {_counts(texts[named])}.")
    return missing.to_numpy(), notes


def _counts(texts: pd.Series) -> str:
    counts = texts.value_counts()
    shown = [f"{count:,} {repr(text) if text else 'empty'}" for text, count in counts.items()]
    return ", ".join(shown[:SHOWN]) + (", ..." if len(shown) > SHOWN else "")


def _is_number(cells: pd.Series, found: np.ndarray, metric: str | None) -> bool:
    readable = not np.isnan(found).any()
    if metric in OF_NUMBERS and not readable:
        odd = cells[np.isnan(found)].iloc[0]
        raise InputError(
            f"Metric {metric} needs numbers as labels, received {odd!r}: for classes give "
            "accuracy, balanced_accuracy or f1."
        )
    if metric is not None:
        return metric in OF_NUMBERS
    whole = readable and bool((found == np.round(found)).all())
    return readable and not (whole and cells.nunique() <= FEW)


def _classes(cells: pd.Series, known: np.ndarray, notes: list[str]) -> Labels:
    counts = cells.value_counts()
    many = len(counts) > MOST_CLASSES and len(counts) > len(cells) / ROWS_EACH
    if many or len(counts) > len(cells) / 2:
        read = not np.isnan(numbers(cells)).any()
        said = "metrics of classes need few" if read else "not all are numbers"
        instead = "a metric of numbers, as r2 or mae" if read else "a column of classes"
        raise InputError(
            f"Label column {cells.name!r} has {len(counts):,} different values in "
            f"{len(cells):,} rows, and {said}: give {instead}."
        )
    rare = counts[counts < FEWEST_ROWS]
    if rare.sum() > RARE * len(cells) or len(counts) - len(rare) < 2:
        raise InputError(
            f"Class {rare.index[0]!r} of label column {cells.name!r} has {rare.iloc[0]} rows: "
            f"at least {FEWEST_ROWS} are needed; drop it or add rows."
        )
    if len(rare):
        names = ", ".join(map(str, rare.index[:3]))
        notes.append(f"{rare.sum()} rows of too rare classes are left out: {names}.")
    kept = ~cells.isin(rare.index).to_numpy()
    names = sorted(counts.index.difference(rare.index), key=_rank)
    codes = cells[kept].map({name: code for code, name in enumerate(names)})
    values, classes = rarer_last(codes.to_numpy("int32"), tuple(names))
    return Labels(known[kept], values, classes, tuple(notes))


def _rank(name: str) -> tuple[bool, float, str]:
    """No before yes, numbers by size, texts by alphabet."""
    number = pd.to_numeric(name, errors="coerce")
    return name.lower() in POSITIVE, np.inf if np.isnan(number) else float(number), name
