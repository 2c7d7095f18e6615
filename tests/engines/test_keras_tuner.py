"""KerasTuner's oracles as engines, with a space so small that nothing needs training."""

from __future__ import annotations

import math
import warnings
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pytest
import toy
from occam.search.errors import InputError
from occam.search.loop import HOPELESS, Budget, run
from occam.search.metrics import metric
from occam.search.oracles import names
from occam.search.oracles.seeded import TAUGHT
from occam.search.shortfall import WORST, value
from occam.search.trials import FinishedTrial, Trial, TrialState, failed, finish, rejected


def engine(folder: Path, sampler: str = "random", **options: Any) -> Any:
    return toy.engine("keras-tuner", folder, sampler, **options)


class Workers:
    """Runs nothing: every trial becomes what a function says."""

    size = batch = 1

    def __init__(self, become) -> None:
        self.become = become

    def submit(self, trial: Trial) -> Future:
        future: Future = Future()
        future.set_result(self.become(trial))
        return future

    def wait(self, running) -> list[Future]:
        return list(running)

    def shutdown(self) -> None:
        pass


@pytest.mark.parametrize("sampler", ["random", "grid", "hyperband"])
def test_an_oracle_ends_when_all_is_proposed(tmp_path, sampler):
    searching = engine(tmp_path, sampler, space=toy.few, epochs=1)
    asked = toy.work(searching, 10)
    assert sorted(trial.hyperparameters["units"] for trial in asked) == [1, 2, 3]
    assert searching.ask(1) == []
    assert searching.exhausted_because == "the oracle has proposed all there is"


def test_hyperband_keeps_its_brackets_and_its_epochs(tmp_path):
    """Of 9 epochs and factor 3: 9 trials of 1 epoch, the best 3 go on to 3, the best to 9."""
    searching = engine(tmp_path, "hyperband")
    asked = toy.work(searching, 13)
    assert [trial.epochs for trial in asked] == [1] * 9 + [2] * 3 + [6]
    assert [trial.initial_epoch for trial in asked] == [0] * 9 + [1] * 3 + [3]
    assert {trial.horizon for trial in asked} == {9}
    by_score = sorted(asked[:9], key=lambda t: -value(toy.outcome(t), metric("accuracy"), 0.9))
    best = [trial.hyperparameters for trial in by_score[:3]]
    assert [trial.hyperparameters for trial in asked[9:12]] == best
    assert asked[12].hyperparameters == best[0]


def test_hyperband_goes_on_from_the_weights_of_the_earlier_round(tmp_path):
    asked = toy.work(engine(tmp_path, "hyperband"), 13)
    weights = {trial.weights_path: trial for trial in asked if trial.weights_path}
    for trial in asked[9:]:
        assert weights[trial.initial_weights].hyperparameters == trial.hyperparameters
    assert asked[12].weights_path is None  # nothing goes on from a last round


def test_weights_that_no_trial_can_go_on_from_are_removed(tmp_path):
    searching = engine(tmp_path, "hyperband")
    toy.work(searching, 13)
    assert len(list((tmp_path / "weights").iterdir())) == 12
    toy.work(searching, 1)  # the next bracket has begun
    assert len(list((tmp_path / "weights").iterdir())) == 1


def test_a_round_whose_weights_are_gone_starts_from_the_first_epoch(tmp_path):
    searching = engine(tmp_path, "hyperband")
    toy.work(searching, 9)
    for path in (tmp_path / "weights").iterdir():
        path.unlink()
    trial = searching.ask(1)[0]
    assert (trial.epochs, trial.initial_epoch, trial.initial_weights) == (3, 0, None)


def test_a_round_is_no_repetition_of_the_round_before(tmp_path):
    trained: list[Trial] = []

    def become(trial: Trial) -> FinishedTrial:
        trained.append(trial)
        low = finish(trial, TrialState.COMPLETE, score=0.5, projected_score=0.5, epochs=1)
        toy.outcome(trial)
        return low

    run(engine(tmp_path, "hyperband"), Workers(become), budget=Budget(trials=13))
    assert [trial.initial_epoch for trial in trained if trial.initial_epoch] == [1, 1, 1, 3]


@pytest.mark.parametrize("sampler", names())
def test_two_hundred_useless_trials_in_a_row_do_not_end_a_search(tmp_path, sampler):
    fates = (
        lambda trial: rejected(trial, "not smaller"),
        lambda trial: failed(trial, "out of memory"),
        lambda trial: finish(trial, TrialState.COMPLETE, score=math.nan),
    )
    searching = engine(tmp_path, sampler)
    for number in range(200):
        for trial in searching.ask(1):
            searching.tell(fates[number % 3](trial))
    assert len(searching.finished) == 200
    assert toy.work(searching, 1)


def test_what_the_loop_rejects_hundreds_of_times_leaves_the_oracle_asking(tmp_path):
    reasons: list[str] = []

    def first_is_smallest(trial: Trial) -> FinishedTrial:
        return finish(trial, TrialState.COMPLETE, score=0.95, reached=True, epochs=1)

    def one_unit(hp) -> keras.Model:
        hp.Float("rate", 0.0, 1.0)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(1)])
        model.compile(loss="mse")
        return model

    searching = engine(tmp_path, space=one_unit)
    run(searching, Workers(first_is_smallest), budget=Budget(trials=9), on_end=reasons.append)
    assert len(searching.finished) == HOPELESS + 1
    assert reasons == [f"{HOPELESS} proposals in a row needed no training"]


