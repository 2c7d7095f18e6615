"""What a sampler is taught to maximise: small among what reached, near among what did not."""

from __future__ import annotations

import math

import pytest
from occam.search.metrics import metric
from occam.search.shortfall import LEAST, WORST, shortfall, value
from occam.search.trials import FinishedTrial, TrialState

ACCURACY = metric("accuracy")


def trial(
    score: float | None, *, count: int = 100, projected: float | None = None, **fields
) -> FinishedTrial:
    return FinishedTrial(
        number=0,
        state=fields.pop("state", TrialState.COMPLETE),
        hyperparameters={},
        parameter_count=count,
        trainable_parameter_count=count,
        seed=0,
        score=score,
        projected_score=projected,
        **fields,
    )


def test_what_reached_is_worth_more_the_smaller_and_all_else_less_the_farther():
    ranked = [
        *(trial(0.96, count=count, reached=True) for count in (0, 10, 1000, 10**11, 10**20)),
        *(trial(0.0, projected=score) for score in (0.95, 0.94, 0.5, 0.0)),
        trial(None, state=TrialState.FAIL),
    ]
    values = [value(each, ACCURACY, 0.95) for each in ranked]
    assert values[:3] == pytest.approx([1, 1 - 1 / 12, 1 - 3 / 12])
    assert values[3] == pytest.approx(values[4]) == pytest.approx(1 / 12)
    assert values[5:7] == pytest.approx([-LEAST / 0.05, -0.01 / 0.06])
    assert values[5] < 0 < values[4]
    assert values[5:] == sorted(set(values[5:]), reverse=True)
    assert values[-1] == WORST


def test_a_perfect_score_may_be_asked_for():
    worth = [value(trial(0.0, projected=score), ACCURACY, 1.0) for score in (1.0, 0.99)]
    assert 0 > worth[0] > worth[1] >= WORST


def test_how_far_a_trial_stays_is_judged_by_what_it_could_have_become():
    missed = trial(0.5, projected=0.85, state=TrialState.PRUNED)
    assert shortfall(missed, ACCURACY, 0.95) == pytest.approx(0.1)
    assert shortfall(trial(0.5, projected=0.99), ACCURACY, 0.95) == LEAST
    reached = trial(0.96, projected=0.5, reached=True)
    assert shortfall(reached, ACCURACY, 0.95) == pytest.approx(-0.01)
    error = trial(9.0, projected=3.0)
    assert shortfall(error, metric("mae"), 2.0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "unknown",
    [
        trial(0.9, projected=0.9, state=TrialState.FAIL),
        trial(0.9, projected=None),
        trial(0.9, projected=math.nan),
    ],
)
def test_of_what_failed_or_was_not_measured_nothing_is_known(unknown):
    assert shortfall(unknown, ACCURACY, 0.95) is None
    assert value(unknown, ACCURACY, 0.95) == WORST
