"""A study's database is read sparingly, and says what Optuna's own storage says."""

from __future__ import annotations

import random

import optuna
import pytest
from occam.search.studies.database_storage import StudyDatabase


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


def study(storage: optuna.storages.BaseStorage) -> optuna.Study:
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(
        storage=storage, study_name="s", load_if_exists=True, sampler=sampler
    )


def told(study: optuna.Study) -> list[tuple]:
    return [
        (each.number, each.state, each.params, each.value, each.user_attrs)
        for each in study.get_trials(deepcopy=False)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_two_processes_see_what_optuna_sees(url, seed):
    rng = random.Random(seed)
    storages = [StudyDatabase(url), StudyDatabase(url)]
    ours, plain = [study(each) for each in storages], study(optuna.storages.RDBStorage(url))
    running: list[optuna.Trial] = []
    for step in range(30):
        who = rng.randrange(2)
        if running and rng.random() < 0.4:
            trial = running.pop(rng.randrange(len(running)))
            trial.set_user_attr("record", step)
            trial.study.tell(trial, rng.random())
        elif rng.random() < 0.2:
            ours[who].enqueue_trial({"x": rng.random()}, {"parent": step})
        else:
            storages[who].settle()
            assert told(ours[who]) == told(plain)
            trial = ours[who].ask()
            told(ours[who])  # a look while it is not written whole
            trial.suggest_float("x", 0, 1)
            trial.set_user_attr("batch", step)
            running.append(trial)
        assert told(ours[who]) == told(plain)


def test_a_trial_under_way_is_read_once_until_its_state_changes(url, monkeypatch):
    storage = StudyDatabase(url)
    ours = study(storage)
    for _ in range(20):
        ours.ask().suggest_float("x", 0, 1)
    read = []
    build = StudyDatabase._build_frozen_trial_from_trial_model
    monkeypatch.setattr(
        StudyDatabase,
        "_build_frozen_trial_from_trial_model",
        lambda self, trial: read.append(trial.number) or build(self, trial),
    )
    told(ours)
    told(ours)
    assert len(read) == 40  # as Optuna does
    storage.settle()
    told(ours)
    read.clear()
    told(ours)
    assert read == []
    study(optuna.storages.RDBStorage(url)).tell(7, 1.0)
    assert [each for each in told(ours) if each[0] == 7][0][3] == 1.0
    assert read == [7]


def test_what_is_taken_over_is_read_again(url):
    storage = StudyDatabase(url)
    ours, other = study(storage), study(optuna.storages.RDBStorage(url))
    trial = other.ask()
    storage.settle()
    [seen] = ours.get_trials(deepcopy=False)
    trial.set_user_attr("record", 1)
    assert ours.get_trials(deepcopy=False)[0].user_attrs == {}
    storage.unsettle([seen])
    assert ours.get_trials(deepcopy=False)[0].user_attrs == {"record": 1}


def test_a_second_reader_of_the_same_storage_misses_nothing(url):
    storage = StudyDatabase(url)
    first = study(storage)
    first.ask()
    storage.settle()
    assert told(first) == told(study(storage))
    storage.settle()
    assert storage.get_all_trials(first._study_id) == first.get_trials()
