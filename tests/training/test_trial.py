"""What becomes of a trial, by how its run ended."""

from __future__ import annotations

import functools
import math
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
from occam.search.data.preparation import prepare, without_test
from occam.search.errors import OccamError
from occam.search.executors.choice import executor
from occam.search.executors.in_process import Recipe
from occam.search.loading import load
from occam.search.loop import Budget
from occam.search.losses import link
from occam.search.metrics import metric
from occam.search.pipeline import Pipeline
from occam.search.progress import SearchProgress
from occam.search.screen import Screen
from occam.search.shortfall import shortfall
from occam.search.stopping import EXPONENT, PATIENCE, Stop
from occam.search.training.fit import Run
from occam.search.training.rehearsal import task_fingerprint
from occam.search.training.trial import Task, conclude, run_trial, stops_of
from occam.search.trials import FinishedTrial, Trial, TrialState
from tasks import blobs

ACCURACY = metric("accuracy")
TARGET = 0.9
TRIAL = Trial(
    number=0,
    hyperparameters={},
    parameter_count=3,
    trainable_parameter_count=3,
    epochs=60,
    seed=0,
)


def ended(tmp_path, scores: list[float], stop: Stop | None, trial: Trial = TRIAL) -> FinishedTrial:
    pipeline = Pipeline(data=lambda: None, space=lambda hp: None, target=TARGET)
    task = Task(pipeline=pipeline, search_target=TARGET, models=tmp_path)
    run = Run(history={"score": scores}, epochs=len(scores), stop=stop, model=small)
    return conclude(task, trial, run)


def small() -> keras.Model:
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def became(finished: FinishedTrial) -> tuple[TrialState, bool, str]:
    return finished.state, finished.reached, finished.reason


