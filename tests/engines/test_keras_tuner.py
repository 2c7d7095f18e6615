"""KerasTuner's oracles as engines, with a space so small that nothing needs training."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from occam.search.engines.keras_tuner import Engine
from occam.search.errors import InputError
from occam.search.loop import HOPELESS, Budget, run
from occam.search.metrics import metric
from occam.search.oracles import names
from occam.search.oracles.seeded import TAUGHT
from occam.search.pipeline import Data, Pipeline
from occam.search.shortfall import WORST, value
from occam.search.trials import FinishedTrial, Trial, TrialState, failed, finish, rejected
from occam.search.workers import Future

INPUTS = np.zeros((4, 6), dtype="float32")


def build(hp) -> keras.Model:
    """1 to 60 units, with dimensions that only some configurations have."""
    units = hp.Int("units", 1, 60, sampling="log")
    if hp.Choice("activation", ["relu", "elu"]) == "elu":
        hp.Float("alpha", 0.1, 1.0)
    for layer in range(hp.Int("layers", 0, 2)):
        hp.Int(f"width_{layer}", 1, 3)
    if units == 13:
        raise ValueError("thirteen\nunits")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units)])
    model.compile(loss="mse")
    return model


def few(hp) -> keras.Model:
    """Three configurations."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(hp.Choice("units", [1, 2, 3]))])
    model.compile(loss="mse")
    return model


def engine(
    folder: Path, sampler: str = "random", *, seed: int = 0, space=build, epochs: int = 9
) -> Engine:
    pipeline = Pipeline(
        data=lambda: Data((), (), ()), space=space, target=0.9, name="toy", epochs=epochs
    )
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
    """40 units or more reach; what is built by nobody fails."""
    if trial.error:
        return failed(trial, trial.error)
    if trial.weights_path:
        Path(trial.weights_path).parent.mkdir(exist_ok=True)
        Path(trial.weights_path).write_text("weights")
    units = trial.hyperparameters["units"]
    score = 0.95 if units >= 40 else 0.5 + units / 200
    return finish(
        trial,
        TrialState.COMPLETE,
        score=score,
        projected_score=score,
        reached=score > 0.9,
        epochs=trial.epochs,
        history={"score": [0.1, score]},
    )


def work(searching: Engine, trials: int) -> list[Trial]:
    asked = []
    for _ in range(trials):
        for trial in searching.ask(1):
            asked.append(trial)
            searching.tell(outcome(trial))
    return asked


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


@pytest.mark.parametrize("sampler", names())
def test_every_oracle_asks_and_learns(tmp_path, sampler):
    searching = engine(tmp_path, sampler)
    asked = work(searching, 16)
    assert [trial.number for trial in asked] == list(range(16))
    for trial in searching.finished:
        units = trial.hyperparameters["units"]
        assert bool(trial.error) == (units == 13)
        assert trial.parameter_count == (0 if trial.error else 7 * units)
        widths = {name for name in trial.hyperparameters if name.startswith("width_")}
        assert widths == {f"width_{n}" for n in range(trial.hyperparameters["layers"])}
        kinds = {type(each) for each in trial.hyperparameters.values()}
        assert kinds <= {int, float, str}


@pytest.mark.parametrize("sampler", names())
def test_a_search_that_was_interrupted_asks_what_an_undisturbed_one_asks(tmp_path, sampler):
    undisturbed = work(engine(tmp_path / "whole", sampler), 16)
    parts = work(engine(tmp_path / "parts", sampler), 6)
    dying = engine(tmp_path / "parts", sampler)
    dying.ask(1)  # asked for, never told
    parts += work(engine(tmp_path / "parts", sampler), 10)

    def told(trials: list[Trial]) -> list[tuple]:
        return [(t.number, t.hyperparameters, t.epochs, t.initial_epoch, t.seed) for t in trials]

    assert told(parts) == told(undisturbed)


def test_another_seed_asks_something_else(tmp_path):
    one, two = (work(engine(tmp_path / str(seed), seed=seed), 6) for seed in (0, 1))
    assert [t.hyperparameters for t in one] != [t.hyperparameters for t in two]


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


def test_a_journal_with_half_a_last_line_is_mended(tmp_path):
    work(engine(tmp_path), 3)
    with (tmp_path / "study.journal").open("ab") as journal:
        journal.write(b'{"told": {"num')
    resumed = engine(tmp_path)
    assert len(resumed.finished) == 3
    assert [trial.number for trial in work(resumed, 1)] == [3]


def test_values_are_remembered_with_the_search(tmp_path):
    engine(tmp_path).remember("note", {"opened": [1, 2]})
    assert engine(tmp_path).recall("note") == {"opened": [1, 2]}
    assert engine(tmp_path).recall("nothing", 3) == 3


@pytest.mark.parametrize("sampler", ["random", "grid", "hyperband"])
def test_an_oracle_ends_when_all_is_proposed(tmp_path, sampler):
    searching = engine(tmp_path, sampler, space=few, epochs=1)
    asked = work(searching, 10)
    assert sorted(trial.hyperparameters["units"] for trial in asked) == [1, 2, 3]
    assert searching.ask(1) == []
    assert searching.exhausted_because == "the oracle has proposed all there is"


