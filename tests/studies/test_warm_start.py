"""What a KerasTuner project or an Optuna study knows becomes the start of a search."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import optuna
import pytest
from occam.search.engines import keras_tuner as keras_tuner_engine
from occam.search.engines import optuna as optuna_engine
from occam.search.errors import InputError
from occam.search.metrics import metric
from occam.search.pipeline import Data, Pipeline
from occam.search.studies.earlier import FIRST, Earlier, teach
from occam.search.studies.warm_start import read
from occam.search.trials import TrialState, finish

ACCURACY = metric("accuracy")
ENGINES = {"optuna": optuna_engine.Engine, "keras-tuner": keras_tuner_engine.Engine}
SAMPLERS = {"optuna": "tpe", "keras-tuner": "bayesian"}

every_engine = pytest.mark.parametrize("name", ENGINES)


def build(hp) -> keras.Model:
    units = hp.Int("units", 1, 60)
    rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units)])
    model.compile(keras.optimizers.SGD(rate), loss="mse")
    return model


def engine(name: str, folder: Path, storage: str | None = None):
    return ENGINES[name](
        Pipeline(data=lambda: Data((), (), ()), space=build, target=0.9, name="toy"),
        name="toy",
        storage=storage or folder / "study.journal",
        sampler=SAMPLERS[name],
        seed=0,
        metric=ACCURACY,
        search_target=0.9,
        inputs=np.zeros((4, 6), dtype="float32"),
    )


def accuracy(units: int) -> float:
    return 0.5 + units / 120


class Tuner(keras_tuner.RandomSearch):
    """A KerasTuner user's tuner whose trials need no training."""

    def run_trial(self, trial, *args, **kwargs):
        units = trial.hyperparameters.get("units")
        return {"val_accuracy": accuracy(units), "val_loss": 1 / units}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    with warnings.catch_warnings(action="ignore"):
        tuner = Tuner(
            build, objective="val_accuracy", max_trials=25, directory=folder, project_name="mine"
        )
        tuner.search(verbose=0)
    return folder / "mine"


def objective(trial: optuna.Trial) -> float:
    units = trial.suggest_int("units", 1, 60)
    trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    return accuracy(units)


