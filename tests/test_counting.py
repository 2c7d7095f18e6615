"""The count is Keras's own, whatever the model is made of."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import pytest
from occam.search.counting import (
    Count,
    activations,
    count,
    count_build,
    holds_nothing,
    unallocated,
    undrawn,
)
from occam.search.models.building import ENOUGH, Builder, build
from occam.search.models.configuration import GivenHyperParameters
from occam.search.pipeline import Pipeline

ROWS = np.zeros((3, 8, 8, 1), dtype="float32")


class Subclassed(keras.Model):
    """Does not know its input shape before it is called."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(units)

    def call(self, inputs):
        return self.dense(self.flatten(inputs))


def functional() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.SeparableConv2D(4, 3)(inputs)
    x = keras.layers.BatchNormalization()(x)
    y = keras.layers.DepthwiseConv2D(3)(inputs)
    x = keras.layers.Concatenate()([x, y])
    return keras.Model(inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x)))


def recurrent() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            keras.layers.Embedding(50, 4),
            keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True)),
            keras.layers.GRU(2),
            keras.layers.Dropout(0.5),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(1),
        ]
    )


def compiled() -> keras.Model:
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.compile(optimizer=keras.optimizers.AdamW(1e-3), loss="mse", metrics=["mae"])
    return model


@pytest.mark.parametrize("build", [functional, recurrent, compiled])
def test_a_count_without_weights_is_the_count_with_them(build):
    model = build()
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert count_build(build, ROWS) == Count(model.count_params(), trainable)


def test_moving_statistics_count_but_are_not_trainable():
    size = count_build(functional, ROWS)
    assert size.total - size.trainable == 8


def test_a_model_that_does_not_know_its_shape_is_built_on_a_row():
    assert count_build(lambda: Subclassed(7), ROWS) == Count(65 * 7, 65 * 7)


def test_a_build_that_needs_values_is_built_for_real():
    built = []

    def build() -> keras.Model:
        model = compiled()
        model.get_weights()
        built.append(model)
        return model

    assert count_build(build, ROWS).total == 130
    assert len(built) == 1


def test_no_weight_is_allocated_to_be_counted():
    built = []

    def build() -> keras.Model:
        built.append(compiled())
        return built[-1]

    assert count_build(build, ROWS).total == 130
    (model,) = built
    assert all(holds_nothing(weight) for weight in model.weights)


def test_a_build_that_fails_says_why():
    def build() -> keras.Model:
        raise ValueError("no such shape")

    with pytest.raises(ValueError, match="no such shape"):
        count_build(build, ROWS)


def test_counting_leaves_no_trace():
    count_build(compiled, ROWS)
    assert np.isfinite(compiled().get_weights()[0]).all()


def test_a_learning_rate_is_known_where_weights_are_not():
    with unallocated():
        optimizer = keras.optimizers.Adam(0.25)
    assert optimizer.get_config()["learning_rate"] == 0.25
    kept = keras.optimizers.Adam(0.25)
    kept.learning_rate.assign(0.5)
    assert float(kept.learning_rate.numpy()) == 0.5


def test_a_build_that_sets_a_learning_rate_itself_is_counted_too():
    def build() -> keras.Model:
        model = compiled()
        model.optimizer.learning_rate.assign(0.125)
        return model

    assert count_build(build, ROWS) == count_build(compiled, ROWS)


def test_what_is_only_counted_has_its_layers():
    with unallocated():
        nested = keras.Sequential([keras.Input((2,)), keras.Sequential([keras.layers.Dense(3)])])
    assert [type(each).__name__ for each in nested.layers] == ["Sequential"]
    assert len(nested.layers[0].layers) == 1
    assert len(nested.weights) == 2


def test_what_is_given_values_later_is_not_drawn():
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    with undrawn():
        model = keras.Sequential([keras.Input((2,)), *layers])
    kernel, _, gamma, *_ = model.get_weights()
    assert not kernel.any()
    assert (gamma == 1).all()
    assert np.asarray(layers[-1].seed_generator.state.numpy()).any()
    assert keras.layers.Dense(3)(np.ones((1, 2))).shape == (1, 3)
    drawn = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    assert drawn.get_weights()[0].any()


