"""Turns what a file holds into the type of number that a champion takes, or says what it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .tables import MISSING

if TYPE_CHECKING:
    from ..arrays import Array


def is_header(cells: list[str]) -> bool:
    """Whether a first line names columns: none of them is a number.

    But for those of pandas without a name, 0, 1, 2, ...
    """
    if cells == [str(number) for number in range(len(cells))]:
        return True
    known = [cell for cell in cells if cell.lower() not in MISSING]
    numbers = pd.to_numeric(pd.Series(known, dtype=object), errors="coerce")
    return bool(known) and bool(numbers.isna().all())


def numbers(lines: list[tuple[int, list[str]]], source: Path) -> Array:
    """The cells of numbered lines; not a number where one is missing."""
    cells = np.array([cells for _, cells in lines], dtype=object)
    flat = pd.to_numeric(pd.Series(cells.reshape(-1), dtype=object), errors="coerce")
    found = flat.to_numpy(float).reshape(cells.shape)
    for row, column in np.argwhere(np.isnan(found)):
        if cells[row, column].lower() not in MISSING:
            raise InputError(
                f"{source} cannot be read as numbers: cell {column + 1} of line {lines[row][0]} "
                f"is {cells[row, column]!r}."
            )
    return np.asarray(found)


def column(cells: pd.Series[Any], kind: np.dtype[Any]) -> pd.Series[Any]:
    """Text cells as numbers, truths or times; empty ones are missing.

    Raises ValueError, with the row, where a cell is none of them.
    """
    known = cells.where(~cells.str.lower().isin(MISSING), None)
    if kind.kind == "b":
        truths = known.str.lower().map({"true": True, "1": True, "false": False, "0": False})
        _refuse(cells, truths.isna(), "is neither true nor false")
        return truths.astype(bool)
    if kind.kind not in "iuf":
        return known.astype(kind)
    found = pd.to_numeric(known, errors="coerce")
    _refuse(cells, found.isna() & known.notna(), "is no number")
    if kind.kind != "f":
        limits = np.iinfo(kind)
        whole = found.between(limits.min, limits.max) & (found % 1 == 0)
        _refuse(cells, ~whole, "is no whole number, but all were that the champion learned from")
    with np.errstate(over="ignore"):
        return found.astype(kind)


def tensor(array: Array, kind: np.dtype[Any], source: Path) -> tuple[Array, Array]:
    """An array of another type, and in which rows it holds what that cannot say.

    A number that is missing travels as such where it can: a pipeline's preprocessing may fill it.
    """
    if array.dtype.kind not in "biuf":
        raise InputError(f"{source} holds {array.dtype}; the champion takes numbers ({kind}).")
    floats = kind.kind == "f"
    limits = _limits(kind)
    usable = (array >= limits.min) & (array <= limits.max)
    usable |= np.isnan(array) & floats
    filled = np.where(usable, array, np.nan if floats else 0)
    values = filled.astype(kind)
    if not floats and (odd := np.argwhere(values != filled)).size:
        raise InputError(
            f"{source}, row {odd[0][0] + 1}: {filled[tuple(odd[0])]:g} is no {kind}, as the "
            "champion takes it."
        )
    return values, ~usable.all(axis=tuple(range(1, usable.ndim)))


def _limits(kind: np.dtype[Any]) -> Any:
    """Smallest and largest number of a type; Keras computes with no larger ones than float32's."""
    if kind.kind == "f":
        return np.finfo("float16" if kind.itemsize == 2 else "float32")
    return np.iinfo("uint8" if kind.kind == "b" else kind)


def _refuse(cells: pd.Series[Any], wrong: pd.Series[Any], why: str) -> None:
    """Refuse the first cell that is wrong."""
    if wrong.any():
        place = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"{cells.iloc[place]!r} {why} (row {place + 1} below the names)")
