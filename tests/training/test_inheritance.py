"""A trial that begins with the units of another: close to it at once, an ordinary model at last."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from occam.search.data.preparation import prepare, without_test
from occam.search.loading import load
from occam.search.metrics import metric
from occam.search.models.building import build, restore
from occam.search.models.configuration import GivenHyperParameters
from occam.search.models.evaluation import predictions, score
from occam.search.training import inheritance
from occam.search.training.population.executor import Population
from occam.search.training.trial import Task, run_trial
from occam.search.trials import Parent, Trial
from tasks import blobs

RATE = 0.03


FALLING = (  # to nothing, after four epochs of one step each
    ("Adam(rate)", "Adam(keras.optimizers.schedules.PiecewiseConstantDecay([4], [rate, 0.0]))"),
    ("epochs=12", "epochs=12, batch_size=200"),
)


def task(tmp_path, target=0.9, *changes):
    pipeline = load(blobs(tmp_path, *changes))
    data = without_test(prepare(pipeline).data)
    return Task(pipeline=pipeline, search_target=target, models=tmp_path / "models"), data


def trial(number: int, units: int, *, parent: Parent | None = None, epochs: int = 12) -> Trial:
    count = 5 * units + 2 * (units + 1)
    return Trial(
        number=number,
        hyperparameters={"layers": 1, "units_0": units, "learning_rate": RATE},
        parameter_count=count,
        trainable_parameter_count=count,
        epochs=epochs,
        seed=number,
        parent=parent,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A task, its data, and a trial of it with 16 units that has reached."""
    searching, data = task(tmp_path_factory.mktemp("trained"))
    return searching, data, run_trial(searching, trial(0, 16), data)


def parent(finished) -> Parent:
    return Parent(
        number=finished.number,
        hyperparameters=finished.hyperparameters,
        model_path=finished.model_path,
        epochs=finished.epochs,
    )


@pytest.mark.slow
def test_the_most_useful_units_predict_nearly_what_all_of_them_do(trained):
    searching, data, finished = trained
    pipeline = searching.pipeline
    narrow = trial(1, 12)
    model = build(pipeline, GivenHyperParameters(narrow.hyperparameters))
    fresh = predictions(model, data.validation[0])
    giving = inheritance.Inheritance(pipeline, data.train[0])
    weights, note = giving.give(parent(finished), model)
    assert weights is not None
    assert note == "begun with units of trial 0"
    expected = predictions(restore(pipeline, finished, data.train[0]), data.validation[0])
    inherited = predictions(model, data.validation[0])
    assert np.abs(inherited - expected).mean() < 0.3 * np.abs(fresh - expected).mean()


@pytest.mark.slow
def test_a_parent_is_read_once_for_all_of_its_children(trained, monkeypatch):
    searching, data, finished = trained
    pipeline, read = searching.pipeline, []

    def given(giving: inheritance.Inheritance, units: int) -> list[np.ndarray]:
        model = build(pipeline, GivenHyperParameters(trial(1, units).hyperparameters))
        weights, _ = giving.give(parent(finished), model)
        assert weights is not None
        return weights

    expected = given(inheritance.Inheritance(pipeline, data.train[0]), 9)
    actual = inheritance._read
    monkeypatch.setattr(inheritance, "_read", lambda *of: read.append(of) or actual(*of))
    giving = inheritance.Inheritance(pipeline, data.train[0])
    wider, narrower = given(giving, 12), given(giving, 9)
    assert len(read) == 1
    assert wider[0].shape == (4, 12)
    assert narrower[0].shape == (4, 9)
    for one, other in zip(narrower, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_child_is_trained_judged_and_saved_as_any_trial(trained):
    searching, data, finished = trained
    child = run_trial(searching, trial(1, 12, parent=parent(finished)), data)
    assert child.reached
    assert child.parent == 0
    assert 2 <= child.epochs <= finished.epochs
    assert child.reason == "reached the search target, begun with units of trial 0"
    model = restore(searching.pipeline, child, data.train[0])
    assert model.count_params() == child.parameter_count
    measured = score(model, data.validation, metric("accuracy"))
    assert measured == pytest.approx(child.history["score"][-1])


@pytest.mark.slow
def test_children_train_together_as_one_population(trained, tmp_path):
    searching, data, finished = trained
    searching = replace(searching, search_target=2.0, models=tmp_path)  # none reaches: all go on
    population = Population(searching, data)
    children = [trial(n, 16 - n, parent=parent(finished), epochs=3) for n in range(1, 5)]
    futures = [population.submit(each) for each in children]
    while not all(future.done() for future in futures):
        population.wait([future for future in futures if not future.done()])
    ended = [future.result() for future in futures]
    assert population._programs
    assert all("begun with units of trial 0" in each.reason for each in ended)
    assert all(each.history["score"][0] > 0.8 for each in ended)


@pytest.mark.slow
@pytest.mark.parametrize(("behind", "moves"), [(0, True), (5, False)])
def test_a_schedule_goes_on_where_that_of_the_parent_ended(trained, tmp_path, behind, moves):
    searching, data = task(tmp_path, 2.0, *FALLING)  # none reaches: all go on
    wide = replace(parent(trained[2]), epochs=behind)
    children = [trial(n, 16 - n, parent=wide, epochs=3) for n in range(1, 5)]
    population = Population(searching, data)
    futures = [population.submit(each) for each in children]
    while not all(future.done() for future in futures):
        population.wait([future for future in futures if not future.done()])
    assert population._programs
    together = [future.result() for future in futures]
    for ended in [run_trial(searching, children[0], data), *together]:
        assert "begun with units of trial 0" in ended.reason
        losses = ended.history["loss"]
        assert (losses[0] != pytest.approx(losses[-1], rel=1e-4)) == moves


@pytest.mark.slow
def test_a_model_that_does_not_agree_with_its_parent_begins_from_scratch(trained, monkeypatch):
    searching, data, finished = trained
    monkeypatch.setattr(inheritance, "TOLERANCE", -1.0)
    child = run_trial(searching, trial(1, 12, parent=parent(finished)), data)
    assert child.epochs >= 2
    assert "from scratch: its outputs differ by" in child.reason
    model = build(searching.pipeline, GivenHyperParameters(child.hyperparameters))
    drawn = model.get_weights()
    giving = inheritance.Inheritance(searching.pipeline, data.train[0])
    assert giving.give(parent(finished), model)[0] is None
    for one, other in zip(model.get_weights(), drawn, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_parent_that_is_gone_is_said(trained):
    searching, data, finished = trained
    gone = replace(parent(finished), model_path="nowhere.keras")
    child = run_trial(searching, trial(1, 12, parent=gone), data)
    assert child.epochs >= 2
    assert "from scratch: the model of trial 0 cannot be read" in child.reason