def test_a_model_whose_loss_cannot_be_written_down_is_kept_without(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", functools.partial(keras.losses.binary_crossentropy, from_logits=True))
    task = Task(
        pipeline=Pipeline(data=list, space=list, target=TARGET),
        search_target=TARGET,
        models=tmp_path,
    )
    run = Run(history={"score": [0.95] * 2}, epochs=2, stop=Stop.REACHED, model=lambda: model)
    kept = keras.saving.load_model(conclude(task, TRIAL, run).model_path)
    assert kept.count_params() == 3
    assert link(model.loss) == "sigmoid"
    assert model.compiled


def test_a_curve_that_came_to_rest_is_taken_at_what_it_has_come_to(tmp_path):
    """Not at what it could have become: samplers would stay with the worst models there are."""
    resting = ended(tmp_path, [0.7] * (PATIENCE + 1), Stop.PLATEAU)
    assert resting.state is TrialState.PRUNED
    assert resting.projected_score == resting.score == 0.7
    assert shortfall(resting, ACCURACY, TARGET) == pytest.approx(0.2)


def test_one_that_was_cut_short_is_taken_at_what_it_could_have_become(tmp_path):
    rising = ended(tmp_path, [0.5, 0.6, 0.7, 0.8], Stop.OUT_OF_TIME)
    assert rising.score == pytest.approx(0.75)
    assert rising.projected_score > TARGET


def test_one_that_went_its_whole_way_is_judged_by_how_it_ended(tmp_path):
    whole = "trained to its last epoch"
    lucky = ended(tmp_path, [0.7, 0.95], None)
    assert became(lucky) == (TrialState.COMPLETE, False, whole)
    assert (lucky.epochs, lucky.history, lucky.model_path) == (2, {"score": [0.7, 0.95]}, None)
    assert became(ended(tmp_path, [0.99, 0.85], None)) == (TrialState.COMPLETE, False, whole)
    steady = ended(tmp_path, [0.9, 0.95], None)
    assert became(steady) == (TrialState.COMPLETE, True, whole)
    assert keras.saving.load_model(steady.model_path).count_params() == 3
    assert became(ended(tmp_path, [0.95], None)) == (TrialState.COMPLETE, True, whole)


def test_one_that_the_budget_cut_short_has_reached_by_two_epochs_or_is_out_of_them(tmp_path):
    cut = replace(TRIAL, cut_short=True)
    out = (TrialState.PRUNED, False, Stop.OUT_OF_EPOCHS.value)
    assert became(ended(tmp_path, [0.95], None, cut)) == out
    assert became(ended(tmp_path, [0.7, 0.95], None, cut)) == out
    assert became(ended(tmp_path, [0.9, 0.95], None, cut))[:2] == (TrialState.COMPLETE, True)
    resting = ended(tmp_path, [0.7] * (PATIENCE + 1), Stop.PLATEAU, cut)
    assert resting.reason == Stop.PLATEAU.value


def test_one_that_stopped_itself_short_of_the_target_has_not_reached_it(tmp_path):
    given_up = ended(tmp_path, [0.9, 0.95], Stop.OUT_OF_TIME)
    assert became(given_up) == (TrialState.PRUNED, False, Stop.OUT_OF_TIME.value)


def test_one_that_has_no_finite_score_fails_with_the_epochs_that_it_took(tmp_path):
    failed = ended(tmp_path, [0.95, 0.95, math.nan], Stop.NOT_FINITE)
    assert (failed.state, failed.epochs, failed.score) == (TrialState.FAIL, 3, None)
    assert failed.error == "the loss or the score is not a finite number, in epoch 3"


def test_a_run_is_stopped_by_all_that_its_trial_may_take_and_by_what_the_search_has_learned():
    task = Task(
        pipeline=Pipeline(data=list, space=list, target=TARGET), search_target=0.93, models=Path()
    )
    plain = stops_of(task, TRIAL)
    assert (plain.search_target, plain.epochs, plain.trained) == (0.93, 60, 0)
    assert plain.exponent == EXPONENT
    later = stops_of(task, replace(TRIAL, initial_epoch=3, exponent=0.9))
    assert (later.epochs, later.trained, later.exponent) == (63, 3, 0.9)
    assert stops_of(task, replace(TRIAL, initial_epoch=3, horizon=90)).epochs == 90


def test_a_model_of_another_size_than_was_counted_does_not_reach(tmp_path):
    wrong = ended(tmp_path, [0.95] * 2, Stop.REACHED, replace(TRIAL, parameter_count=2))
    assert (wrong.state, wrong.reached, wrong.model_path) == (TrialState.FAIL, False, None)
    said = "its model had 2 parameters when it was counted and 3 when it was trained: have all its"
    assert wrong.error.startswith(said)


@pytest.mark.parametrize(
    "change",
    [("units, activation", "units + 1, activation"), ("2.2 * labels", "2.1 * labels")],
    ids=["space", "data"],
)
def test_a_worker_trains_no_pipeline_that_was_changed_since_the_search_began(tmp_path, change):
    pipeline = load(blobs(tmp_path))
    task = task_fingerprint(pipeline, prepare(pipeline))
    recipe = Recipe(
        source=blobs(tmp_path, change),
        task=task,
        target=0.9,
        metric="accuracy",
        search_target=0.9,
        models=tmp_path,
        trainer="fit",
        deadline=math.inf,
    )
    with pytest.raises(OccamError, match="not those that the search began with: run the command"):
        recipe.executor()
    blobs(tmp_path)
    assert recipe.executor().size == 1


BLOB = replace(TRIAL, parameter_count=10, hyperparameters={"layers": 0, "learning_rate": 1e-3})


@pytest.mark.parametrize("trainer", ["fit", "population"])
def test_a_trial_under_way_ends_with_the_search_s_time_wherever_it_is_trained(tmp_path, trainer):
    source = blobs(tmp_path)
    common = {"target": 0.9, "metric": "accuracy", "models": tmp_path, "trainer": trainer}
    pipeline = load(source)
    prepared = prepare(pipeline)
    common["task"] = task_fingerprint(pipeline, prepared)
    recipe = Recipe(source=source, search_target=0.9999, deadline=time.monotonic(), **common)
    plan = SimpleNamespace(
        pipeline=pipeline,
        search_target=0.9999,
        prepared=prepared,
        trainer=trainer,
        places=SimpleNamespace(here=True),
    )
    progress = SearchProgress(Screen(quiet=True), Budget())
    here = executor(plan, source, tmp_path, seconds=1e-6, progress=progress)
    for each in (recipe.executor(), here):
        future = each.submit(BLOB)
        while not future.done():
            each.wait([future])
        assert future.result().reason == Stop.OUT_OF_TIME.value
        assert future.result().epochs == 1


def test_what_breaks_off_fails_with_the_epochs_and_the_time_that_it_took(tmp_path):
    pipeline = load(blobs(tmp_path))
    data = without_test(prepare(pipeline).data)

    def breaks(epochs: int, score: float) -> bool:
        if epochs == 2:
            raise OSError("the disk\nis gone")
        return False

    task = Task(pipeline=pipeline, search_target=0.9999, models=tmp_path)
    finished = run_trial(task, BLOB, data, breaks)
    assert (finished.state, finished.epochs) == (TrialState.FAIL, 2)
    assert finished.error == "OSError: the disk is gone"
    assert 0 < finished.seconds < 60
