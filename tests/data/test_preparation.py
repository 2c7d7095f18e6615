"""Loading and preprocessing, and what a search is given of it."""

from __future__ import annotations

import numpy as np
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
    assert kept.train is SPLIT
    assert kept.validation is SPLIT
    assert kept.test == (None, None)


def test_raw_rows_are_kept_beside_what_the_models_take():
    prepared = prepare(pipeline(preprocessing=lambda data: data.transformed(lambda x: x / 10)))
    assert prepared.raw.train[0].max() == 19
    assert prepared.data.train[0].max() == 1.9
    assert prepared.data.transform(np.array([10.0])) == 1.0


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
