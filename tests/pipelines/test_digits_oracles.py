"""Each of KerasTuner's oracles finds a model that holds the target of digits."""

from __future__ import annotations

import pytest
from occam import search
from occam.search.oracles import names

TRIALS = {"grid": 1, "random": 7, "bayesian": 7, "hyperband": 40}  # enough to find a first model


@pytest.mark.slow
@pytest.mark.parametrize("sampler", names())
def test_an_oracle_finds_a_model_that_holds(workplace, sampler):
    result = search.run(
        "digits",
        engine="keras-tuner",
        sampler=sampler,
        trials=TRIALS[sampler],
        margin=1.0,
        quiet=True,
    )
    assert result.holds
    assert result.summary["selected"]["test"]["score"] >= 0.95
    assert result.best_model().count_params() == result.parameter_count
