"""Every `hp.*` method and option gives the same values on Optuna as KerasTuner allows."""

from __future__ import annotations

import math

import keras_tuner
import optuna
import pytest
from occam.search.studies.hyperparameters import (
    GRID_POINTS,
    SuggestedHyperParameters,
    default_suggestions,
    distributions,
)
from optuna.distributions import FloatDistribution

optuna.logging.set_verbosity(optuna.logging.ERROR)


def everything(hp: keras_tuner.HyperParameters) -> dict[str, object]:
    """Reads one hyperparameter of each kind, with loops, ifs and scopes."""
    read: dict[str, object] = {
        "int": hp.Int("int", 3, 17),
        "int_step": hp.Int("int_step", 6, 13, step=3),
        "int_log": hp.Int("int_log", 2, 300, sampling="log"),
        "int_log_step": hp.Int("int_log_step", 2, 32, step=2, sampling="log"),
        "int_reverse": hp.Int("int_reverse", 2, 300, sampling="reverse_log"),
        "float": hp.Float("float", -1.0, 1.0),
        "float_step": hp.Float("float_step", 0.0, 0.5, step=0.1),
        "float_log": hp.Float("float_log", 1e-4, 1e-1, sampling="log"),
        "float_log_step": hp.Float("float_log_step", 1e-3, 1.0, step=10, sampling="log"),
        "float_reverse": hp.Float("float_reverse", 0.1, 10.0, sampling="reverse_log"),
        "choice": hp.Choice("choice", ["a", "b", "c"]),
        "number": hp.Choice("number", [16, 32, 64], ordered=True),
        "boolean": hp.Boolean("boolean", default=True),
        "fixed": hp.Fixed("fixed", 7),
        "one": hp.Choice("one", ["only"]),
    }
    for layer in range(hp.Int("layers", 0, 3)):
        read[f"units_{layer}"] = hp.Int(f"units_{layer}", 2, 64, sampling="log")
    kind = hp.Choice("kind", ["sgd", "adam"])
    with hp.conditional_scope("kind", ["sgd"]):
        if kind == "sgd":
            read["rate"] = hp.Float("rate", 0.1, 1.0)
    with hp.conditional_scope("kind", ["adam"]):
        if kind == "adam":
            read["rate"] = hp.Float("rate", 1e-4, 1e-3)
    with hp.name_scope("head"):
        read["head/kind"] = hp.Choice("kind", [1, 2] if kind == "sgd" else [3, 4, 5])
    read["child"] = hp.Boolean("child", parent_name="choice", parent_values=["a"])
    return read


@pytest.fixture(scope="module")
def drawn():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    rows = []
    for _ in range(300):
        hp = SuggestedHyperParameters(study.ask())
        rows.append((hp, everything(hp)))
    return rows


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("int", set(range(3, 18))),
        ("int_step", {6, 9, 12}),
        ("int_log_step", {2, 4, 8, 16, 32}),
        ("float_step", {0.0, 0.1, 0.2, 0.3, 0.4, 0.5}),
        ("float_log_step", {0.001, 0.01, 0.1, 1.0}),
        ("choice", {"a", "b", "c"}),
        ("number", {16, 32, 64}),
        ("boolean", {False, True}),
        ("fixed", {7}),
        ("one", {"only"}),
        ("layers", {0, 1, 2, 3}),
    ],
)
def test_a_discrete_hyperparameter_takes_each_of_its_values(drawn, name, allowed):
    assert {hp.values[name] for hp, _ in drawn} == allowed


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("int_log", 2, 300), ("int_reverse", 2, 300), ("float", -1, 1), ("float_log", 1e-4, 1e-1)],
)
def test_a_range_is_kept(drawn, name, low, high):
    values = [hp.values[name] for hp, _ in drawn]
    assert low <= min(values) <= max(values) <= high
    assert len(set(values)) > 20


def test_log_prefers_small_values_and_reverse_log_large_ones(drawn):
    def median(name: str) -> float:
        return sorted(hp.values[name] for hp, _ in drawn)[150]

    assert median("int_log") < math.sqrt(2 * 300) * 1.5
    assert median("int_reverse") > 200
    assert median("float_reverse") > 7


