"""Test rows that were seen before: refused where they are copies, else said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from occam.search.data.repeats import repeated
from occam.search.errors import InputError
from occam.search.pipeline import Data

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(300, 3)), RNG.integers(0, 2, 300)
WORDS = np.array([f"word{number} word{number % 7}" for number in range(300)], dtype=object)


def parts(inputs: Any, *bounds: tuple[int, int], labels: Any = Y) -> Data:
    """The train, validation and test split: these rows of inputs."""

    def cut(values: Any, low: int, high: int) -> Any:
        if isinstance(values, dict):
            return {name: cut(each, low, high) for name, each in values.items()}
        if isinstance(values, tuple):
            return tuple(cut(each, low, high) for each in values)
        if hasattr(values, "index") and hasattr(values, "iloc"):
            return values[low:high].reset_index(drop=True)
        return values[low:high]

    return Data(*[(cut(inputs, *each), labels[slice(*each)]) for each in bounds])


EVERY_KIND = [
    X,
    X.astype("float32"),
    (X * 100).astype("int16"),
    X.reshape(300, 3, 1),
    X.astype(object),
    WORDS,
    WORDS.astype(str),
    WORDS[:, None],
    list(WORDS),
    X.tolist(),
    pd.DataFrame(X, columns=list("abc")),
    pd.DataFrame({"n": X[:, 0], "t": WORDS, "d": pd.date_range("2020", periods=300)}),
    pd.DataFrame({"tokens": [[*each] for each in X], "more": [{"n": each} for each in WORDS]}),
    pd.Series(WORDS),
    {"text": WORDS, "numbers": X},
    (X, X[:, 0]),
]


@pytest.mark.parametrize("inputs", EVERY_KIND, ids=lambda each: type(each).__name__)
def test_rows_of_every_kind_are_told_apart(inputs):
    assert repeated(parts(inputs, (0, 200), (200, 250), (250, 300))) == ()
    with pytest.raises(InputError, match="All 50 test rows are validation rows, too") as error:
        repeated(parts(inputs, (0, 200), (250, 300), (250, 300)))
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="All 40 test rows are train rows, too"):
        repeated(parts(inputs, (0, 200), (250, 300), (100, 140)))


def test_three_times_the_same_is_refused():
    with pytest.raises(InputError, match="All 300 test rows are train or validation rows, too"):
        repeated(parts(X, *[(0, 300)] * 3))


def test_some_rows_that_were_seen_are_said():
    (note,) = repeated(parts(X, (0, 200), (200, 250), (245, 300)))
    assert note.startswith("5 of 55 test rows (9 %) are validation rows, too: unless rows are so")
    assert repeated(parts(X, (0, 101), (200, 201), (100, 201))) != ()


def test_a_few_rows_are_not_worth_a_word():
    assert repeated(parts(X, (0, 50), (50, 100), (99, 300))) == ()


def test_an_input_with_another_label_is_another_row():
    train = parts(X, (0, 200), (200, 250), (100, 140))
    other = Data(train.train, train.validation, (train.test[0], 1 - train.test[1]))
    assert repeated(other) == ()


def test_copies_are_refused_though_some_rows_are_there_twice_by_nature():
    twice = np.concatenate([X[:150], X[:50], X[150:250]])
    with pytest.raises(InputError, match="All 50 test rows are train rows, too"):
        repeated(parts(twice, (0, 200), (250, 300), (0, 50), labels=np.zeros(300)))


def test_rows_that_are_alike_by_nature_are_said_and_not_refused():
    few = RNG.integers(0, 2, (300, 4))
    (note,) = repeated(parts(few, (0, 200), (200, 250), (250, 300), labels=few[:, 0]))
    assert note.startswith("50 of 50 test rows (100 %) are train or validation rows, too")


def test_what_has_no_rows_before_its_preprocessing_is_let_through():
    splits = [({"folder": name}, None) for name in ("a", "b", "b")]
    assert repeated(Data(*splits)) == ()
    assert repeated(Data("a", "b", "b")) == ()
