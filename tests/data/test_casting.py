"""What a file holds becomes the type of number that a champion takes, or is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from occam.search.data import casting
from occam.search.errors import InputError

FILE = Path("rows.csv")


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("0 1 2", True),
        ("a b c", True),
        ("1 2 c", False),
        ("$1 2 3", False),
        ("NA NA", False),
        ("1 2 3", False),
        ("2 1 0", False),
        ("0.0 1.0 2.0", False),
        ("5 NA 1e3", False),
    ],
)
def test_a_first_line_names_columns_or_holds_numbers(line, names):
    assert casting.is_header(line.split()) is names


def test_cells_are_numbers_or_missing_or_refused_by_their_line():
    found = casting.numbers([(2, ["1", "", "inf"]), (3, ["-2.5", "NA", "1e300"])], FILE)
    np.testing.assert_array_equal(found, [[1, np.nan, np.inf], [-2.5, np.nan, 1e300]])
    with pytest.raises(InputError, match="rows.csv .* as numbers: cell 2 of line 7 is '0,5'"):
        casting.numbers([(2, ["1", "2"]), (7, ["1", "0,5"])], FILE)


@pytest.mark.parametrize(
    ("cells", "kind", "found"),
    [
        (["1", "", "NA"], "float32", [1, np.nan, np.nan]),
        (["1", "9007199254740993"], "int64", [1, 9007199254740993]),
        (["true", "0", "FALSE"], "bool", [True, False, False]),
        (["2020-01-31"], "datetime64[ns]", [np.datetime64("2020-01-31")]),
    ],
)
def test_a_column_has_the_type_that_it_had_in_training(cells, kind, found):
    column = casting.column(pd.Series(cells, dtype=str), np.dtype(kind))
    assert column.dtype == kind
    np.testing.assert_array_equal(column.to_numpy(), found)


@pytest.mark.parametrize(
    ("cell", "kind", "message"),
    [
        ("3.9", "int64", "'3.9' is no whole number, .* [(]row 2 below the names[)]"),
        ("", "int32", "'' is no whole number"),
        ("3000000000", "int32", "'3000000000' is no whole number"),
        ("many", "float64", "'many' is no number"),
        ("maybe", "bool", "'maybe' is neither true nor false"),
    ],
)
def test_a_cell_of_another_type_is_refused_with_its_row(cell, kind, message):
    with pytest.raises(ValueError, match=message):
        casting.column(pd.Series(["1", cell], dtype=str), np.dtype(kind))


@pytest.mark.parametrize(
    ("values", "kind", "found", "odd"),
    [
        ([[1.0, 2.0], [np.nan, 0.0], [np.inf, 0.0]], "float32", [[1, 2], [np.nan, 0]], [2]),
        ([[1.0], [1e300], [-1e300]], "float64", [[1]], [1, 2]),
        ([[1.0], [65504.0], [65536.0]], "float16", [[1], [65504]], [2]),
        ([[1.0], [np.nan], [300.0]], "uint8", [[1]], [1, 2]),
        ([[1], [0], [255]], "uint8", [[1], [0], [255]], []),
        ([0, 1, 1], "bool", [False, True, True], []),
    ],
)
def test_a_tensor_says_in_which_rows_its_type_cannot_say_what_is_there(values, kind, found, odd):
    array, unusable = casting.tensor(np.array(values), np.dtype(kind), FILE)
    assert array.dtype == kind
    np.testing.assert_array_equal(array[: len(found)], found)
    assert list(np.flatnonzero(unusable)) == odd


def test_fractions_and_text_are_no_whole_numbers():
    with pytest.raises(InputError, match="rows.csv, row 2: 0.5 is no int64"):
        casting.tensor(np.array([1.0, 0.5]), np.dtype("int64"), FILE)
    with pytest.raises(InputError, match="rows.csv, row 1: 2 is no bool"):
        casting.tensor(np.array([2, 0]), np.dtype("bool"), FILE)
    with pytest.raises(InputError, match="rows.csv holds <U1; the champion takes numbers"):
        casting.tensor(np.array(["a"]), np.dtype("float32"), FILE)
