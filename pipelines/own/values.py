"""Numbers and dates in text cells, as people and spreadsheets write them."""

from __future__ import annotations

import numpy as np
import pandas as pd

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-", "--", ".", "#n/a", "nat", "missing"}
DATE = (
    r"^\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[ -][A-Za-z]{3,9}[ -]\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})"
)
DAY_FIRST = r"^\s*(?:1[3-9]|2\d|3[01])[-/.]"


def present(cells: pd.Series) -> pd.Series:
    """Which cells hold something."""
    return ~cells.str.strip().str.lower().isin(MISSING)


def numbers(cells: pd.Series) -> np.ndarray:
    """Each cell as a number; not a number where it is missing or none.

    Read are 1,234.5 and 1.234,5 with a sign, a currency or a per cent sign, and infinities.
    """
    plain = cells.str.strip().str.replace(r"^[$€£]\s*|\s*[$€£%]$", "", regex=True)
    found = pd.to_numeric(plain, errors="coerce")
    if found.notna().sum() == present(cells).sum():
        return found.to_numpy(float)
    thousands = plain.str.replace(r",(?=\d{3}(\D|$))", "", regex=True)
    european = plain.str.replace(r"\.(?=\d{3}(\D|$))", "", regex=True).str.replace(",", ".")
    readings = (found, pd.to_numeric(thousands, errors="coerce"), pd.to_numeric(european, "coerce"))
    return max(readings, key=lambda reading: reading.notna().sum()).to_numpy(float)


def dates(cells: pd.Series) -> pd.Series:
    """Each cell as a time in UTC; not a time where it is missing or none."""
    likely = cells.where(cells.str.contains(DATE, regex=True), None)
    day_first = bool(likely.str.contains(DAY_FIRST, regex=True, na=False).any())
    return pd.to_datetime(likely, errors="coerce", format="mixed", dayfirst=day_first, utc=True)
