"""What holds for every architecture family, found by its folder: a new file is tested as well."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable
from typing import Any

import keras
import keras_tuner
import numpy as np
import occam.spaces
import optuna
import pytest
from occam.search.building import as_hyperparameters
from occam.search.counting import count_build
from occam.search.hyperparameters import SuggestedHyperParameters

SHAPE, OUTPUTS = (8, 8, 1), 10
ROWS = np.random.default_rng(0).random((3, *SHAPE), dtype="float32")


def families() -> dict[str, Callable[..., Any]]:
    """A family is a function with the name of its file."""
    names = [module.name for module in pkgutil.iter_modules(occam.spaces.__path__)]
    modules = {name: importlib.import_module(f"occam.spaces.{name}") for name in names}
    return {name: getattr(each, name) for name, each in modules.items() if hasattr(each, name)}


every_family = pytest.mark.parametrize("family", families().values(), ids=families())


def random_hyperparameters(seed: int) -> keras_tuner.HyperParameters:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    return SuggestedHyperParameters(study.ask())


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_the_families_are_found():
    assert {"dense", "convnet"} <= set(families())


@every_family
def test_the_default_is_a_compiled_classifier(family):
    hp = keras_tuner.HyperParameters()
    model = family(SHAPE, OUTPUTS)(hp)
    assert model.compiled
    assert model.loss == "sparse_categorical_crossentropy"
    np.testing.assert_allclose(model.predict_on_batch(ROWS).sum(axis=1), 1, rtol=1e-5)


@every_family
def test_a_trainer_finds_the_batch_size_and_a_report_the_shared_dimensions(family):
    hp = keras_tuner.HyperParameters()
    family(SHAPE, OUTPUTS, batch_sizes=(16, 48), learning_rate=(1e-3, 1e-1))(hp)
    assert hp.get("batch_size") == 16
    assert hp.get("optimizer") == "adam"
    assert hp.get("learning_rate") == 1e-2


@every_family
@pytest.mark.parametrize("seed", range(30))
def test_any_configuration_builds_and_can_be_recorded_and_built_again(family, seed):
    build, hp = family(SHAPE, OUTPUTS), random_hyperparameters(seed)
    model = build(hp)
    assert model.output_shape == (None, OUTPUTS)
    assert model.count_params() > 0
    recorded = json.loads(json.dumps(hp.values))
    assert recorded == hp.values
    assert {type(value) for value in recorded.values()} <= {int, float, str, bool}
    again = count_build(lambda: build(as_hyperparameters(recorded)), ROWS)
    assert again.total == model.count_params()


@every_family
@pytest.mark.parametrize("seed", range(3))
def test_what_is_built_is_all_that_is_recorded(family, seed):
    """A dimension that was read although it does not matter would let equal models differ."""
    hp = random_hyperparameters(seed)
    build = family(SHAPE, OUTPUTS)
    build(hp)
    read = as_hyperparameters(hp.values)
    build(read)
    assert {each.name for each in read.space} == set(hp.values)


@every_family
def test_another_end_than_softmax_can_be_given(family):
    build = family(SHAPE, 1, loss="binary_crossentropy", output_activation="sigmoid")
    model = build(keras_tuner.HyperParameters())
    assert model.output_shape == (None, 1)
    assert model.layers[-1].activation is keras.activations.sigmoid


@every_family
def test_an_option_that_there_is_not_is_refused(family):
    with pytest.raises(TypeError, match="learning_rat"):
        family(SHAPE, OUTPUTS, learning_rat=(1e-3, 1e-1))(keras_tuner.HyperParameters())