def study(storage, name: str = "mine", direction: str = "maximize", trials: int = 25):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = optuna.create_study(
        storage=storage,
        study_name=name,
        direction=direction,
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    made.optimize(objective, n_trials=trials)
    return made


@every_engine
def test_the_most_promising_of_a_kerastuner_project_are_tried_first(name, project, tmp_path):
    earlier = read(str(project), ACCURACY)
    assert len(earlier) == 25
    searching = engine(name, tmp_path)
    said = teach(searching, earlier, ACCURACY, 0.9)
    assert said == f"25 of its 25 trials fit this space, {FIRST} are tried first"
    sizes = [each.hyperparameters["units"] for each in earlier]
    reaching = sorted(size for size in sizes if accuracy(size) >= 0.9)
    falling = sorted((size for size in sizes if accuracy(size) < 0.9), reverse=True)
    asked = [trial.hyperparameters["units"] for trial in searching.ask(FIRST)]
    assert asked == [*reaching, *falling][:FIRST]


@every_engine
def test_what_was_trained_elsewhere_teaches_and_does_not_count(name, project, tmp_path):
    searching = engine(name, tmp_path)
    teach(searching, read(str(project), ACCURACY), ACCURACY, 0.9)
    assert searching.finished == []
    trial = searching.ask(1)[0]
    done = finish(trial, TrialState.COMPLETE, score=0.8, projected_score=0.8, epochs=3)
    searching.tell(done)
    resumed = engine(name, tmp_path)
    assert resumed.finished == [done]
    assert resumed.ask(1)[0].number > trial.number


@pytest.mark.parametrize(
    ("name", "said", "score"),
    [
        ("accuracy", "val_sparse_categorical_accuracy", 0.5),
        ("accuracy", "val_balanced_accuracy", None),
        ("mse", "val_mse", 0.5),
        ("mse", "val_rmse", None),
    ],
)
def test_a_metric_is_not_taken_for_another_that_is_called_alike(name, said, score, tmp_path):
    observations = {"observations": [{"value": [0.5], "step": 0}]}
    state = {
        "status": "COMPLETED",
        "hyperparameters": {"values": {"units": 3}},
        "metrics": {"metrics": {said: observations}},
    }
    (tmp_path / "trial_0").mkdir()
    (tmp_path / "trial_0" / "trial.json").write_text(json.dumps(state))
    assert read(str(tmp_path), metric(name))[0].score == score


def test_the_folder_above_a_project_will_do_and_its_own_hyperparameters_are_left_out(
    project, tmp_path
):
    state = json.loads(next(project.glob("trial_*/trial.json")).read_text())
    state["hyperparameters"]["values"] |= {"tuner/epochs": 3, "tuner/trial_id": "0001"}
    (tmp_path / "mine" / "trial_0").mkdir(parents=True)
    (tmp_path / "mine" / "trial_0" / "trial.json").write_text(json.dumps(state))
    assert set(read(str(tmp_path), ACCURACY)[0].hyperparameters) == {"units", "rate"}


def test_what_teaches_a_study_of_a_database_is_not_trained(project, tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    searching = engine("optuna", tmp_path, url)
    teach(searching, read(str(project), ACCURACY), ACCURACY, 0.9)
    states = [each.state.name for each in searching._study.get_trials(deepcopy=False)]
    assert "RUNNING" not in states
    assert not searching.others.busy()
    assert not engine("optuna", tmp_path, url).others.left()


@pytest.mark.parametrize("kind", ["journal", "sqlite file", "url"])
def test_an_optuna_study_is_read_from_where_optuna_keeps_it(kind, tmp_path):
    if kind == "journal":
        place = str(tmp_path / "study.log")
        backend = optuna.storages.journal.JournalFileBackend(place)
        study(optuna.storages.JournalStorage(backend))
    else:
        url = f"sqlite:///{tmp_path}/study.db"
        study(url)
        place = url if kind == "url" else str(tmp_path / "study.db")
    earlier = read(place, ACCURACY)
    assert len(earlier) == 25
    assert earlier[0].score == pytest.approx(accuracy(earlier[0].hyperparameters["units"]))


def test_an_objective_that_goes_the_other_way_is_no_score_but_ranks(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    study(url, direction="minimize")
    earlier = read(url, ACCURACY)
    assert {each.score for each in earlier} == {None}
    best = min(earlier, key=lambda each: each.rank)
    assert best.hyperparameters["units"] == min(e.hyperparameters["units"] for e in earlier)


def test_one_of_several_studies_is_named(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    study(url, "one", trials=2)
    study(url, "two", trials=3)
    assert len(read(f"{url}#two", ACCURACY)) == 3
    with pytest.raises(InputError, match=r"holds 2 studies \(one, two\): add #NAME"):
        read(url, ACCURACY)
    with pytest.raises(InputError, match="no study 'three'. Available studies: one, two"):
        read(f"{url}#three", ACCURACY)


def test_a_search_of_occams_own_is_read_with_its_scores(tmp_path):
    searching = engine("optuna", tmp_path)
    for trial in searching.ask(3):
        searching.tell(finish(trial, TrialState.COMPLETE, score=0.7, projected_score=0.7))
    searching.remember("metric", "accuracy")
    earlier = read(str(tmp_path / "study.journal"), ACCURACY)
    assert [each.score for each in earlier] == [0.7, 0.7, 0.7]
    other = read(str(tmp_path / "study.journal"), metric("mae"))
    assert [each.score for each in other] == [None, None, None]


@every_engine
def test_what_does_not_fit_is_left_out(name, tmp_path):
    rate = 0.01
    earlier = [
        Earlier(hyperparameters={"units": 5, "rate": rate}, score=0.5),
        Earlier(hyperparameters={"units": 61, "rate": rate}, score=0.99),
        Earlier(hyperparameters={"units": 5}, score=0.99),
        Earlier(hyperparameters={"units": 5, "rate": rate, "depth": 2}, score=0.99),
    ]
    searching = engine(name, tmp_path)
    said = teach(searching, earlier, ACCURACY, 0.9)
    assert said == "1 of its 4 trials fit this space, 1 are tried first"
    assert searching.ask(1)[0].hyperparameters == {"units": 5, "rate": rate}
    nothing = teach(engine(name, tmp_path / "b"), earlier[1:], ACCURACY, 0.9)
    assert nothing == "none of its 3 trials fits this space"


def test_a_project_without_the_metric_still_says_what_to_try(project):
    assert {each.score for each in read(str(project), metric("auc"))} == {None}
    assert math.isinf(read(str(project), metric("auc"))[0].rank)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "does not exist: give a KerasTuner project directory, or an Optuna journal"),
        ("empty", "is no KerasTuner project: give the folder that holds its trial_"),
        ("text.txt", "is neither an Optuna journal nor a SQLite file"),
        ("sqlite:////no/such/folder/x.db", "does not exist"),
        ("mysql://nobody@localhost/x", "cannot be read"),
        ("broken", "cannot be read"),
    ],
)
def test_what_is_no_study_is_refused_in_one_line(workplace, source, message):
    Path("empty").mkdir()
    Path("text.txt").write_text("no journal\n")
    Path("broken", "trial_0").mkdir(parents=True)
    Path("broken", "trial_0", "trial.json").write_text("{}")
    with pytest.raises(InputError, match=message) as error:
        read(source, ACCURACY)
    assert "\n" not in str(error.value)
