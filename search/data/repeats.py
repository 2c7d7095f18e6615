"""Finds test rows that the models of a search have seen already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError
from .batches import digests

if TYPE_CHECKING:
    from ..arrays import Array
    from . import Data

SAID = 0.01  # share of the test rows from which on it is said
CHANCE = 0.001  # of all test rows being known by nature, below which they are copies


def repeated(data: Data) -> tuple[str, ...]:
    """A note on test rows that are train or validation rows, too, labels included; mostly none.

    Raises InputError where all of them are, unless rows are so alike that this happens by itself.
    """
    train, validation, test = map(_digests, (data.train, data.validation, data.test))
    known = {"train": {*train}, "validation": {*validation}}
    again = [row for row in test if any(row in rows for rows in known.values())]
    if not again or len(again) < SAID * len(test):
        return ()
    where = " or ".join(name for name, rows in known.items() if rows.intersection(again))
    if len(again) == len(test) and _by_nature(train, len({*test})) < CHANCE:
        raise InputError(
            f"All {len(test):,} test rows are {where} rows, too, and show nothing of new data: "
            "give rows of their own, or leave `test` out, and 20 % of all rows are set aside."
        )
    share = f"{len(again) / len(test):.0%}".replace("%", " %")
    return (
        f"{len(again):,} of {len(test):,} test rows ({share}) are {where} rows, too: unless rows "
        "are so alike by nature, the verdict says less of new data than it seems to.",
    )


def _by_nature(rows: list[bytes], count: int) -> float:
    """Chance that so many new rows are all among these.

    By Good and Turing a new one is not with the probability that one of these is there only once.
    """
    alone = sum(times == 1 for times in Counter(rows).values())
    return float((1 - alone / max(len(rows), 1)) ** count)


def _digests(split: Any) -> list[bytes]:
    """Of each row of a split; none where its rows cannot be told, as before some preprocessing."""
    if not isinstance(split, tuple | list) or len(split) != 2:
        return []
    inputs, labels = split
    leaves = [*_leaves(inputs), np.asarray(labels)]
    alike = {leaf.shape[:1] for leaf in leaves}
    return digests(leaves) if len(alike) == 1 and () not in alike else []


def _hashed(table: pd.DataFrame) -> Array:
    """A number for each row."""
    try:
        return pd.util.hash_pandas_object(table, index=False).to_numpy()
    except TypeError:  # of cells that hold lists or the like
        return pd.util.hash_pandas_object(table.map(repr), index=False).to_numpy()


def _leaves(values: Any) -> Iterator[Array]:
    if isinstance(values, Mapping):
        for name in sorted(values, key=str):
            yield from _leaves(values[name])
    elif isinstance(values, pd.DataFrame):
        yield _hashed(values)
    elif isinstance(values, list | tuple) and all(hasattr(each, "shape") for each in values):
        for each in values:
            yield from _leaves(each)
    elif isinstance(values, list | tuple):
        yield np.fromiter(values, dtype=object)
    else:
        yield np.asarray(values)
