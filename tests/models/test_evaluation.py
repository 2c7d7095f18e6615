"""Predictions are those of Keras, whatever form the inputs have."""

from __future__ import annotations

import math
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from occam.search.errors import InputError
from occam.search.metrics import metric
from occam.search.models import evaluation
from occam.search.models.evaluation import CHUNK, FEWEST, at_once, predictions, score

INPUTS = np.random.default_rng(0).normal(size=(50, 3))


def model(units: int = 4, activation: str = "softmax", loss: object = "mse") -> keras.Model:
    keras.utils.set_random_seed(1)
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(units, activation=activation)])
    made.compile(loss=loss)
    return made


def two_inputs() -> keras.Model:
    inputs = {name: keras.Input((3,), name=name) for name in ("left", "right")}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    made = keras.Model(inputs, keras.layers.Dense(2)(joined))
    made.compile(loss="mse")
    return made


def test_predictions_are_those_of_keras():
    made = model()
    assert np.allclose(predictions(made, INPUTS), made.predict(INPUTS, verbose=0))


def test_a_model_that_is_not_compiled_predicts_too():
    made = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    assert predictions(made, INPUTS).shape == (50, 2)


def test_predictions_are_of_single_precision_wherever_they_are_made():
    backend = keras.backend.backend()
    if backend == "jax":
        pytest.skip("JAX has a context of its own for it.")
    before = evaluation._tensorfloat(backend)[0]
    with evaluation.single_precision():
        assert not evaluation._tensorfloat(backend)[0]
    assert evaluation._tensorfloat(backend)[0] == before


def test_chunks_join_to_the_whole(monkeypatch):
    made, whole = model(), predictions(model(), INPUTS)
    monkeypatch.setattr(evaluation, "CHUNK", 16)
    assert np.allclose(predictions(made, INPUTS), whole)


def test_as_many_rows_are_predicted_at_once_as_their_layers_leave_room_for():
    photos = keras.Sequential([keras.Input((224, 224, 3)), keras.layers.Conv2D(32, 3)])
    assert at_once(photos, np.zeros((1, 224, 224, 3))) * 222 * 222 * 32 * 4 < 2**31
    assert at_once(model(), INPUTS) == CHUNK
    assert at_once(two_inputs(), {"left": INPUTS, "right": INPUTS}) == CHUNK
    unbuilt = keras.Sequential([keras.layers.Conv2D(32, 3)])
    assert at_once(unbuilt, np.zeros((1, 224, 224, 3))) < 100
    assert at_once(unbuilt, np.zeros((1, 9000, 9000, 3))) == FEWEST
    with warnings.catch_warnings(action="ignore"):  # MLflow's, of its own type hints
        from occam.search.runs.serving import _at_once
    inside = keras.Sequential([keras.Input((224, 224, 3)), photos, keras.layers.Flatten()])
    assert at_once(inside, np.zeros((1, 224, 224, 3))) == at_once(photos, INPUTS) // 3
    for made, inputs in ((photos, 224), (inside, 224), (model(), 3)):
        assert _at_once(made) == at_once(made, np.zeros((1, inputs))), "as it is served"


def test_a_data_frame_is_read_as_an_array():
    made = model()
    assert np.array_equal(predictions(made, pd.DataFrame(INPUTS)), predictions(made, INPUTS))


def test_several_inputs_come_as_a_dictionary():
    made = two_inputs()
    assert predictions(made, {"left": INPUTS, "right": INPUTS}).shape == (50, 2)


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_inputs_come_as_a_list_or_a_tuple(kind):
    inputs = [keras.Input((3,)), keras.Input((3,))]
    made = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Add()(inputs)))
    made.compile(loss="mse")
    assert predictions(made, kind([INPUTS, INPUTS])).shape == (50, 2)


def test_binary_logits_become_probabilities():
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    logits = predictions(model(1, "linear"), INPUTS)
    assert np.allclose(
        predictions(model(1, "linear", loss), INPUTS), 1 / (1 + np.exp(-logits)), atol=1e-6
    )


def test_class_logits_become_probabilities():
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    given, expected = model(4, "linear", loss), model(4, "softmax")
    assert np.allclose(predictions(given, INPUTS), predictions(expected, INPUTS), atol=1e-6)


def test_a_model_with_two_outputs_is_refused():
    inputs = keras.Input((3,))
    outputs = [keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)]
    with pytest.raises(InputError, match="The model has 2 outputs, and a metric is measured on"):
        predictions(keras.Model(inputs, outputs), INPUTS)


def test_the_score_is_the_metric_of_the_predictions():
    made = model()
    labels = predictions(made, INPUTS).argmax(axis=-1)
    labels[:5] = (labels[:5] + 1) % 4
    assert score(made, (INPUTS, labels), metric("accuracy")) == pytest.approx(0.9)


def test_predictions_that_are_not_finite_score_not_a_number():
    made = model(1, "sigmoid")
    made.set_weights([np.full((3, 1), np.nan), np.zeros(1)])
    assert math.isnan(score(made, (INPUTS, np.arange(50) % 2), metric("auc")))


@pytest.mark.parametrize("wrap", [lambda loss: {"out": loss}, lambda loss: [loss]])
def test_logits_are_recognised_where_the_loss_is_given_by_output(wrap):
    inputs = keras.Input((3,))
    made = keras.Model(inputs, keras.layers.Dense(1, name="out")(inputs))
    made.compile(loss=wrap(keras.losses.BinaryCrossentropy(from_logits=True)))
    found = predictions(made, INPUTS)
    assert 0 < found.min() < found.max() < 1
