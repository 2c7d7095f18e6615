"""Files as users of KerasTuner and Optuna write them run on both engines, unmodified."""

from __future__ import annotations

import importlib
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from occam.search.counting import count_build
from occam.search.data.preparation import prepare, without_test
from occam.search.executors.in_process import InProcess
from occam.search.loading import load
from occam.search.loop import Budget, run
from occam.search.metrics import metric
from occam.search.models.building import Builder, build, restore
from occam.search.models.configuration import GivenHyperParameters, read
from occam.search.models.evaluation import score
from occam.search.pipeline import Data, Pipeline
from occam.search.plan import Plan, plan
from occam.search.settings import Settings, asked_for
from occam.search.training.trial import Task
from occam.search.training.users_fit import fit_space
from occam.search.trials import TrialState

USERS = sorted(Path(__file__).with_name("users").glob("*.py"))
SAMPLERS = {"optuna": "tpe", "keras_tuner": "random"}
FIT = {  # hyperparameters that only a HyperModel's own `fit` reads
    "tune_in_fit": {"scale", "shuffle", "batch_size"},
    "custom_training_loop": {"batch_size", "learning_rate"},
    "returns_metrics": {"batch_size"},
    "own_epochs_and_callbacks": {"epochs"},
}


def loaded(path: Path) -> Pipeline:
    if "tensorflow" in path.read_text() and keras.backend.backend() != "tensorflow":
        pytest.skip("its training loop is TensorFlow's own")
    return load(str(path))


def planned_of(**given) -> Plan:
    settings = Settings(**given)
    return plan(settings, asked_for(settings))


@pytest.mark.slow
@pytest.mark.parametrize("engine", SAMPLERS)
@pytest.mark.parametrize("path", USERS, ids=lambda path: path.stem)
def test_a_users_file_is_searched(tmp_path, path, engine):
    loaded(path)
    planned = planned_of(pipeline=str(path))
    pipeline, data = planned.pipeline, planned.prepared.data
    searching = importlib.import_module(f"occam.search.engines.{engine}").Engine(
        pipeline,
        name="users",
        storage=tmp_path / "study.journal",
        sampler=SAMPLERS[engine],
        seed=0,
        metric=planned.metric,
        search_target=pipeline.target,
        inputs=data.train[0],
        fit_space=planned.fit_space,
    )
    task = Task(pipeline=pipeline, search_target=pipeline.target, models=tmp_path / "models")
    finished = run(searching, InProcess(task, without_test(data)), budget=Budget(trials=1))
    told = [each for each in finished if each.state is not TrialState.REJECTED]
    errors = {each.error for each in told} - {None}
    assert path.stem == "gives_up" or not errors
    assert all("must not be wider" in error for error in errors)
    for each in told:
        assert (
            each.error or searching.fitting(each.hyperparameters).size.total == each.parameter_count
        )
        assert each.error or each.hyperparameters.keys() >= FIT.get(path.stem, set())
    for each in finished:
        if each.reached:
            model = restore(pipeline, each, data.test[0])
            assert model.count_params() == each.parameter_count
            assert np.isfinite(score(model, data.test, metric(pipeline.metric)))
    if engine == "optuna":  # its first trial is the default of the space
        assert finished[0].reached


@pytest.mark.parametrize("name", ["inputs_in_a_list", "subclassed"])
def test_why_models_are_trained_one_at_a_time_is_said(name):
    path = str(Path(__file__).with_name("users") / f"{name}.py")
    planned = planned_of(pipeline=path)
    assert planned.trainer == "fit"
    assert planned.notes[-1].startswith("Trained one at a time, by fit: there is no population of")
    assert planned.notes[:-1] == planned_of(pipeline=path, trainer="fit").notes


def test_there_are_as_many_kinds_of_users_as_promised():
    assert len(USERS) >= 12


@pytest.mark.parametrize("name", FIT)
def test_what_only_fit_reads_is_found_before_the_search(name):
    pipeline = loaded(Path(__file__).with_name("users") / f"{name}.py")
    found, _ = fit_space(pipeline, prepare(pipeline).data)
    assert {each.name for each in found} == FIT[name]


@pytest.mark.parametrize(
    "space",
    [
        keras_tuner.applications.HyperResNet(input_shape=(32, 32, 3), classes=3),
        keras_tuner.applications.HyperXception(input_shape=(72, 72, 3), classes=3),
    ],
    ids=["HyperResNet", "HyperXception"],
)
@pytest.mark.slow
def test_kerastuners_own_applications_are_spaces(space):
    pipeline = Pipeline(data=lambda: Data((), (), ()), space=space, target=0.9, name="toy")
    hp = GivenHyperParameters({})
    assert count_build(lambda: build(pipeline, hp), np.zeros((1, 72, 72, 3))).total > 1000
    assert {"learning_rate"} < read(hp).keys()
    assert Builder(pipeline, None).discover().space
