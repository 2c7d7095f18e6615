"""Scores are written so that two that differ by something that matters look different."""

from __future__ import annotations

import pytest
from occam.search.figures import figure, limit


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.9806, "0.9806"),
        (1.0, "1.0000"),
        (-0.02351, "-0.0235"),
        (0.0, "0.0000"),
        (0.0004878, "0.000488"),
        (2.1e-7, "2.1e-07"),
        (21_342.17, "21,342.2"),
        (3.4028e38, "3.4e+38"),
        (float("nan"), "nan"),
    ],
)
def test_small_and_large_scores_can_be_read(value, text):
    assert figure(value) == text


def test_a_bound_that_is_as_bad_as_can_be_is_none():
    assert (limit(0.95), limit(3.4e38), limit(-5.7e77)) == ("0.9500", "none", "none")
