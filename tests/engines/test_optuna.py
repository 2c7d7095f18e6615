"""The Optuna engine on real studies, with a space so small that nothing needs training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
import toy
from occam.search.errors import InputError
from occam.search.stopping import Stop
from occam.search.trials import PARENT, failed, rejected


def engine(folder: Path, sampler: str = "tpe") -> Any:
    return toy.engine("optuna", folder, sampler)


def test_the_first_trial_is_the_spaces_own_default(tmp_path):
    default = {"units": 1, "activation": "relu", "layers": 0}
    assert engine(tmp_path).ask(1)[0].hyperparameters == default


def test_a_trial_that_was_recorded_but_not_told_is_told_and_not_run_again(tmp_path):
    searching = engine(tmp_path)
    trial = searching.ask(1)[0]
    finished = toy.outcome(trial)
    searching._finish = lambda *_: None  # the process dies between the two
    searching.tell(finished)
    resumed = engine(tmp_path)
    assert resumed.ask(1)[0].number == 1
    assert [each.number for each in resumed.finished] == [0]
    study = optuna.load_study(study_name="toy", storage=resumed._study._storage)
    assert study.trials[0].state is optuna.trial.TrialState.COMPLETE


def test_constraints_are_set_always_and_in_one_order(tmp_path):
    searching = engine(tmp_path)
    for index, trial in enumerate(searching.ask(6)):
        searching.tell([toy.outcome(trial), rejected(trial, ""), failed(trial, "no")][index % 3])
    for trial in searching._study.trials:
        assert list(trial.constraints) == ["target", "size"]


def test_a_trial_of_another_study_keeps_the_parent_that_it_had(tmp_path):
    searching = engine(tmp_path)
    known = toy.outcome(searching.ask(1)[0])
    searching.tell(known)
    searching.adopt(replace(known, parent=0))
    searching.adopt(known)
    assert [each.user_attrs.get(PARENT) for each in searching._study.trials] == [None, 0, None]
    assert [each.parent for each in searching.finished] == [None, 0, None]


def test_a_failed_trial_is_told_as_the_worst_so_far(tmp_path):
    searching = engine(tmp_path)
    first, second = searching.ask(2)
    searching.tell(toy.outcome(first))
    searching.tell(failed(second, "nan", epochs=1))
    violations = [trial.constraints["target"] for trial in searching._study.trials]
    assert violations[1] >= violations[0] > 0


def test_a_sampler_of_the_users_own_is_found_by_its_path(tmp_path):
    searching = engine(tmp_path, "optuna.samplers:RandomSampler")
    assert len(toy.work(searching, 3)) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("annealing", "Unknown sampler 'annealing'. Available samplers: level-set, tpe"),
        ("nowhere:Sampler", "cannot be imported"),
        ("optuna.samplers:Nothing", "cannot be imported"),
        ("pathlib:Path", "not a subclass of optuna.samplers.BaseSampler"),
    ],
)
def test_a_sampler_that_is_none_is_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        engine(tmp_path, name)


def test_a_trial_for_which_there_was_no_time_says_nothing_of_its_configuration(tmp_path):
    searching = engine(tmp_path)
    first, second = searching.ask(2)
    searching.tell(toy.outcome(first))
    searching.tell(rejected(second, Stop.OUT_OF_TIME.value))
    late = searching._study.trials[second.number]
    assert late.state is optuna.trial.TrialState.FAIL
    assert late.constraints == {}
    assert [each.state.value for each in searching.finished] == ["COMPLETE", "REJECTED"]
