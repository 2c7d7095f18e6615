"""Loading and preprocessing, and what a search is given of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from occam.search.data.preparation import prepare, without_test
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline

LABELS = np.array([0, 1] * 5)
SPLIT = (np.arange(20.0).reshape(10, 2), LABELS)


def pipeline(**fields) -> Pipeline:
    values = {"data": lambda: Data(SPLIT, SPLIT, SPLIT), "space": lambda hp: None, "target": 0.9}
    return Pipeline(**{**values, "name": "toy", **fields})


def test_a_search_is_given_everything_but_the_test_split():
    kept = without_test(prepare(pipeline()).data)
    assert kept.train[0] is kept.validation[0] is SPLIT[0]
    assert kept.train[1] is kept.validation[1] is SPLIT[1]
    assert kept.test == (None, None)


def test_raw_rows_are_kept_beside_what_the_models_take():
    prepared = prepare(pipeline(preprocessing=lambda data: data.transformed(lambda x: x / 10)))
    assert prepared.raw.train[0].max() == 19
    assert prepared.data.train[0].max() == 1.9
    assert prepared.data.transform(np.array([10.0])) == 1.0


TABLE = pd.DataFrame({"size": np.arange(10.0), "old": LABELS == 1})


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (TABLE, "f"),  # as get_dummies makes them
        (TABLE.convert_dtypes(), "f"),
        (TABLE.assign(age=pd.array([*range(9), None], dtype="Int64")), "f"),
        (TABLE[["old"]], "b"),
        (TABLE[["size"]], "f"),
    ],
)
def test_a_data_frame_of_numbers_and_truths_is_numbers(table, kind):
    table = table.fillna(0)
    split = ({"table": table}, pd.Series(LABELS).convert_dtypes())
    prepared = prepare(pipeline(data=lambda: Data(split, split, split)))
    for inputs, _ in (prepared.data.train, prepared.data.validation, prepared.data.test):
        array = np.asarray(inputs["table"])
        assert array.dtype.kind == kind
        assert array[3].tolist() == table.iloc[3].tolist()
    assert prepared.raw.train[0]["table"].equals(table)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"data": lambda: 3}, "The data step of pipeline 'toy' must return Data, received int"),
        ({"data": lambda: 1 / 0}, "The data step of pipeline 'toy' failed: ZeroDivisionError"),
        ({"preprocessing": lambda data: None}, "must return Data, received NoneType"),
        ({"metric": "speed"}, "Unknown metric 'speed'"),
    ],
)
def test_a_step_that_fails_is_one_line(fields, message):
    with pytest.raises(InputError, match=message):
        prepare(pipeline(**fields))
