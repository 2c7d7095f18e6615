"""What becomes of a trial, by how its run ended."""

from __future__ import annotations

import functools

import keras
import pytest
from occam.search.losses import link
from occam.search.metrics import metric
from occam.search.pipeline import Pipeline
from occam.search.shortfall import shortfall
from occam.search.stopping import PATIENCE, Stop
from occam.search.training.fit import Run
from occam.search.training.trial import Task, conclude
from occam.search.trials import FinishedTrial, Trial, TrialState

ACCURACY = metric("accuracy")
TARGET = 0.9
TRIAL = Trial(
    number=0,
    hyperparameters={},
    parameter_count=10,
    trainable_parameter_count=10,
    epochs=60,
    seed=0,
)


def ended(tmp_path, scores: list[float], stop: Stop) -> FinishedTrial:
    pipeline = Pipeline(data=lambda: None, space=lambda hp: None, target=TARGET)
    task = Task(pipeline=pipeline, search_target=TARGET, models=tmp_path)
    run = Run(history={"score": scores}, epochs=len(scores), stop=stop, model=lambda: None)
    return conclude(task, TRIAL, run)


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
