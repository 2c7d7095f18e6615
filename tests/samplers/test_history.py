"""What a study's records teach the sampler, and what they do not."""

from __future__ import annotations

import math
from typing import Any

import optuna
import pytest
from occam.search.samplers.candidates import Configuration, Measured
from occam.search.samplers.history import HOPELESS, PRUNED_WEIGHT, WORST, History
from occam.search.stopping import Stop
from occam.search.trials import BATCH, PARENT, RECORD, FinishedTrial, TrialState, packed
from optuna.distributions import IntDistribution

UNITS = {"units": IntDistribution(1, 4000)}
COMPLETE, PRUNED = TrialState.COMPLETE, TrialState.PRUNED


def told(
    size: int, state: TrialState, score: float | None, *, attributes: Any = None, **fields: Any
) -> optuna.trial.FrozenTrial:
    """A trial of so many units, and as many parameters."""
    finished = FinishedTrial(
        number=0,
        state=state,
        hyperparameters={"units": size},
        parameter_count=size,
        trainable_parameter_count=size,
        seed=0,
        score=score,
        **{"reached": state is COMPLETE, "epochs": 20, **fields},
    )
    known = {RECORD: packed(finished), **(attributes or {})}
    return optuna.trial.create_trial(
        params={"units": size}, distributions=UNITS, value=1.0, user_attrs=known
    )


def history(*trials: optuna.trial.FrozenTrial, before: int = 99) -> History:
    """An outcome is how far a score is beyond 0.95."""
    study = optuna.create_study()
    study.add_trials(trials)
    return History(study, before, lambda score: score - 0.95)


def sizes(known: History) -> list[int]:
    return [each.size for each in known.trained]


def key(size: int) -> str:
    return Configuration({"units": size}, UNITS, Measured(size)).key


def test_what_comes_later_is_not_known_and_what_is_under_way_is_not_proposed_again():
    under_way = optuna.trial.create_trial(
        params={"units": 7}, distributions=UNITS, state=optuna.trial.TrialState.RUNNING
    )
    known = history(told(9, PRUNED, 0.9), under_way, told(8, PRUNED, 0.9), before=2)
    assert sizes(known) == [9]
    assert known.known == {key(9), key(7)}


def test_what_time_cut_short_may_be_tried_again():
    cut = told(9, PRUNED, 0.9, reason=Stop.OUT_OF_TIME.value)
    assert history(cut, told(8, PRUNED, 0.9)).known == {key(8)}


def test_the_incumbent_is_the_smallest_that_reached():
    known = history(told(9, COMPLETE, 0.96), told(7, COMPLETE, 0.96), told(5, PRUNED, 0.9))
    assert (known.incumbent.number, known.smallest) == (1, 7)
    assert history(told(5, PRUNED, 0.9)).smallest == math.inf


def test_what_was_in_vain_since_the_incumbent_began_with_nothing():
    vain = [told(5, PRUNED, 0.9), told(6, PRUNED, 0.9)]
    child = told(4, PRUNED, 0.9, attributes={PARENT: 1})
    assert history(*vain).fruitless == 0
    assert history(vain[0], told(7, COMPLETE, 0.96), child, *vain).fruitless == 2


def test_the_best_are_the_smallest_that_reached_and_the_nearest_of_the_smaller_that_did_not():
    known = history(
        *(told(size, COMPLETE, 0.96) for size in (50, 10, 40, 20, 30)),
        told(60, PRUNED, 0.949),
        *(told(size, PRUNED, score) for size, score in ((3, 0.7), (5, 0.9), (4, 0.8))),
    )
    assert [each.size for each in known.best(5)] == [10, 20, 30, 5, 4]


def test_how_long_a_trial_takes_is_known_from_those_that_began_with_nothing():
    known = history(
        *(told(9, COMPLETE, 0.96, epochs=epochs) for epochs in (30, 50, 20)),
        told(8, COMPLETE, 0.96, epochs=2, attributes={PARENT: 0}),
        told(7, PRUNED, 0.9, epochs=6),
        told(6, TrialState.FAIL, None, epochs=0),
    )
    assert (known.epochs(True), known.epochs(False)) == (30, 6)


def test_children_teach_the_surrogate_nothing():
    alone = [told(size, PRUNED, 0.5 + size / 100) for size in range(10, 30)]
    child = told(5, COMPLETE, 1.0, attributes={PARENT: 0})
    asked = [Configuration({"units": size}, UNITS, Measured(size)) for size in (4, 40)]
    means = [history(*trials).surrogate(0).predict(asked)[0] for trials in (alone, [*alone, child])]
    assert list(means[0]) == list(means[1])


def test_an_outcome_lies_between_what_was_and_what_could_have_been():
    stopped, whole, reached, near, failed = history(
        told(1, PRUNED, 0.75, projected_score=0.85),
        told(2, COMPLETE, 0.85, reached=False),
        told(3, COMPLETE, 0.96),
        told(4, PRUNED, 0.94, projected_score=1.0),
        told(5, TrialState.FAIL, None),
    ).trained
    assert (stopped.outcome, stopped.weight) == (pytest.approx(-0.15), PRUNED_WEIGHT)
    assert (whole.outcome, whole.weight) == (pytest.approx(-0.1), 1.0)
    assert (reached.outcome, reached.weight) == (pytest.approx(0.01), 1.0)
    assert near.outcome == 0.0, "it has not reached"
    assert (failed.outcome, failed.weight) == (WORST, PRUNED_WEIGHT)
    observed = [each.observed() for each in (reached, whole, failed)]
    assert observed[2].outcome == HOPELESS
    weights = [each.weight for each in observed]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > 0.99


def test_nothing_is_learned_of_what_a_smaller_one_of_its_batch_made_needless():
    batch = {BATCH: 0}
    known = history(
        told(10, PRUNED, 0.9, attributes=batch),
        told(20, COMPLETE, 0.96, attributes=batch),
        told(25, COMPLETE, 0.96, attributes=batch),
        told(30, PRUNED, 0.9, attributes=batch),
        told(40, PRUNED, 0.9, attributes={BATCH: 4}),
        told(50, PRUNED, 0.9),
        told(60, PRUNED, None),
        told(70, TrialState.REJECTED, None, epochs=0),
        told(80, TrialState.FAIL, None),
    )
    assert sizes(known) == [10, 20, 40, 50, 80]