def test_hyperband_keeps_its_brackets_and_its_epochs(tmp_path):
    """Of 9 epochs and factor 3: 9 trials of 1 epoch, the best 3 go on to 3, the best to 9."""
    searching = engine(tmp_path, "hyperband")
    asked = work(searching, 13)
    assert [trial.epochs for trial in asked] == [1] * 9 + [2] * 3 + [6]
    assert [trial.initial_epoch for trial in asked] == [0] * 9 + [1] * 3 + [3]
    assert {trial.horizon for trial in asked} == {9}
    by_score = sorted(asked[:9], key=lambda t: -value(outcome(t), metric("accuracy"), 0.9))
    best = [trial.hyperparameters for trial in by_score[:3]]
    assert [trial.hyperparameters for trial in asked[9:12]] == best
    assert asked[12].hyperparameters == best[0]


def test_hyperband_goes_on_from_the_weights_of_the_earlier_round(tmp_path):
    asked = work(engine(tmp_path, "hyperband"), 13)
    weights = {trial.weights_path: trial for trial in asked if trial.weights_path}
    for trial in asked[9:]:
        assert weights[trial.initial_weights].hyperparameters == trial.hyperparameters
    assert asked[12].weights_path is None  # nothing goes on from a last round


def test_weights_that_no_trial_can_go_on_from_are_removed(tmp_path):
    searching = engine(tmp_path, "hyperband")
    work(searching, 13)
    assert len(list((tmp_path / "weights").iterdir())) == 12
    work(searching, 1)  # the next bracket has begun
    assert len(list((tmp_path / "weights").iterdir())) == 1


def test_a_round_whose_weights_are_gone_starts_from_the_first_epoch(tmp_path):
    searching = engine(tmp_path, "hyperband")
    work(searching, 9)
    for path in (tmp_path / "weights").iterdir():
        path.unlink()
    trial = searching.ask(1)[0]
    assert (trial.epochs, trial.initial_epoch, trial.initial_weights) == (3, 0, None)


def test_a_round_is_no_repetition_of_the_round_before(tmp_path):
    trained: list[Trial] = []

    def become(trial: Trial) -> FinishedTrial:
        trained.append(trial)
        low = finish(trial, TrialState.COMPLETE, score=0.5, projected_score=0.5, epochs=1)
        outcome(trial)
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
    assert work(searching, 1)


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


def test_after_some_useless_trials_a_gaussian_process_draws_at_random(tmp_path):
    searching = engine(tmp_path, "bayesian")
    work(searching, 14)  # beyond its random trials
    for _ in range(TAUGHT + 2):
        trial = searching.ask(1)[0]
        searching.tell(rejected(trial, "not smaller"))
    oracle = searching._oracle._oracle
    assert [trial.status for trial in oracle.trials.values()].count("FAILED") == 2
    oracle.gpr = None  # a random draw does not need it
    oracle._make_gpr = lambda: None
    assert searching.ask(1)


def test_a_configuration_that_cannot_be_built_is_an_error_of_one_line(tmp_path):
    def broken(hp) -> keras.Model:
        if hp.Int("units", 1, 2) == 2:
            raise ValueError("two\nunits")
        return few(hp)

    searching = engine(tmp_path, space=broken)
    errors = set()
    for _ in range(4):
        for trial in searching.ask(1):
            errors.add(trial.error)
            searching.tell(failed(trial, trial.error or "nothing"))
    assert errors == {None, "ValueError: two units"}


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
        return few(hp)

    searching = engine(tmp_path, space=conditional)
    known = {each.name for each in searching._oracle._oracle.hyperparameters.space}
    assert known == {"kind", "extra", "units"}
    for trial in work(searching, 8):
        assert ("extra" in trial.hyperparameters) == (trial.hyperparameters["kind"] == "large")


def test_what_another_study_has_finished_is_taken_in(tmp_path):
    searching = engine(tmp_path, "bayesian")
    wide = {"units": 50, "activation": "relu", "layers": 0}
    assert searching.fitting(wide).size.total == 350
    assert searching.fitting(wide | {"units": 61}) is None
    assert searching.fitting(wide | {"depth": 3}) is None
    first = outcome(searching.ask(1)[0])
    searching.tell(first)
    known = FinishedTrial(**{**vars(first), "hyperparameters": wide, "parameter_count": 350})
    assert searching.adopt(known) == 1
    assert searching.adopt(known, imported=True) == 2
    searching.suggest(wide | {"units": 7})
    resumed = engine(tmp_path, "bayesian")
    assert [each.number for each in resumed.finished] == [0, 1]
    trial = resumed.ask(1)[0]
    assert (trial.number, trial.hyperparameters) == (3, wide | {"units": 7})


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
    assert len(work(engine(tmp_path, f"{__name__}:Users"), 3)) == 3


def test_the_hooks_in_kerastuner_are_where_they_are_expected():
    """All private there: this fails first if one moves."""
    oracle = keras_tuner.oracles.BayesianOptimizationOracle(objective="val_loss", seed=3)
    assert {"_seed_state", "_random_state", "gpr"} <= vars(oracle).keys()
    for name in ("_random_values", "_save_trial", "save", "_make_gpr", "_random_populate_space"):
        assert callable(getattr(oracle, name))
    assert isinstance(keras_tuner.oracles.HyperbandOracle(objective="loss")._brackets, list)
    with warnings.catch_warnings(action="ignore"):
        assert keras_tuner.HyperParameters()._retrieve
