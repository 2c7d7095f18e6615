"""The dimensions that all families share."""

from __future__ import annotations

import keras
import keras_tuner
import pytest
from occam.spaces.dense import dense
from occam.spaces.hyperparameters import (
    OPTIMIZERS,
    Hidden,
    batch_size,
    compile,
    depth,
    dropout,
    l2,
    optimizer,
    width,
)


def hyperparameters(**values: object) -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return hp


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_gets_the_learning_rate(name):
    hp = hyperparameters(optimizer=name, learning_rate=0.05)
    made = optimizer(hp)
    assert type(made).__name__.lower() == name
    assert float(made.learning_rate) == pytest.approx(0.05)
    assert ("momentum" in hp.values) == (name == "sgd")


def test_gradient_descent_has_a_momentum_of_its_own():
    made = optimizer(hyperparameters(optimizer="sgd", momentum=0.5))
    assert (made.momentum, made.nesterov) == (0.5, True)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_both_ends_of_the_momentum_are_valid(momentum):
    assert optimizer(hyperparameters(optimizer="sgd", momentum=momentum)).momentum == momentum


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_learning_rate_may_fall_from_epoch_to_epoch(name):
    hp = hyperparameters(optimizer=name, learning_rate=0.05, batch_size=32)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    compile(model, hp, loss="mse", decays=(0.8, 1.0), rows=100)
    assert hp.get("decay") == 0.8
    schedule = model.optimizer._learning_rate
    assert [float(schedule(step)) for step in (0, 4, 8)] == pytest.approx([0.05, 0.04, 0.032])


def test_a_learning_rate_that_does_not_fall_is_a_number():
    made = optimizer(hyperparameters(learning_rate=0.05, decay=1.0), decays=(0.8, 1.0), steps=4)
    assert made.get_config()["learning_rate"] == pytest.approx(0.05)


def test_a_learning_rate_may_fall_to_nothing_over_the_epochs():
    hp = hyperparameters(learning_rate=0.05, batch_size=32)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    compile(model, hp, loss="mse", annealing=10, rows=100)
    schedule = model.optimizer._learning_rate
    assert [float(schedule(step)) for step in (0, 20, 40)] == pytest.approx([0.05, 0.025, 0.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decays": (0.8,)}, "number of `rows`"),
        ({"annealing": 10}, "number of `rows`"),
        ({"decays": (0.8,), "annealing": 10, "rows": 100}, "give one of them"),
    ],
)
def test_a_schedule_needs_rows_and_is_of_one_kind(options, message):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match=message):
        compile(model, hyperparameters(), loss="mse", **options)


@pytest.mark.parametrize(
    ("bounds", "default"), [((1e-4, 0.3), 0.01), ((1e-4, 1e-3), 1e-3), ((0.1, 0.2), 0.1)]
)
def test_the_first_learning_rate_lies_in_the_given_range(bounds, default):
    hp = hyperparameters()
    optimizer(hp, learning_rate=bounds)
    assert hp.get("learning_rate") == default


def test_the_first_of_the_choices_is_the_default():
    hp = hyperparameters()
    assert isinstance(optimizer(hp, ["rmsprop", "adam"]), keras.optimizers.RMSprop)
    assert batch_size(hp, [64, 32]) == 64


@pytest.mark.parametrize(
    ("bounds", "default", "expected"),
    [((2, 128), None, 16), ((2, 32), 64, 32), ((8, 8), None, 8), ((4, 8), 1, 4)],
)
def test_a_width_starts_in_the_middle_of_its_log_range_or_at_its_default(bounds, default, expected):
    hp = hyperparameters()
    assert width(hp, "units", bounds, default) == expected
    assert hp.space[0].sampling == "log"


def test_a_depth_starts_at_its_default_within_its_bounds():
    assert depth(hyperparameters(), "layers", (0, 3), default=1) == 1
    assert depth(hyperparameters(), "layers", (2, 3), default=1) == 2


def test_no_penalty_and_no_dropout_come_first_and_can_be_drawn():
    hp = hyperparameters()
    assert l2(hp) is None
    assert dropout(hp) == 0
    assert list(hp.space[1].values) == [0.0, 0.125, 0.25, 0.375, 0.5]
    assert l2(hyperparameters(l2=1e-3)).l2 == pytest.approx(1e-3)


def test_normalized_layers_have_no_bias():
    plain, *_ = Hidden(activation="relu", normalized=False, penalty=None).dense(4)
    bare, normalization, _ = Hidden(activation="relu", normalized=True, penalty=None).dense(4)
    assert plain.use_bias
    assert not bare.use_bias
    assert isinstance(normalization, keras.layers.BatchNormalization)


def test_a_loss_weight_scales_the_loss():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    compile(model, hyperparameters(), loss="mse", loss_weight=0.01)
    rows = keras.ops.ones((2, 1))
    loss = model.compute_loss(x=rows, y=10 * rows, y_pred=model(rows))
    assert float(keras.ops.convert_to_numpy(loss)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizers": ("adam", "adm")}, "Keras has no optimizer 'adm'"),
        ({"loss": "crossentropy"}, "Keras has no loss 'crossentropy'"),
        ({"output_activation": "softmx"}, "softmx"),
    ],
)
def test_a_name_that_keras_does_not_have_is_refused_when_a_model_is_built(options, message):
    with pytest.raises(ValueError, match=message):
        dense((3,), 2, **options)(keras_tuner.HyperParameters())


def test_any_optimizer_of_keras_can_be_chosen():
    model = dense((3,), 2, optimizers=("lion", "adafactor"))(keras_tuner.HyperParameters())
    assert type(model.optimizer).__name__ == "Lion"
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-2)
