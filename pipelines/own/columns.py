"""Turns a table of text cells into numbers, by what each column was found to hold."""

from __future__ import annotations

import re
import unicodedata
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from occam.search.errors import InputError
from sklearn.feature_extraction.text import TfidfVectorizer

from .values import LARGEST, dates, has_day_first, has_decimal_comma, numbers, present, spread

MOSTLY = 0.95  # share of cells that make a column numbers or dates
HALF = 0.5  # share that does where there are many numbers, and the other cells are few texts
FEW_TEXTS = 5  # that stand for a missing number in a column of numbers
MOST_VALUES = 20  # of a category; rarer ones count as none of them
WORD = r"\w+"
WORDS = 4  # a cell of text has so many on average
MOST_WORDS = 50  # of a column of text, as many numbers
IDENTITY = re.compile(r"(?i:(^|[\W_])(id|uuid|guid|index)$|^column_0$|^unnamed)|[a-z](Id|ID)$")


@dataclass(frozen=True)
class Number:
    """Standard units; missing ones are the median, and flagged where there were any."""

    median: float
    mean: float
    scale: float
    flagged: bool
    decimal_comma: bool  # as in the table that it was fitted on: one cell does not show it
    texts: tuple[str, ...] = ()  # that stood for missing numbers there

    @classmethod
    def fit(cls, cells: pd.Series) -> Number:
        comma = has_decimal_comma(cells)
        found = numbers(cells, decimal_comma=comma)
        known, missing = found[np.isfinite(found)], bool(np.isnan(found).any())
        if not len(known):
            return cls(0.0, 0.0, 1.0, missing, comma)
        if np.abs(known).max() > LARGEST:
            raise InputError(f"Column {cells.name!r} holds numbers larger than {LARGEST:g}.")
        median, mean = float(np.median(known)), float(known.mean())
        return cls(median, mean, float(spread(known)), missing, comma, tuple(unread(cells)))

    def encode(self, cells: pd.Series) -> np.ndarray:
        found = numbers(cells, decimal_comma=self.decimal_comma)
        if np.isinf(found).any():
            raise InputError(_infinite(cells, int(np.flatnonzero(np.isinf(found))[0])))
        missing = np.isnan(found)
        _check_read(cells, self._odd(cells, missing), "numbers")
        standard = (np.where(missing, self.median, found) - self.mean) / self.scale
        return np.column_stack([standard, missing] if self.flagged else [standard])

    def _odd(self, cells: pd.Series, missing: np.ndarray) -> np.ndarray:
        """Which cells are no numbers, and not what stood for a missing one."""
        if not missing.any():
            return missing
        return missing & (present(cells) & ~cells.isin(self.texts)).to_numpy()


