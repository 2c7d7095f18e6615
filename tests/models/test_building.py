"""What a space builds: its hyperparameters known beforehand, and what it cannot build."""

from __future__ import annotations

from dataclasses import replace

import keras
import keras_tuner
import numpy as np
import pytest
import toy
from occam.search.errors import InputError, OccamError
from occam.search.models.building import Builder, as_hypermodel, build, restore
from occam.search.models.configuration import GivenHyperParameters, read
from occam.search.pipeline import Data, Pipeline


def pipeline(space, **options) -> Pipeline:
    data = {"data": lambda: Data((), (), ())}
    return Pipeline(**data, space=space, target=0.9, name="toy", **options)


def branches(hp) -> keras.Model:
    """Of three kinds, each with a hyperparameter of its own; the second cannot be built."""
    kind = hp.Choice("kind", ["small", "odd", "large"])
    for name in ("odd", "large"):
        with hp.conditional_scope("kind", [name]):
            if kind == name:
                hp.Int(f"{name}_units", 1, 4)
    if kind == "odd":
        raise ValueError("odd")
    return toy.few(hp)


def test_a_branch_that_cannot_be_built_hides_no_other():
    space = Builder(pipeline(branches), None).discover().space
    assert [each.name for each in space] == ["kind", "units", "odd_units", "large_units"]


def test_a_space_whose_default_cannot_be_built_has_nothing_to_search():
    def broken(hp) -> keras.Model:
        raise ValueError(f"no {hp.Int('units', 1, 4)}")

    with pytest.raises(ValueError, match="no 1"):
        Builder(pipeline(broken), None).discover()


def test_what_cannot_be_built_fits_nothing_though_all_that_it_reads_is_given():
    builder = Builder(pipeline(branches), np.zeros((1, 6)))
    known = {"kind": "odd", "odd_units": 2}
    assert builder.fitting(GivenHyperParameters(known), known) is None
    known = {"kind": "large", "large_units": 2, "units": 3}
    assert builder.fitting(GivenHyperParameters(known), known).size.total == 21


def test_what_a_fit_reads_is_known_of_each_model():
    own = keras_tuner.HyperParameters()
    own.Choice("batch_size", [8, 16])
    hp = GivenHyperParameters({"units": 2, "batch_size": 16})
    Builder(pipeline(toy.few), None, own.space).build(hp)
    assert read(hp) == {"units": 2, "batch_size": 16}


def test_a_trial_whose_model_was_not_saved_or_is_gone_gives_none(tmp_path):
    trial = toy.outcome(toy.engine("optuna", tmp_path, "random").ask(1)[0])
    with pytest.raises(InputError, match="Trial 0 has no saved model: it did not reach"):
        restore(pipeline(toy.build), trial, None)
    gone = replace(trial, model_path=str(tmp_path / "gone.keras"))
    with pytest.raises(OccamError, match="The model of trial 0 is gone from .*gone.keras: bring"):
        restore(pipeline(toy.build), gone, None)


def plain(hp) -> keras.Model:
    return keras.Sequential([keras.layers.Dense(hp.Int("units", 3, 4))])


def test_a_model_that_is_not_compiled_needs_a_loss():
    with pytest.raises(InputError, match="'toy' returns a model that is not compiled: compile it"):
        build(pipeline(plain), GivenHyperParameters({}))


def test_a_model_without_an_input_is_built_on_rows_of_the_shape_that_is_known():
    known = pipeline(plain, loss="mse")
    assert not build(known, GivenHyperParameters({})).built
    assert build(replace(known, row_shape=(5,)), GivenHyperParameters({})).count_params() == 18


def test_a_class_of_hypermodels_is_no_space():
    with pytest.raises(InputError, match=r"the class HyperResNet: give one of it, as `HyperRes"):
        as_hypermodel(keras_tuner.applications.HyperResNet)
    with pytest.raises(InputError, match="smaller copies are searched, received int"):
        as_hypermodel(3)


def test_a_class_of_models_that_is_made_from_hp_is_a_space():
    class OfUnits(keras.Sequential):
        def __init__(self, hp) -> None:
            super().__init__([keras.Input((6,)), keras.layers.Dense(hp.Int("units", 3, 4))])

    model = build(pipeline(OfUnits, loss="mse"), GivenHyperParameters({"units": 4}))
    assert model.count_params() == 28
