"""Numbers and dates in text cells, as people and spreadsheets write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from occam.search.data.tables import MISSING

DATE = (
    r"^\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
)
DAY_FIRST = r"^\s*(?:1[3-9]|2\d|3[01])[-/.]"


def present(cells: pd.Series) -> pd.Series:
    """Which cells hold something."""
    return ~cells.str.strip().str.lower().isin(MISSING)


def numbers(cells: pd.Series, *, decimal_comma: bool | None = None) -> np.ndarray:
    """Each cell as a number; not a number where it is missing or none.

    Read are 1,234.5, or 1.234,5 where the comma is decimal, with a sign, a currency or a per cent
    sign, and infinities.

    Args:
        decimal_comma: as `has_decimal_comma` has found; None: as these cells themselves show.
    """
    found = pd.to_numeric(cells, errors="coerce")
    if decimal_comma is None:
        decimal_comma = has_decimal_comma(cells)
    if decimal_comma:
        return _with_comma(cells)
    if (others := found.isna()).any():
        found[others] = _with_point(cells[others])
    return found.to_numpy(float)


def has_decimal_comma(cells: pd.Series) -> bool:
    """Whether more of the cells are numbers where the comma is decimal: to be asked of many."""
    if pd.to_numeric(cells, errors="coerce").notna().all():
        return False
    pointed, comma = (np.sum(~np.isnan(read(cells))) for read in (_with_point, _with_comma))
    return bool(comma > pointed)


def _with_comma(cells: pd.Series) -> np.ndarray:
    points = _plain(cells).str.replace(r"\.(?=\d{3}(\D|$))", "", regex=True)
    return pd.to_numeric(points.str.replace(",", "."), errors="coerce").to_numpy(float)


def _with_point(cells: pd.Series) -> np.ndarray:
    plain = _plain(cells)
    found = pd.to_numeric(plain, errors="coerce")
    if found.notna().sum() < present(cells).sum():
        thousands = plain.str.replace(r",(?=\d{3}(\D|$))", "", regex=True)
        found = found.fillna(pd.to_numeric(thousands, errors="coerce"))
    return found.to_numpy(float)


def _plain(cells: pd.Series) -> pd.Series:
    """Without a currency and a per cent sign."""
    return cells.str.strip().str.replace(r"^[$€£]\s*|\s*[$€£%]$", "", regex=True)


def dates(cells: pd.Series, *, day_first: bool | None = None) -> pd.Series:
    """Each cell as a time in UTC; not a time where it is missing or none.

    Args:
        day_first: as `has_day_first` has found; None: as these cells themselves show.
    """
    if day_first is None:
        day_first = has_day_first(cells)
    return pd.to_datetime(
        _likely(cells), errors="coerce", format="mixed", dayfirst=day_first, utc=True
    )


def has_day_first(cells: pd.Series) -> bool:
    """Whether the day comes before the month: one of many cells mostly shows it."""
    return bool(_likely(cells).str.contains(DAY_FIRST, regex=True, na=False).any())


def _likely(cells: pd.Series) -> pd.Series:
    return cells.where(cells.str.contains(DATE, regex=True), None)
