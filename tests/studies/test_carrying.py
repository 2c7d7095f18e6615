"""A space that has changed since the last run: what still fits is kept, the rest set aside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from occam.search.engines import keras_tuner as keras_tuner_engine
from occam.search.engines import optuna as optuna_engine
from occam.search.metrics import metric
from occam.search.pipeline import Data, Pipeline
from occam.search.settings import sanitised
from occam.search.studies import carrying
from occam.search.studies.carrying import Depends, _moved, carry_over, depends, resume
from occam.search.trials import FinishedTrial, Trial, TrialState, finish, rejected

MODULES = {"optuna": optuna_engine, "keras-tuner": keras_tuner_engine}
OLD, NEW = Depends(space="a", rest="x"), Depends(space="b", rest="x")

every_engine = pytest.mark.parametrize("name", MODULES)


def space(most: int, kinds: tuple[str, ...]):
    def build(hp) -> keras.Model:
        units = hp.Int("units", 1, most)
        activation = hp.Choice("activation", list(kinds))
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units, activation)])
        model.compile(loss="mse")
        return model

    return build


WIDE, NARROW = space(30, ("relu", "elu")), space(15, ("relu", "elu", "tanh"))


def maker(name: str, build):
    def make(folder: Path):
        return MODULES[name].Engine(
            Pipeline(data=lambda: Data((), (), ()), space=build, target=0.9, name="toy"),
            name="toy",
            storage=folder / "study.journal",
            sampler="random",
            seed=0,
            metric=metric("accuracy"),
            search_target=0.9,
            inputs=np.zeros((4, 6), dtype="float32"),
        )

    return make


def become(trial: Trial, folder: Path) -> FinishedTrial:
    if trial.number == 3:
        return rejected(trial, "too large")
    model = folder / "models" / f"trial-{trial.number}.keras"
    model.parent.mkdir(parents=True, exist_ok=True)
    model.write_text(f"model {trial.number}")
    return finish(
        trial,
        TrialState.COMPLETE,
        score=0.95,
        projected_score=0.95,
        reached=True,
        epochs=2,
        model_path=str(model),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "studies" / "toy-1234"


def searched(name: str, folder: Path, trials: int = 12) -> list[FinishedTrial]:
    engine = maker(name, WIDE)(folder)
    for _ in range(trials):
        for trial in engine.ask(1):
            engine.tell(become(trial, folder))
    engine.remember("test", [{"trial": each.number, "score": 0.9} for each in engine.finished[:3]])
    engine.remember("seconds", 7.5)
    OLD.write(folder)
    return engine.finished


def carried(name: str, folder: Path) -> str:
    finished, kept = MODULES[name].records(folder / "study.journal", "toy")
    return carry_over(folder, finished, kept, maker(name, NARROW), NEW)


@every_engine
def test_trials_that_still_fit_are_kept_with_their_models(name, folder):
    before = searched(name, folder)
    fitting = [e for e in before if e.epochs and e.hyperparameters["units"] <= 15]
    assert 0 < len(fitting) < 11
    said = carried(name, folder)
    assert f"{len(fitting)} of 11 trained trials still fit" in said
    after = maker(name, NARROW)(folder).finished
    assert [each.hyperparameters for each in after] == [each.hyperparameters for each in fitting]
    assert [each.number for each in after] == list(range(len(after)))
    for old, new in zip(fitting, after, strict=True):
        assert Path(new.model_path).read_text() == f"model {old.number}"
        assert Path(new.model_path) == folder / "models" / f"carried-{old.number}.keras"


@every_engine
def test_what_was_trained_with_another_activation_is_not_kept(name, folder):
    searched(name, folder)
    finished, kept = MODULES[name].records(folder / "study.journal", "toy")

    def other(hp) -> keras.Model:
        model = WIDE(hp)
        model.compile("sgd", loss="mse")
        return model

    said = carry_over(folder, finished, kept, maker(name, other), NEW)
    assert "0 of 11 trained trials still fit" in said
    assert maker(name, other)(folder).finished == []


@every_engine
def test_the_earlier_search_lies_aside_as_it_was(name, folder):
    before = searched(name, folder)
    carried(name, folder)
    aside = next(path for path in folder.parent.iterdir() if path != folder)
    assert MODULES[name].records(aside / "study.journal", "toy")[0] == before
    assert depends(folder) == NEW
    assert depends(aside) == OLD


@every_engine
def test_a_search_goes_on_with_new_numbers_and_the_new_space(name, folder):
    searched(name, folder)
    carried(name, folder)
    engine = maker(name, NARROW)(folder)
    count = len(engine.finished)
    asked = engine.ask(6)
    assert [trial.number for trial in asked] == list(range(count, count + 6))
    assert all(trial.hyperparameters["units"] <= 15 for trial in asked)
    assert engine.recall("seconds") == 7.5


@every_engine
def test_every_model_that_saw_the_test_split_stays_counted(name, folder):
    before = searched(name, folder)
    carried(name, folder)
    engine = maker(name, NARROW)(folder)
    seen = [record["trial"] for record in engine.recall("test")]
    assert len(set(seen)) == 3
    numbers = {str(each.hyperparameters): each.number for each in engine.finished}
    assert seen == [
        numbers.get(str(each.hyperparameters), -1 - index) for index, each in enumerate(before[:3])
    ]


def test_a_trial_whose_model_has_become_another_size_does_not_fit(folder):
    searched("optuna", folder)
    finished, kept = optuna_engine.records(folder / "study.journal", "toy")

    def larger(hp) -> keras.Model:
        model = WIDE(hp)
        model.add(keras.layers.Dense(2))
        return model

    said = carry_over(folder, finished, kept, maker("optuna", larger), NEW)
    assert "0 of 11 trained trials still fit" in said


def test_a_change_that_was_interrupted_is_taken_up(folder, monkeypatch):
    searched("optuna", folder)
    finished, kept = optuna_engine.records(folder / "study.journal", "toy")

    def die(place: Path) -> Path:
        place.rename(place.with_name("aside"))
        raise KeyboardInterrupt

    monkeypatch.setattr(carrying, "set_aside", die)
    with pytest.raises(KeyboardInterrupt):
        carry_over(folder, finished, kept, maker("optuna", NARROW), NEW)
    assert not folder.exists()
    resume(folder)
    assert depends(folder) == NEW
    assert maker("optuna", NARROW)(folder).finished


def test_a_change_that_ended_before_anything_was_moved_is_made_anew(folder, monkeypatch):
    before = searched("optuna", folder)

    def die(place: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(carrying, "set_aside", die)
        with pytest.raises(KeyboardInterrupt):
            carried("optuna", folder)
    resume(folder)
    assert depends(folder) == OLD
    carried("optuna", folder)
    fitting = [each for each in before if each.epochs and each.hyperparameters["units"] <= 15]
    assert len(maker("optuna", NARROW)(folder).finished) == len(fitting)


def test_trials_without_a_model_are_kept_and_a_study_without_a_fingerprint_is_known(folder):
    searched("optuna", folder)
    finished, kept = optuna_engine.records(folder / "study.journal", "toy")
    missed = [replace(each, reached=False, model_path=None) for each in finished]
    said = carry_over(folder, missed, kept, maker("optuna", WIDE), NEW)
    assert "11 of 11 trained trials still fit" in said
    (folder / carrying.FILE).unlink()
    assert depends(folder) is None


def test_a_change_is_made_where_no_other_search_can_be(folder):
    other = folder.with_name(f"{folder.name}.next")
    searched("optuna", other)
    OLD.write(other)
    resume(folder)
    assert not folder.exists()
    assert sanitised(carrying._next_to(folder).name) != carrying._next_to(folder).name


def test_two_studies_set_aside_in_one_second_keep_apart(tmp_path):
    places = set()
    for _ in range(3):
        (tmp_path / "study").mkdir()
        places.add(carrying.set_aside(tmp_path / "study"))
    assert len(places) == 3


def test_a_model_that_is_weights_alone_keeps_its_kind(folder):
    models = folder / "models"
    models.mkdir(parents=True)
    path = models / "trial-0.weights.h5"
    path.write_text("weights")
    trial = maker("optuna", WIDE)(folder.with_name("other")).ask(1)[0]
    done = finish(trial, TrialState.COMPLETE, reached=True, score=1.0, model_path=str(path))
    moved = _moved(done, folder.with_name("fresh"), folder)
    assert moved.model_path == str(models / "carried-0.weights.h5")
