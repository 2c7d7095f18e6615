"""Numbers and dates in text cells, as people and spreadsheets write them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from occam.search.data.tables import MISSING

DATE = (
    r"^\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{4}[-/]\d{1,2}\s*$|[A-Za-z]{3,9}[ -]\d{4}\s*$"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
)
LARGEST = 1e30  # number whose squares and sums can be computed
DAY_FIRST = r"^\s*(?:(?:1[3-9]|2\d|3[01])[-/.]|\d{1,2}\.\d{1,2}\.)"
APART = " '\u2019\u00a0\u202f"  # between thousands, besides a point or a comma
YEAR_FIRST = r"^\s*\d{4}[-/.]"


def spread(numbers: np.ndarray, axes: tuple[int, ...] | None = None) -> np.ndarray:
    """Their deviation; 1 where they are one number, whatever rounding makes of that."""
    deviation = numbers.std(axis=axes)
    differ = deviation > 1e-13 * np.abs(numbers.mean(axis=axes))
    return np.where(differ, deviation, 1.0)


def present(cells: pd.Series) -> pd.Series:
    """Which cells hold something."""
    return ~cells.str.strip().str.lower().isin(MISSING)


def numbers(cells: pd.Series, *, decimal_comma: bool | None = None) -> np.ndarray:
    """Each cell as a number; not a number where it is missing or none.

    Read are 1,234.5, or 1.234,5 where the comma is decimal, and thousands apart by blanks or
    apostrophes; with a sign, a currency or a per cent sign, in brackets if negative; infinities.

    Args:
        decimal_comma: as `has_decimal_comma` has found; None: as these cells themselves show.
    """
    if not decimal_comma and (plain := _all_plain(cells)) is not None:
        return plain
    rows, texts = _different(cells)
    found = pd.to_numeric(texts, errors="coerce")
    if not decimal_comma and found.notna().all():
        return found.to_numpy(float)[rows]
    if decimal_comma is None:
        decimal_comma = has_decimal_comma(cells)
    if decimal_comma:
        return _with_comma(texts)[rows]
    if (others := found.isna()).any():
        found[others] = _with_point(texts[others])
    return found.to_numpy(float)[rows]


def _different(cells: pd.Series) -> tuple[np.ndarray, pd.Series]:
    """Of each cell the number of its text, and these texts: read once, however often they occur."""
    rows, texts = pd.factorize(cells)
    return rows, pd.Series(texts, dtype=cells.dtype)


def _all_plain(cells: pd.Series) -> np.ndarray | None:
    """All cells as numbers, ten times as fast as others; None where any is none, or missing."""
    try:
        found = cells.astype("float64[pyarrow]").to_numpy(float)
    except (ValueError, TypeError, OverflowError, NotImplementedError, ImportError):
        return None
    return None if np.isnan(found).any() else found


def has_decimal_comma(cells: pd.Series) -> bool:
    """Whether more of the cells are numbers where the comma is decimal: to be asked of many."""
    if _all_plain(cells) is not None:
        return False
    rows, texts = _different(cells)
    if pd.to_numeric(texts, errors="coerce").notna().all():
        return False
    counts = np.bincount(rows, minlength=len(texts))
    pointed, comma = (counts[~np.isnan(read(texts))].sum() for read in (_with_point, _with_comma))
    return bool(comma > pointed)


def _with_comma(cells: pd.Series) -> np.ndarray:
    points = _joined(_plain(cells), f".{APART}").str.replace(",", ".")
    return pd.to_numeric(points, errors="coerce").to_numpy(float)


def _with_point(cells: pd.Series) -> np.ndarray:
    plain = _plain(cells)
    found = pd.to_numeric(plain, errors="coerce")
    if found.notna().sum() < present(cells).sum():
        found = found.fillna(pd.to_numeric(_joined(plain, f",{APART}"), errors="coerce"))
    return found.to_numpy(float)


def _plain(cells: pd.Series) -> pd.Series:
    """Without a currency and a per cent sign, with a minus where there are brackets."""
    bare = cells.str.strip().str.replace("\u2212", "-")
    for pattern, plain in ((r"^\((.+)\)$", r"-\1"), (r"^([-+]?)\s*[$€£]\s*", r"\1")):
        bare = bare.str.replace(pattern, plain, regex=True)
    return bare.str.replace(r"\s*[$€£%]$", "", regex=True)


def _joined(cells: pd.Series, separators: str) -> pd.Series:
    """Numbers whose thousands are apart, as 1,234,567 or 12,34,567, in one piece."""
    if not cells.str.contains(r"\d\D\d", regex=True).any():
        return cells
    for each in map(re.escape, separators):
        apart = rf"^[-+]?\d{{1,3}}(?:{each}\d{{2,3}})*{each}\d{{3}}(?!\d)"
        cells = cells.where(~cells.str.match(apart), cells.str.replace(each, "", regex=True))
    return cells


def dates(cells: pd.Series, *, day_first: bool | None = None) -> pd.Series:
    """Each cell as a time in UTC; not a time where it is missing or none.

    Args:
        day_first: as `has_day_first` has found; None: as these cells themselves show.
    """
    if day_first is None:
        day_first = has_day_first(cells)
    rows, texts = _different(cells)
    return _dates(texts, day_first).iloc[rows].set_axis(cells.index)


def _dates(cells: pd.Series, day_first: bool) -> pd.Series:
    likely = _likely(cells)
    year_first = likely.str.contains(YEAR_FIRST, regex=True, na=False)
    options: Any = {"errors": "coerce", "format": "mixed", "utc": True}
    found = pd.to_datetime(likely.where(~year_first, None), dayfirst=day_first, **options)
    return found.where(~year_first, pd.to_datetime(likely.where(year_first, None), **options))


def has_day_first(cells: pd.Series) -> bool:
    """Whether the day comes before the month, where the year is last.

    One of many cells mostly shows it; with full stops it always does.
    """
    return bool(_likely(cells).str.contains(DAY_FIRST, regex=True, na=False).any())


def _likely(cells: pd.Series) -> pd.Series:
    return cells.where(cells.str.contains(DATE, regex=True), None)