def test_what_was_read_is_what_is_recorded_and_no_more(drawn):
    for hp, read in drawn:
        kept = {name: value for name, value in read.items() if value is not None}
        assert {name: hp.values[name] for name in kept} == kept
        assert {name for name in hp.values if name.startswith("units_")} == {
            f"units_{layer}" for layer in range(hp.values["layers"])
        }
        assert ("child" in hp.values) == (hp.values["choice"] == "a")


def test_one_name_under_two_conditions_keeps_two_ranges(drawn):
    for hp, read in drawn:
        low, high = (0.1, 1.0) if hp.values["kind"] == "sgd" else (1e-4, 1e-3)
        assert low <= read["rate"] <= high


def test_choices_that_depend_on_another_value_do_not_end_in_an_error(drawn):
    for hp, read in drawn:
        assert read["head/kind"] in ((1, 2) if hp.values["kind"] == "sgd" else (3, 4, 5))


def branches(hp) -> tuple[str, float]:
    """One name for different ranges, as much public code has it, without a conditional scope."""
    kind = hp.Choice("optimizer", ["adam", "sgd", "rmsprop"])
    if kind == "adam":
        return kind, hp.Float("rate", 1e-4, 1e-2, sampling="log")
    if kind == "sgd":
        return kind, hp.Float("rate", 1e-2, 1e-1)
    return kind, hp.Choice("rate", [0.5, 0.25])


ALLOWED = {"adam": (1e-4, 1e-2), "sgd": (1e-2, 1e-1), "rmsprop": (0.25, 0.5)}


def test_one_name_takes_the_range_of_its_branch():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    default = keras_tuner.HyperParameters()
    branches(default)
    usual, kinds = distributions(default), set()
    for _ in range(30):
        hp = SuggestedHyperParameters(study.ask(), usual=usual)
        kind, rate = branches(hp)
        low, high = ALLOWED[kind]
        assert low <= rate <= high
        kinds.add(kind)
        given = keras_tuner.HyperParameters()
        given.values = dict(hp.values)
        branches(given)
        assert default_suggestions(given, usual=usual) == study.trials[-1].params
    assert kinds == {*ALLOWED}


def test_names_that_clash_beside_the_default_do_not_end_in_an_error():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        kind, rate = branches(SuggestedHyperParameters(study.ask()))
        assert ALLOWED[kind][0] <= rate <= ALLOWED[kind][1]


def test_many_small_steps_are_no_choices_and_are_kept_all_the_same():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    values = [
        SuggestedHyperParameters(study.ask()).Float("rate", 0.0, 1.0, step=1e-5) for _ in range(30)
    ]
    assert all(value == pytest.approx(round(value, 5), abs=1e-12) for value in values)
    assert len(set(values)) > 20
    assert isinstance(study.trials[0].distributions["rate"], FloatDistribution)


def test_the_default_configuration_can_be_enqueued():
    default = keras_tuner.HyperParameters()
    expected = everything(default)
    study = optuna.create_study()
    study.enqueue_trial(default_suggestions(default))
    hp = SuggestedHyperParameters(study.ask())
    assert everything(hp) == expected
    assert hp.values == default.values


def test_a_grid_cuts_ranges_to_a_few_points_and_keeps_the_default():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    values = set()
    for _ in range(100):
        hp = SuggestedHyperParameters(study.ask(), grid=True)
        values.add(hp.Float("rate", 1e-4, 1e-1, sampling="log", default=0.02))
    assert {1e-4, 0.02, 1e-1} <= values
    assert len(values) <= GRID_POINTS + 1


def test_the_hook_in_kerastuner_is_where_it_is_expected():
    """`_register` is private there: this fails first if it moves."""
    seen = []

    class Recorder(keras_tuner.HyperParameters):
        def _register(self, hyperparameter, overwrite=False):
            seen.append(hyperparameter.name)
            return super()._register(hyperparameter, overwrite)

    Recorder().Int("units", 1, 5)
    assert seen == ["units"]
