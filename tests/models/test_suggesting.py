"""A function written for Optuna is a space: the same suggestions, on KerasTuner's `hp`."""

from __future__ import annotations

import keras
import keras_tuner
import optuna
import pytest
from occam.search.errors import InputError
from occam.search.models.building import build
from occam.search.models.configuration import GivenHyperParameters, read
from occam.search.models.suggesting import SuggestingTrial, takes_trial
from occam.search.pipeline import Data, Pipeline
from occam.search.studies.hyperparameters import SuggestedHyperParameters

optuna.logging.set_verbosity(optuna.logging.ERROR)


def suggestions(trial) -> dict[str, object]:
    """Every `suggest_*` with every option."""
    return {
        "int": trial.suggest_int("int", 3, 9),
        "step": trial.suggest_int("step", 2, 10, step=4),
        "log": trial.suggest_int("log", 1, 1000, log=True),
        "float": trial.suggest_float("float", -1.0, 1.0),
        "float_step": trial.suggest_float("float_step", 0.0, 1.0, step=0.25),
        "float_log": trial.suggest_float("float_log", 1e-4, 1e-2, log=True),
        "choice": trial.suggest_categorical("choice", ["a", "b"]),
        "mixed": trial.suggest_categorical("mixed", [None, 1, "x"]),
        "boolean": trial.suggest_categorical("boolean", [True, False]),
        "number": trial.suggest_categorical("number", (16, 32)),
        "uniform": trial.suggest_uniform("uniform", 0.0, 1.0),
        "loguniform": trial.suggest_loguniform("loguniform", 1e-3, 1.0),
        "discrete": trial.suggest_discrete_uniform("discrete", 0.0, 1.0, 0.5),
    }


def test_the_default_is_the_middle_of_each_range_and_the_first_choice():
    assert suggestions(SuggestingTrial(GivenHyperParameters({}))) == {
        "int": 6,
        "step": 6,
        "log": 32,
        "float": 0.0,
        "float_step": 0.5,
        "float_log": pytest.approx(1e-3),
        "choice": "a",
        "mixed": None,
        "boolean": True,
        "number": 16,
        "uniform": 0.5,
        "loguniform": pytest.approx(10**-1.5),
        "discrete": 0.5,
    }


def test_both_engines_draw_what_the_function_asked_for():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen: dict[str, set] = {}
    for _ in range(60):
        hp = SuggestedHyperParameters(study.ask())
        for name, value in suggestions(SuggestingTrial(hp)).items():
            seen.setdefault(name, set()).add(value)
    assert seen["step"] == {2, 6, 10}
    assert seen["mixed"] == {None, 1, "x"}
    assert seen["boolean"] == {True, False}
    assert seen["number"] == {16, 32}
    assert seen["discrete"] == {0.0, 0.5, 1.0}
    assert min(seen["int"]) >= 3
    assert max(seen["int"]) <= 9


def test_what_was_drawn_is_read_again_as_it_was():
    hp = GivenHyperParameters({})
    suggestions(SuggestingTrial(hp))
    again = GivenHyperParameters(read(hp) | {"mixed": "x", "boolean": False, "log": 77})
    values = suggestions(SuggestingTrial(again))
    assert (values["mixed"], values["boolean"], values["log"]) == ("x", False, 77)


def model_of(units: int) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])
    model.compile(loss="mse")
    return model


def by_name(trial):
    return model_of(trial.suggest_int("units", 1, 9))


def by_annotation(t: optuna.Trial) -> keras.Model:
    return model_of(t.suggest_int("units", 1, 9))


class Fixed:
    def __call__(self, t: optuna.trial.FixedTrial):
        return model_of(t.suggest_int("units", 1, 9))


def with_pruning(trial):
    model = model_of(trial.suggest_int("units", 1, 9))
    trial.set_user_attr("kind", "dense")
    trial.report(0.5, step=0)
    if trial.should_prune():
        raise optuna.TrialPruned
    assert trial.params == {"units": 5}
    return model


@pytest.mark.parametrize("space", [by_name, by_annotation, Fixed(), with_pruning])
def test_a_function_is_known_by_its_parameters_name_or_annotation(space):
    assert takes_trial(space)
    pipeline = Pipeline(data=lambda: Data((), (), ()), space=space, target=0.9, name="toy")
    hp = GivenHyperParameters({})
    assert build(pipeline, hp).count_params() == 25
    assert read(hp) == {"units": 5}


@pytest.mark.parametrize("space", [lambda hp: None, keras_tuner.HyperModel(), dict, lambda: 1])
def test_what_takes_hp_is_none(space):
    assert not takes_trial(space)


def test_an_objective_that_returns_a_score_is_told_what_to_return():
    def objective(trial):
        return 0.5

    pipeline = Pipeline(data=lambda: Data((), (), ()), space=objective, target=0.9, name="toy")
    with pytest.raises(InputError, match=r"must return a keras.Model, received float: training"):
        build(pipeline, GivenHyperParameters({}))
