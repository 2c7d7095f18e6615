"""The Optuna engine on real studies, with a space so small that nothing needs training."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import optuna
import pytest
from occam.search.engines.optuna import Engine
from occam.search.errors import InputError
from occam.search.metrics import metric
from occam.search.pipeline import Data, Pipeline
from occam.search.samplers import names
from occam.search.stopping import Stop
from occam.search.trials import FinishedTrial, Trial, TrialState, failed, finish, rejected

INPUTS = np.zeros((4, 6), dtype="float32")


def build(hp) -> keras.Model:
    """1 to 60 units, with a dimension that only some configurations have."""
    units = hp.Int("units", 1, 60, sampling="log")
    if hp.Choice("activation", ["relu", "elu"]) == "elu":
        hp.Float("alpha", 0.1, 1.0)
    if units == 13:
        raise ValueError("thirteen\nunits")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units)])
    model.compile(loss="mse")
    return model


def engine(folder: Path, *, sampler: str = "tpe", seed: int = 0, space=build) -> Engine:
    pipeline = Pipeline(data=lambda: Data((), (), ()), space=space, target=0.9, name="toy")
    return Engine(
        pipeline,
        name="toy",
        storage=folder / "study.journal",
        sampler=sampler,
        seed=seed,
        metric=metric("accuracy"),
        search_target=0.9,
        inputs=INPUTS,
    )


def outcome(trial: Trial) -> FinishedTrial:
    """30 units or more reach; what is built by nobody fails."""
    if trial.error:
        return failed(trial, trial.error)
    score = 0.95 if trial.hyperparameters["units"] >= 30 else 0.5
    return finish(
        trial,
        TrialState.COMPLETE,
        score=score,
        projected_score=score,
        reached=score > 0.9,
        epochs=3,
        history={"score": [0.1, score]},
    )


def work(searching: Engine, trials: int) -> list[tuple[int, dict]]:
    asked = []
    for _ in range(trials):
        for trial in searching.ask(1):
            asked.append((trial.number, dict(trial.hyperparameters)))
            searching.tell(outcome(trial))
    return asked


AVAILABLE = [
    pytest.param(
        name, marks=pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
    )
    if name == "gp"
    else name
    for name in names()
]


@pytest.mark.parametrize("sampler", AVAILABLE)
def test_every_sampler_asks_and_learns(tmp_path, sampler):
    searching = engine(tmp_path, sampler=sampler)
    asked = work(searching, 25)
    assert [number for number, _ in asked] == list(range(len(asked)))
    assert len(searching.finished) == len(asked) >= 20  # ours ends where nothing is likely
    for trial in searching.finished:
        units = trial.hyperparameters["units"]
        assert bool(trial.error) == (units == 13)
        assert trial.parameter_count == (0 if trial.error else 7 * units)


@pytest.mark.parametrize("sampler", AVAILABLE)
def test_a_search_that_was_interrupted_asks_what_an_undisturbed_one_asks(tmp_path, sampler):
    undisturbed = work(engine(tmp_path / "whole", sampler=sampler), 18)
    parts = work(engine(tmp_path / "parts", sampler=sampler), 7)
    dying = engine(tmp_path / "parts", sampler=sampler)
    dying.ask(1)  # asked for, never told
    parts += work(engine(tmp_path / "parts", sampler=sampler), 11)
    assert parts == undisturbed


def test_another_seed_asks_something_else(tmp_path):
    assert work(engine(tmp_path / "a"), 8) != work(engine(tmp_path / "b", seed=1), 8)


def test_the_first_trial_is_the_spaces_own_default(tmp_path):
    assert engine(tmp_path).ask(1)[0].hyperparameters == {"units": 1, "activation": "relu"}


def test_what_finished_comes_back_as_it_was(tmp_path):
    searching = engine(tmp_path)
    trials = searching.ask(3)
    told = [
        outcome(trials[0]),
        rejected(trials[1], "too large"),
        failed(trials[2], "out of memory", epochs=2),
    ]
    for finished in told:
        searching.tell(finished)
    assert engine(tmp_path).finished == told


def test_a_trial_that_was_recorded_but_not_told_is_told_and_not_run_again(tmp_path):
    searching = engine(tmp_path)
    trial = searching.ask(1)[0]
    finished = outcome(trial)
    searching._finish = lambda *_: None  # the process dies between the two
    searching.tell(finished)
    resumed = engine(tmp_path)
    assert resumed.ask(1)[0].number == 1
    assert [each.number for each in resumed.finished] == [0]
    study = optuna.load_study(study_name="toy", storage=resumed._study._storage)
    assert study.trials[0].state is optuna.trial.TrialState.COMPLETE


def test_a_trial_that_ends_its_process_again_and_again_is_given_up(tmp_path):
    before = engine(tmp_path).ask(1)[0]
    for _ in range(4):
        again = engine(tmp_path).ask(1)[0]
        assert again == before
    error = engine(tmp_path).ask(1)[0].error
    assert error == "the process has ended 5 times while this trial was under way"


def test_a_journal_with_half_a_last_line_is_mended(tmp_path):
    work(engine(tmp_path), 3)
    with (tmp_path / "study.journal").open("ab") as journal:
        journal.write(b'{"op_code": 5, "wor')
    assert len(engine(tmp_path).finished) == 3


def test_a_configuration_that_cannot_be_built_is_an_error_of_one_line(tmp_path):
    def broken(hp) -> keras.Model:
        if hp.Int("units", 1, 2) == 2:
            raise ValueError("two\nunits")
        return build(hp)

    searching = engine(tmp_path, space=broken, sampler="random")
    errors = set()
    for _ in range(12):
        trial = searching.ask(1)[0]
        errors.add(trial.error)
        searching.tell(outcome(trial))
    assert errors == {None, "ValueError: two units"}


def test_constraints_are_set_always_and_in_one_order(tmp_path):
    searching = engine(tmp_path)
    for index, trial in enumerate(searching.ask(6)):
        searching.tell([outcome(trial), rejected(trial, ""), failed(trial, "no")][index % 3])
    for trial in searching._study.trials:
        assert list(trial.constraints) == ["target", "size"]


def test_a_failed_trial_is_told_as_the_worst_so_far(tmp_path):
    searching = engine(tmp_path)
    first, second = searching.ask(2)
    searching.tell(outcome(first))
    searching.tell(failed(second, "nan", epochs=1))
    violations = [trial.constraints["target"] for trial in searching._study.trials]
    assert violations[1] >= violations[0] > 0


def test_a_grid_ends_when_all_is_proposed(tmp_path):
    def small(hp) -> keras.Model:
        model = keras.Sequential(
            [keras.Input((6,)), keras.layers.Dense(hp.Choice("units", [1, 2, 3]))]
        )
        model.compile(loss="mse")
        return model

    searching = engine(tmp_path, sampler="grid", space=small)
    asked = work(searching, 10)
    assert sorted(values["units"] for _, values in asked) == [1, 2, 3]
    assert searching.ask(1) == []


def test_a_sampler_of_the_users_own_is_found_by_its_path(tmp_path):
    searching = engine(tmp_path, sampler="optuna.samplers:RandomSampler")
    assert len(work(searching, 3)) == 3


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
        engine(tmp_path, sampler=name)


def test_values_are_remembered_with_the_search(tmp_path):
    engine(tmp_path).remember("note", {"opened": [1, 2]})
    assert engine(tmp_path).recall("note") == {"opened": [1, 2]}
    assert engine(tmp_path).recall("nothing", 3) == 3


def test_a_trial_for_which_there_was_no_time_says_nothing_of_its_configuration(tmp_path):
    searching = engine(tmp_path)
    first, second = searching.ask(2)
    searching.tell(outcome(first))
    searching.tell(rejected(second, Stop.OUT_OF_TIME.value))
    late = searching._study.trials[second.number]
    assert late.state is optuna.trial.TrialState.FAIL
    assert late.constraints == {}
    assert [each.state.value for each in searching.finished] == ["COMPLETE", "REJECTED"]
