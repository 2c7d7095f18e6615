"""Which rows a served model predicts, and in which numbers its inputs reach it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from occam.search.runs.store import quietly

with quietly():  # MLflow warns of a type hint
    from occam.search.runs.serving import _array, _finite, activated


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_row_is_finite_where_all_its_numbers_are_in_every_input(value):
    images = np.zeros((4, 2, 3), dtype="float32")
    images[1, 1, 2] = value
    table = np.zeros((4, 5))
    table[3, 0] = value
    text = np.array([["a"], ["b"], ["c"], ["nan"]])
    assert _finite([images, table, text]).tolist() == [True, False, True, False]
    assert _finite([np.zeros((2, 3), dtype=int)]).tolist() == [True, True]


def test_floats_reach_the_model_in_single_precision_and_nothing_else_is_changed():
    assert _array(np.zeros((2, 2))).dtype == np.float32
    assert _array([[1, 2]]).dtype.kind == "i"
    assert _array(np.array(["a"])).dtype.kind == "U"


def test_numbers_that_a_data_frame_may_lack_are_numbers():
    frame = pd.DataFrame({"whole": pd.array([1, None], "Int64"), "true": [True, False]})
    array = _array(frame)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [[1, 1], [np.nan, 0]])
    assert _array(pd.DataFrame({"text": ["a", "b"], "number": [1, 2]})).dtype == object


@pytest.mark.filterwarnings("error")
def test_logits_of_any_size_are_probabilities():
    logits = np.array([[1000.0, 0.0], [-1000.0, 0.0]])
    np.testing.assert_allclose(activated(logits, "softmax"), [[1, 0], [0, 1]], atol=1e-12)
    np.testing.assert_allclose(activated(logits[:, :1], "softmax"), [[1], [0]], atol=1e-12)
    assert activated(logits, "none") is logits
