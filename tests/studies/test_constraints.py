"""What a sampler of Optuna's is told: a size to be minimised, and what stands against it."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from occam.search.shortfall import LEAST
from occam.search.stopping import Stop
from occam.search.studies.constraints import tell
from occam.search.trials import RECORD, FinishedTrial, TrialState, packed

COMPLETE, PRUNED = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED


def told(
    study: optuna.Study,
    state: TrialState,
    size: int,
    missing: float | None,
    *,
    constrained: bool = True,
    **fields: Any,
) -> optuna.trial.FrozenTrial:
    finished = FinishedTrial(
        number=0,
        state=state,
        hyperparameters={},
        parameter_count=size,
        trainable_parameter_count=size,
        seed=0,
        **{"score": 0.9, "epochs": 3, **fields},
    )
    trial = study.ask()
    trial.set_user_attr(RECORD, packed(finished))
    tell(study, trial, finished, missing=missing, constrained=constrained)
    return study.trials[trial.number]


def test_a_size_is_feasible_where_it_reaches():
    study = optuna.create_study()
    reached = told(study, TrialState.COMPLETE, 1000, -0.01, reached=True)
    missed = told(study, TrialState.PRUNED, 10, 0.2)
    assert (reached.value, missed.value) == (pytest.approx(3), pytest.approx(1))
    assert reached.constraints == {"target": -0.01, "size": 0.0}
    assert missed.constraints == {"target": 0.2, "size": 0.0}


def test_what_was_too_large_is_infeasible_by_its_size_alone():
    study = optuna.create_study()
    told(study, TrialState.COMPLETE, 200, -0.01, reached=True)
    told(study, TrialState.COMPLETE, 100, -0.01, reached=True)
    told(study, TrialState.PRUNED, 10, 0.2)
    unbegun = told(study, TrialState.REJECTED, 300, None, score=None, epochs=0)
    beaten = told(study, TrialState.PRUNED, 300, None, score=None)
    as_large = told(study, TrialState.REJECTED, 100, None, score=None, epochs=0)
    too_large = {"target": 0.0, "size": pytest.approx(math.log(3))}
    assert (unbegun.state, unbegun.constraints) == (PRUNED, too_large)
    assert (beaten.state, beaten.constraints) == (COMPLETE, too_large)
    assert as_large.constraints == {"target": 0.0, "size": LEAST}
    first = told(optuna.create_study(), TrialState.REJECTED, 9, None, score=None, epochs=0)
    assert first.constraints == {"target": 0.0, "size": LEAST}
    told(study, TrialState.COMPLETE, 0, -0.01, reached=True)  # a model without parameters
    beyond = told(study, TrialState.REJECTED, 5, None, score=None, epochs=0)
    assert beyond.constraints == {"target": 0.0, "size": pytest.approx(math.log(5))}


def test_a_failure_is_the_worst_so_far_and_no_small_one():
    study = optuna.create_study()
    unbuilt = told(study, TrialState.FAIL, 0, None, score=None, epochs=0)
    assert (unbuilt.state, unbuilt.constraints) == (PRUNED, {"target": 1.0, "size": 0.0})
    told(study, TrialState.PRUNED, 10, 3.0)
    trained = told(study, TrialState.FAIL, 10, None, score=None)
    assert (trained.state, trained.constraints) == (COMPLETE, {"target": 3.0, "size": 0.0})


def test_time_cuts_short_what_is_known_of_a_trial_and_not_what_it_has_scored():
    study, cut = optuna.create_study(), {"reason": Stop.OUT_OF_TIME.value}
    unknown = told(study, TrialState.PRUNED, 10, None, score=None, **cut)
    assert (unknown.state, unknown.constraints) == (optuna.trial.TrialState.FAIL, {})
    scored = told(study, TrialState.PRUNED, 10, 0.2, **cut)
    assert (scored.state, scored.constraints["target"]) == (COMPLETE, 0.2)


def test_a_sampler_that_reads_no_constraints_is_told_by_the_value():
    study = optuna.create_study()
    values = [
        told(study, TrialState.COMPLETE, size, missing, constrained=False).value
        for size, missing in ((100, 0.0), (1000, -0.01), (10**9, -0.01), (10, 0.1), (10, 0.2))
    ]
    assert values == sorted(values)
    assert values[:3] == pytest.approx([2, 3, 9])
    assert not study.trials[0].constraints