@dataclass(frozen=True)
class Category:
    """One number of 0 or 1 a value; a single one where there are two values."""

    values: tuple[str, ...]
    known: frozenset[str] = frozenset()  # rare ones among them

    @classmethod
    def fit(cls, cells: pd.Series) -> Category:
        counts = _as_one(cells).value_counts()
        common = sorted(counts[counts >= max(2, len(cells) // 200)].index[:MOST_VALUES])
        values = common[1:] if len(common) == len(counts) == 2 else common
        return cls(tuple(values), frozenset(counts.index))

    def encode(self, cells: pd.Series) -> np.ndarray:
        cells = _as_one(cells)
        new = (~cells.isin(self.known) & present(cells)).to_numpy()
        if new.mean() > 1 - MOSTLY:  # a rare one is nothing unusual
            _warn(cells, new, "hold what no row had that was learned from", "none of its values")
        return cells.to_numpy(str)[:, None] == np.array(self.values, dtype=str)


@dataclass(frozen=True)
class Moment:
    """Days since the first, and month, weekday and hour where they differ; in standard units."""

    parts: tuple[int, ...]
    mean: np.ndarray
    scale: np.ndarray
    day_first: bool  # as in the table that it was fitted on: one cell may not show it

    @classmethod
    def fit(cls, cells: pd.Series) -> Moment:
        day_first = has_day_first(cells)
        found = cls._numbers(cells, day_first)
        deviation = np.nanstd(found, axis=0)
        parts = np.flatnonzero(deviation > 0)
        return cls(tuple(parts), np.nanmean(found, axis=0)[parts], deviation[parts], day_first)

    @staticmethod
    def _numbers(cells: pd.Series, day_first: bool) -> np.ndarray:
        moments = dates(cells, day_first=day_first)
        days = (moments - pd.Timestamp("2000-01-01", tz="UTC")) / pd.Timedelta(days=1)
        parts = [days, moments.dt.month, moments.dt.day_of_week, moments.dt.hour]
        return np.column_stack(parts).astype(float)

    def encode(self, cells: pd.Series) -> np.ndarray:
        every = self._numbers(cells, self.day_first)
        if np.isnan(every).any():
            _check_read(cells, np.isnan(every[:, 0]) & present(cells).to_numpy(), "dates")
        found = every[:, self.parts]
        return (np.where(np.isnan(found), self.mean, found) - self.mean) / self.scale


@dataclass(frozen=True)
class Words:
    """How much each of the most frequent words says of a text; nothing where there are none."""

    vectorizer: Any

    @classmethod
    def fit(cls, cells: pd.Series) -> Words:
        if not cells.str.contains(WORD, regex=True).any():
            return cls(None)
        return cls(TfidfVectorizer(max_features=MOST_WORDS, token_pattern=WORD).fit(cells))

    def encode(self, cells: pd.Series) -> np.ndarray:
        if self.vectorizer is None:
            return np.zeros((len(cells), 0))
        return self.vectorizer.transform(cells).toarray()


KINDS = {"number": Number, "category": Category, "date": Moment, "text": Words}


def kinds_of(table: pd.DataFrame) -> dict[str, str]:
    """What each column holds; one that only seems to count the rows is a number if it is alone."""
    kinds = {name: kind_of(table[name]) for name in table}
    if not KINDS.keys() & kinds.values():
        for name in table:
            named = IDENTITY.search(str(name))
            if kinds[name] == "identity" and not named and np.isfinite(numbers(table[name])).all():
                kinds[name] = "number"
    return kinds


def kind_of(cells: pd.Series) -> str:
    """What a column holds: one of `KINDS`, or "constant" or "identity", which say nothing."""
    known = cells[present(cells)]
    if known.nunique() < 2 and (known.empty or len(known) == len(cells)):
        return "constant"
    found = numbers(known)
    read = ~np.isnan(found)
    if _are_numbers(known, read) and not known.str.match(r"^0\d+$").any():
        return "identity" if _counts_rows(cells, found[read]) else "number"
    if dates(known).notna().mean() >= MOSTLY:
        return "date"
    distinct = known.nunique() / len(known)
    if distinct > 0.5 and known.str.split().str.len().mean() >= WORDS:
        return "text"
    several = known.nunique() > MOST_VALUES
    named = bool(IDENTITY.search(str(cells.name))) and distinct > 0.9
    return "identity" if several and (distinct > 0.5 or named) else "category"


def unread(cells: pd.Series) -> list[str]:
    """The texts in a column of numbers that are none, and not known to say that one is missing."""
    if not np.isnan(numbers(cells)).any():
        return []
    known = cells[present(cells)]
    return sorted(known[np.isnan(numbers(known))].unique())


def _are_numbers(known: pd.Series, read: np.ndarray) -> bool:
    if read.mean() >= MOSTLY:
        return True
    many = known[read].nunique() > MOST_VALUES
    return bool(read.mean() >= HALF and many and known[~read].nunique() <= FEW_TEXTS)


def _counts_rows(cells: pd.Series, found: np.ndarray) -> bool:
    """Whole numbers of which none occurs twice: named as an identity, or one after the other."""
    if len(found) < 3 or len(np.unique(found)) < len(found) or (found != np.round(found)).any():
        return False
    consecutive = np.ptp(found) == len(found) - 1 and (np.diff(found) == 1).all()
    return bool(IDENTITY.search(str(cells.name))) or bool(consecutive)


def _check_read(cells: pd.Series, unread: np.ndarray, what: str) -> None:
    """Refuse a column of which more than half cannot be read; warn of less."""
    if unread.sum() > len(cells) * HALF:
        raise InputError(
            f"Column {cells.name!r} should hold {what} as those that were learned from, and "
            f"{unread.sum():,} of {len(cells):,} cells are none, as {cells[unread].iloc[0]!r}."
        )
    if unread.any():
        _warn(cells, unread, f"are no {what}", "missing")


def _warn(cells: pd.Series, odd: np.ndarray, why: str, taken_for: str) -> None:
    warnings.warn(
        f"Column {cells.name!r}: {odd.sum():,} of {len(cells):,} cells {why}, as "
        f"{cells[odd].iloc[0]!r}; they are taken for {taken_for}.",
        stacklevel=4,
    )


def _as_one(cells: pd.Series) -> pd.Series:
    """Texts that look the same made equal, and truth values as spreadsheets write them."""
    truths = {"true": "True", "false": "False"}
    normal = {each: unicodedata.normalize("NFC", each) for each in cells.unique()}
    return cells.map({each: truths.get(text.lower(), text) for each, text in normal.items()})


def _infinite(cells: pd.Series, place: int) -> str:
    """Where a cell that cannot be used stands in the file, whatever split the cells are of."""
    row = cells.index[place]
    number = row + 1 if isinstance(row, int | np.integer) else row
    return (
        f"Column {cells.name!r} holds {cells.iloc[place]!r} in row {number} (the first below the "
        "names is 1): numbers must be finite; leave the cell empty where the number is not known."
    )


def _texts(cells: pd.Series) -> pd.Series:
    """As a file is read here, whoever has read it: pandas takes NA for missing and keeps blanks."""
    texts = cells.fillna("").astype(str).str.strip()
    return texts.where(present(texts), "")


class Encoder:
    """All columns side by side as numbers; those that say most of the labels come first."""

    def __init__(self, kinds: dict[str, str]) -> None:
        self.kinds = kinds
        self.encoders: dict[str, Any] = {}
        self.order: np.ndarray | None = None

    def fit(self, table: pd.DataFrame) -> Encoder:
        for name, kind in self.kinds.items():
            self.encoders[name] = KINDS[kind].fit(_texts(table[name]))
        return self

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """A table as it was read, with any columns besides, to (rows, numbers)."""
        missing = [name for name in self.encoders if name not in table]
        if missing:
            raise InputError(f"The table lacks the columns {', '.join(missing)}.")
        parts = [encoder.encode(_texts(table[name])) for name, encoder in self.encoders.items()]
        with np.errstate(over="ignore"):  # what is too large is infinite: `predict` says its rows
            numbers = np.column_stack(parts).astype("float32")
        return numbers if self.order is None else numbers[:, self.order]
