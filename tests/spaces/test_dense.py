"""The dense family: exact counts, and regressions in the labels' own units."""

from __future__ import annotations

import keras
import keras_tuner
import numpy as np
import pytest
from occam.spaces.dense import dense


def built(*arguments, values=None, **options):
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values or {})
    return dense(*arguments, **options)(hp), hp


@pytest.mark.parametrize("shape", [(784,), (28, 28), (28, 28, 1)])
def test_no_hidden_layer_is_softmax_regression(shape):
    model, hp = built(shape, 10, values={"layers": 0})
    assert model.count_params() == 7850
    assert set(hp.values) == {"layers", "l2", "batch_size", "optimizer", "learning_rate"}


def test_linear_regression_has_a_weight_for_each_input_and_a_bias():
    model, _ = built((10,), 1, loss="mse", output_activation="linear", layers=(0, 0))
    assert model.count_params() == 11


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"layers": 1, "units_0": 8}, 64 * 8 + 8 + 8 * 10 + 10),
        ({"layers": 2, "units_0": 8, "units_1": 4}, 64 * 8 + 8 + 8 * 4 + 4 + 4 * 10 + 10),
        ({"units_0": 8, "batch_normalization": True}, 64 * 8 + 4 * 8 + 8 * 10 + 10),
        ({"units_0": 8, "dropout": 0.25, "l2": 1e-3}, 64 * 8 + 8 + 8 * 10 + 10),
    ],
)
def test_the_count_is_that_of_the_layers(values, count):
    assert built((64,), 10, values=values)[0].count_params() == count


def test_the_first_trial_has_one_relu_layer_and_nothing_that_holds_it_back():
    model, hp = built((64,), 10)
    kinds = [type(layer) for layer in model.layers]
    assert kinds == [keras.layers.Dense, keras.layers.Activation, keras.layers.Dense]
    assert (hp.get("activation"), hp.get("units_0"), hp.get("batch_size")) == ("relu", 16, 32)


def test_only_the_units_of_layers_that_there_are_are_read():
    _, hp = built((64,), 10, values={"layers": 2})
    assert {"units_0", "units_1"} == {name for name in hp.values if name.startswith("units")}


def test_the_penalty_is_on_every_kernel():
    model, _ = built((4,), 2, values={"layers": 2, "l2": 1e-3})
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    assert all(layer.kernel_regularizer is not None for layer in layers)
    assert built((4,), 2)[0].losses == []


def test_a_regression_predicts_in_the_units_of_its_labels_at_no_parameter():
    options = {"loss": "mse", "output_activation": "linear", "layers": (0, 0)}
    model, _ = built((3,), 1, label_mean=152.0, label_scale=77.0, **options)
    assert model.count_params() == built((3,), 1, **options)[0].count_params() == 4
    model.layers[0].set_weights([np.ones((3, 1)), np.zeros(1)])
    predicted = model.predict_on_batch(
        np.array([[0, 0, 0], [0, 0, 1], [-1, 0, 0]], dtype="float32")
    )
    np.testing.assert_allclose(predicted[:, 0], [152, 229, 75], rtol=1e-6)


@pytest.mark.parametrize(("loss", "expected"), [("mse", 4.0), ("mae", 2.0)])
def test_the_loss_of_a_regression_is_in_standard_units(loss, expected):
    model, _ = built(
        (3,), 1, loss=loss, output_activation="linear", label_mean=152.0, label_scale=77.0
    )
    labels = np.full((2, 1), 152.0, dtype="float32")
    loss_value = model.compute_loss(x=labels, y=labels, y_pred=keras.ops.add(labels, 2 * 77.0))
    assert float(keras.ops.convert_to_numpy(loss_value)) == pytest.approx(expected, rel=1e-5)


def test_softmax_over_one_output_is_refused():
    with pytest.raises(ValueError, match="Softmax over one output is always 1"):
        dense((4,), 1)
