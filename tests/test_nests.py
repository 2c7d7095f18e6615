"""Inputs of several arrays are cut and joined as one array is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from occam.search.nests import arrays, first_rows, in_chunks, rows

ROWS = np.arange(14.0).reshape(7, 2)
NESTS = {
    "array": ROWS,
    "frame": pd.DataFrame(ROWS),
    "dictionary": {"a": ROWS, "b": [ROWS, ROWS]},
    "list": [ROWS, ROWS],
    "tuple": (ROWS,),
}


@pytest.mark.parametrize("inputs", NESTS.values(), ids=NESTS)
def test_any_nest_is_cut_and_joined(inputs):
    assert rows(inputs) == 7
    assert rows(first_rows(inputs, 3)) == 3
    assert type(first_rows(inputs, 3)) is type(inputs)

    def total(part):
        leaf = arrays(part)
        while not isinstance(leaf, np.ndarray):
            leaf = next(iter(leaf.values())) if isinstance(leaf, dict) else leaf[0]
        return leaf.sum(axis=1)

    for count in (1, 3, 7, 100):
        assert in_chunks(total, inputs, count).tolist() == ROWS.sum(axis=1).tolist()


def test_floats_are_as_precise_as_keras_computes_and_other_kinds_stay():
    made = arrays({"x": ROWS, "number": np.arange(3), "text": np.array(["a"])})
    assert [each.dtype.kind for each in made.values()] == ["f", "i", "U"]
    assert made["x"].dtype == "float32"