def test_the_activations_of_a_row_are_known_without_weights():
    with unallocated():
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(3, 3, padding="same"),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(10),
            ]
        )
    assert activations(model) == 8 * 8 * 3 + 3 + 10
    assert activations(Subclassed(1)) == 0


def test_the_activations_of_a_sequence_of_any_length_are_those_that_are_known():
    layers = [keras.layers.Conv1D(4, 1), keras.layers.GRU(5), keras.layers.Dense(2)]
    assert activations(keras.Sequential([keras.Input((None, 3)), *layers])) == 5 + 2


def test_a_model_that_is_not_built_yet_is_built_by_a_row():
    assert count(Subclassed(1), ROWS).total == 65


def test_what_holds_nothing_is_known_from_what_was_given_a_value():
    with unallocated():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
        model.layers[1].set_weights([np.ones((3, 2)), np.zeros(2)])
    drawn, given = (layer.weights for layer in model.layers)
    assert all(holds_nothing(weight) for weight in drawn)
    assert not any(holds_nothing(weight) for weight in given)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow tracks attributes")
def test_what_is_only_counted_is_not_tracked_and_what_comes_after_is():
    with unallocated():
        counted = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    kept = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    assert counted.count_params() == kept.count_params() == 9
    assert not counted._trackable_children()
    assert kept._trackable_children()


def test_a_space_that_needs_weights_is_soon_built_once_a_count():
    builds = []

    def space(hp):
        builds.append(hp.Int("units", 1, 9))
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(builds[-1])])
        model.layers[0].kernel.numpy().sum()  # a value, which an unallocated weight has not
        model.compile(loss="mse")
        return model

    pipeline = Pipeline(data=list, space=space, target=0.9)
    builder = Builder(pipeline, ROWS)
    for _ in range(9):
        assert builder.counted(GivenHyperParameters({}))[1].total == 5
    assert len(builds) == 2 * ENOUGH + 9 - ENOUGH


def test_a_layer_that_the_build_adapts_to_data_knows_what_it_was_adapted_to():
    rows = np.arange(12, dtype="float32").reshape(4, 3)
    with unallocated():
        layer = keras.layers.Normalization()
        layer.adapt(rows)
        model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(2)])
    np.testing.assert_allclose(np.ravel(layer.mean), rows.mean(0))
    assert holds_nothing(model.layers[-1].kernel)
    assert count(model, None).total == 3 + 3 + 1 + 3 * 2 + 2


@pytest.mark.parametrize("loaded", [True, False])
def test_a_layer_that_a_space_keeps_has_weights_though_it_was_first_made_to_be_counted(loaded):
    given = np.full((64, 3), 0.25, dtype="float32")

    @cache
    def kept() -> keras.Model:
        model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(3, use_bias=False)])
        if loaded:
            model.set_weights([given])
        model.trainable = False
        return model

    def space(hp: GivenHyperParameters) -> keras.Model:
        inputs = keras.Input((64,))
        outputs = keras.layers.Dense(2, activation="softmax")(kept()(inputs))
        model = keras.Model(inputs, outputs)
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    pipeline = Pipeline(data=lambda: None, space=space, target=0.9)
    Builder(pipeline, np.zeros((3, 64))).counted(GivenHyperParameters({}))
    model = build(pipeline, GivenHyperParameters({}))
    before = kept().get_weights()[0]
    assert np.ptp(before) == 0 if loaded else np.ptp(before) > 0, "as its initializer draws"
    model.fit(np.ones((8, 64)), np.zeros(8), verbose=0)
    model.set_weights(model.get_weights())
    np.testing.assert_array_equal(kept().get_weights()[0], before)
    Builder(pipeline, np.zeros((3, 64))).counted(GivenHyperParameters({}))
    np.testing.assert_array_equal(kept().get_weights()[0], before)
