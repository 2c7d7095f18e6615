"""What makes a space another one: all that its default model is made of, but no name or seed."""

from __future__ import annotations

import subprocess
import sys

import keras
import keras_tuner
import numpy as np
import pytest
from occam.search.counting import unallocated
from occam.search.fingerprint import (
    code_of,
    of_model,
    of_rows,
    of_rows_nearly,
    of_space,
    own_code,
)

L = keras.layers


def model(
    activation="relu", optimizer="adam", loss="mse", rate=0.1, units=3, norm=1e-3
) -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    x = L.Conv2D(units, 3, activation=activation)(L.RandomFlip()(inputs))
    x = L.BatchNormalization(epsilon=norm)(x)
    x = L.Bidirectional(L.LSTM(2))(L.Reshape((6, 6 * units))(x))
    made = keras.Model(inputs, L.Dense(1)(L.Dropout(rate)(x)))
    made.compile(optimizer, loss)
    return made


def test_names_and_seeds_of_a_process_make_no_difference():
    assert of_model(model()) == of_model(model())
    with unallocated():
        counted = model()
    assert of_model(counted) == of_model(model())


@pytest.mark.parametrize(
    "changed",
    [
        {"activation": "tanh"},
        {"optimizer": "sgd"},
        {"optimizer": keras.optimizers.Adam(0.1)},
        {"loss": "mae"},
        {"loss": keras.losses.Huber(delta=2.0)},
        {"rate": 0.2},
        {"units": 4},
        {"norm": 1e-2},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_setting_makes_a_difference(changed):
    assert of_model(model(**changed)) != of_model(model())


ROWS = np.random.default_rng(0).normal(size=(400, 6))
TEXT = np.array(["a", "b", None] * 100, dtype=object)


@pytest.mark.parametrize("rows", [ROWS, ROWS.astype("float32"), np.full((9, 2), 0.1), ROWS * 1e9])
def test_rows_that_are_rounded_otherwise_are_nearly_the_same(rows):
    rounded = np.nextafter(rows, 0).astype(rows.dtype)
    assert of_rows(rounded) != of_rows(rows)
    assert of_rows_nearly({"x": rounded, "text": TEXT}) == of_rows_nearly({"x": rows, "text": TEXT})


@pytest.mark.parametrize(
    "other", [1.01 * ROWS, ROWS + 0.01, ROWS[:-1], ROWS.astype("int64"), -ROWS], ids=range(5)
)
def test_other_rows_are_not_nearly_the_same(other):
    assert of_rows_nearly(other) != of_rows_nearly(ROWS)
    assert of_rows_nearly([ROWS, TEXT]) != of_rows_nearly([ROWS, TEXT[::-1]])


@pytest.mark.slow
def test_another_process_finds_the_same():
    code = (
        "import keras; keras.layers.Dense(3); import sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_fingerprint as t; print(t.of_model(t.model()))"
    )
    folder = __file__.rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-c", code, folder], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == of_model(model())


def test_code_that_the_default_build_does_not_reach_makes_a_difference():
    def space(hp):
        return model(units=3 if hp.Boolean("small", default=True) else 5)

    def same(hp):
        # a comment
        return model(units=3 if hp.Boolean("small", default=True) else 5)

    def other(hp):
        return model(units=3 if hp.Boolean("small", default=True) else 6)

    hp = keras_tuner.HyperParameters()
    made = space(hp)
    found = [of_space(each, hp, made) for each in (space, same, other)]
    assert code_of(same) == code_of(space).replace("space", "same")
    assert found[0] != found[2]


def test_the_code_of_ones_own_functions_and_classes_is_known():
    @keras.saving.register_keras_serializable("fingerprints")
    def swishy(x):
        return x * keras.ops.sigmoid(x)

    class Twice(L.Layer):
        def call(self, x):
            return 2 * x

    class Own(keras.Model):
        def call(self, x):
            return x

    def loss(truth, predicted):
        return keras.ops.mean(predicted)

    made = keras.Sequential([keras.Input((3,)), L.Dense(2, swishy), Twice()])
    made.compile("sgd", loss)
    code = own_code(made)
    assert "2 * x" in next(code[name] for name in code if name.endswith("Twice"))
    assert "mean(predicted)" in next(code[name] for name in code if name.endswith("loss"))
    assert "sigmoid" in code["fingerprints>swishy"]
    assert any("return x" in each for each in own_code(Own()).values())
    assert own_code(model()) == {}
