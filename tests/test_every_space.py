"""What holds for every architecture family, found by its folder: a new file is tested as well."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import keras_tuner
import numpy as np
import occam.spaces
import optuna
import pytest
from occam.search.counting import count_build
from occam.search.models.configuration import GivenHyperParameters
from occam.search.studies.hyperparameters import SuggestedHyperParameters

RNG = np.random.default_rng(0)
IMAGES = RNG.random((3, 8, 8, 1), dtype="float32")
LEFT_OUT = {"adversarial", "autoencoder"}  # what they give back are not classes


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a family is asked for: its first arguments, options without which it cannot be used."""

    arguments: tuple[Any, ...] = ((8, 8, 1), 10)
    rows: np.ndarray = field(default_factory=lambda: IMAGES)
    options: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[int, ...] = (10,)


TOKENS = RNG.integers(0, 20, (3, 6)).astype("int32")
CLASSES = {"loss": "sparse_categorical_crossentropy", "output_activation": "softmax"}
CASES = {  # a family that is not here gets images and ten classes
    "adversarial": Case(
        arguments=((4,), (8, 8, 1)), rows=RNG.random((3, 4), dtype="float32"), outputs=(64,)
    ),
    "autoencoder": Case(arguments=((8, 8, 1), (2, 8)), outputs=(64,)),
    "recurrent": Case(
        arguments=((6, 2), 10), rows=RNG.random((3, 6, 2), dtype="float32"), options=CLASSES
    ),
    "seq2seq": Case(
        arguments=((6,), 10), rows=TOKENS, options={"tokens": 20, "steps": 5}, outputs=(5, 10)
    ),
    "text": Case(arguments=((6,), 10), rows=TOKENS, options={"length": (2, 6)}),
    "transfer": Case(
        arguments=((32, 32, 3), 10),
        rows=255 * RNG.random((3, 32, 32, 3), dtype="float32"),
        options={"weights": None, "widths": ("0.35",), "blocks": (3, 1)},
    ),
}


def families() -> dict[str, Callable[..., Any]]:
    """A family is a function with the name of its file."""
    names = [module.name for module in pkgutil.iter_modules(occam.spaces.__path__)]
    modules = {name: importlib.import_module(f"occam.spaces.{name}") for name in names}
    return {name: getattr(each, name) for name, each in modules.items() if hasattr(each, name)}


every_family = pytest.mark.parametrize("family", families())
every_classifier = pytest.mark.parametrize("family", sorted(families().keys() - LEFT_OUT))


def space(family: str, **options: Any) -> Any:
    if family == "adversarial" and keras.backend.backend() != "tensorflow":
        pytest.skip("adversarial training needs TensorFlow")
    case = CASES.get(family, Case())
    return families()[family](*case.arguments, **{**case.options, **options})


def rows(family: str) -> np.ndarray:
    return CASES.get(family, Case()).rows


def random_hyperparameters(seed: int) -> keras_tuner.HyperParameters:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    return SuggestedHyperParameters(study.ask())


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_the_families_are_found():
    assert {"dense", "convnet", *CASES} <= set(families())


@every_classifier
def test_the_default_is_a_compiled_classifier(family):
    model = space(family)(keras_tuner.HyperParameters())
    assert model.compiled
    assert model.loss == "sparse_categorical_crossentropy"
    np.testing.assert_allclose(model.predict_on_batch(rows(family)).sum(axis=-1), 1, rtol=1e-5)


@every_family
def test_a_trainer_finds_the_batch_size_and_a_report_the_learning_rate(family):
    hp = keras_tuner.HyperParameters()
    space(family, batch_sizes=(16, 48), learning_rate=(1e-3, 1e-1))(hp)
    assert hp.get("batch_size") == 16
    assert hp.get("learning_rate") == (1e-3 if family == "adversarial" else 1e-2)


@every_family
@pytest.mark.parametrize("seed", range(15))
def test_any_configuration_builds_and_can_be_recorded_and_built_again(family, seed):
    build, hp = space(family), random_hyperparameters(seed)
    model = build(hp)
    assert model.output_shape == (None, *CASES.get(family, Case()).outputs)
    assert model.count_params() > 0
    recorded = json.loads(json.dumps(hp.values))
    assert recorded == hp.values
    assert {type(value) for value in recorded.values()} <= {int, float, str, bool}
    again = count_build(lambda: build(GivenHyperParameters(recorded)), rows(family))
    assert again.total == model.count_params()


@every_family
@pytest.mark.parametrize("seed", range(3))
def test_a_configuration_saved_and_loaded_predicts_the_same(family, seed, tmp_path):
    model = space(family)(random_hyperparameters(seed))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    expected = model.predict_on_batch(rows(family))
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(loaded.predict_on_batch(rows(family)), expected, rtol=1e-5)


@every_family
@pytest.mark.parametrize("seed", range(3))
def test_what_is_built_is_all_that_is_recorded(family, seed):
    """A dimension that was read although it does not matter would let equal models differ."""
    hp = random_hyperparameters(seed)
    build = space(family)
    build(hp)
    read = GivenHyperParameters(hp.values)
    build(read)
    assert {each.name for each in read.space} == set(hp.values)


@every_classifier
def test_another_end_than_softmax_can_be_given(family):
    if family == "seq2seq":
        pytest.skip("it gives a token for each step")
    arguments = (CASES.get(family, Case()).arguments[0], 1)
    end = {"loss": "binary_crossentropy", "output_activation": "sigmoid"}
    options = {**CASES.get(family, Case()).options, **end}
    model = families()[family](*arguments, **options)(keras_tuner.HyperParameters())
    assert model.output_shape == (None, 1)
    assert model.layers[-1].activation is keras.activations.sigmoid


@every_family
def test_an_option_that_there_is_not_is_refused(family):
    with pytest.raises(TypeError, match="learning_rat"):
        space(family, learning_rat=(1e-3, 1e-1))(keras_tuner.HyperParameters())