@pytest.mark.parametrize("known", [False, True], ids=["not smaller", "the same as one known"])
def test_after_some_useless_trials_a_gaussian_process_draws_at_random(tmp_path, known):
    searching = engine(tmp_path, "bayesian")
    first = toy.work(searching, 14)[0]  # beyond its random trials
    for _ in range(TAUGHT + 2):
        trial = searching.ask(1)[0]
        values = (first if known else trial).hyperparameters
        searching.tell(replace(rejected(trial, "no training"), hyperparameters=values))
    oracle = searching._oracle._oracle
    assert [trial.status for trial in oracle.trials.values()].count("FAILED") == 2
    oracle.gpr = None  # a random draw does not need it
    oracle._make_gpr = lambda: None
    assert searching.ask(1)


def test_below_the_target_the_nearer_is_better_and_at_it_the_smaller():
    def worth(count: int, score: float | None, reached: bool = False) -> float:
        trial = Trial(
            number=0,
            hyperparameters={},
            parameter_count=count,
            trainable_parameter_count=count,
            epochs=1,
            seed=0,
        )
        done = finish(
            trial, TrialState.COMPLETE, score=score, projected_score=score, reached=reached
        )
        return value(done, metric("accuracy"), 0.95)

    ranked = [
        worth(100, 0.96, True),
        worth(1000, 0.99, True),
        worth(10**9, 0.96, True),
        worth(10, 0.96),  # at the target for one epoch: just short of it
        worth(10, 0.949),
        worth(10, 0.6),
        worth(10, None),
    ]
    assert ranked == sorted(ranked, reverse=True)
    assert ranked[2] > 0 > ranked[3]
    assert ranked[-1] == WORST


def test_a_space_is_known_before_the_first_trial_with_all_its_conditional_scopes(tmp_path):
    def conditional(hp) -> keras.Model:
        kind = hp.Choice("kind", ["small", "large"])
        with hp.conditional_scope("kind", ["large"]):
            if kind == "large":
                hp.Int("extra", 1, 4)
        return toy.few(hp)

    searching = engine(tmp_path, space=conditional)
    known = {each.name for each in searching._oracle._oracle.hyperparameters.space}
    assert known == {"kind", "extra", "units"}
    for trial in toy.work(searching, 8):
        assert ("extra" in trial.hyperparameters) == (trial.hyperparameters["kind"] == "large")


def test_what_another_study_has_finished_is_taken_in(tmp_path):
    searching = engine(tmp_path, "bayesian")
    wide = {"units": 50, "activation": "relu", "layers": 0}
    assert searching.fitting(wide).size.total == 350
    assert searching.fitting(wide | {"units": 61}) is None
    assert searching.fitting(wide | {"units": 13}) is None, "it cannot be built"
    assert searching.fitting(wide | {"depth": 3}) is None
    first = toy.outcome(searching.ask(1)[0])
    searching.tell(first)
    known = FinishedTrial(**{**vars(first), "hyperparameters": wide, "parameter_count": 350})
    assert searching.adopt(known) == 1
    assert searching.adopt(known, imported=True) == 2
    worth = value(known, metric("accuracy"), 0.9)
    assert learned(searching)[1:] == [worth, worth]
    searching.suggest(wide | {"units": 7})
    resumed = engine(tmp_path, "bayesian")
    assert [each.number for each in resumed.finished] == [0, 1]
    trial = resumed.ask(1)[0]
    assert (trial.number, trial.hyperparameters) == (3, wide | {"units": 7})


def learned(searching: Any) -> list[float]:
    """What the oracle takes each of its trials for."""
    return [trial.score for trial in searching._oracle._oracle.trials.values()]


@pytest.mark.parametrize("sampler", ["random", "bayesian"])
def test_what_was_rejected_as_the_same_is_worth_what_that_was(tmp_path, sampler):
    searching = engine(tmp_path, sampler)
    first = toy.outcome(searching.ask(1)[0])
    searching.tell(first)
    for again in (first.hyperparameters, {"units": 3, "activation": "relu", "layers": 1}):
        trial = searching.ask(1)[0]
        searching.tell(replace(rejected(trial, "the same"), hyperparameters=again))
    worth = value(first, metric("accuracy"), 0.9)
    assert learned(searching) == [worth, worth, WORST]
    assert learned(engine(tmp_path, sampler)) == [worth, worth, WORST], "and after an interruption"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tpe", "Unknown sampler 'tpe' of engine 'keras-tuner'. Available samplers: bayesian, "),
        ("nowhere:Oracle", "cannot be imported"),
        ("keras_tuner.oracles:Nothing", "cannot be imported"),
        ("pathlib:Path", "not a subclass of keras_tuner.Oracle"),
    ],
)
def test_a_sampler_that_is_none_is_refused(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        engine(tmp_path, name)


class Users(keras_tuner.oracles.RandomSearchOracle):
    """As users write them: they pass on what they are given."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)


def test_an_oracle_of_the_users_own_is_found_by_its_path(tmp_path):
    assert len(toy.work(engine(tmp_path, f"{__name__}:Users"), 3)) == 3


def test_the_hooks_in_kerastuner_are_where_they_are_expected():
    """All private there: this fails first if one moves."""
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(objective="val_loss", seed=3)
    assert {"_seed_state", "_random_state", "gpr"} <= vars(oracle).keys()
    for name in ("_random_values", "_save_trial", "save", "_make_gpr", "_random_populate_space"):
        assert callable(getattr(oracle, name))
    assert isinstance(keras_tuner.oracles.HyperbandOracle(objective="loss")._brackets, list)
    with warnings.catch_warnings(action="ignore"):
        assert keras_tuner.HyperParameters()._retrieve
