"""Which widths of a model are free: whatever is offered can be built, alone and with all others."""

from __future__ import annotations

import random

import keras
import keras_tuner
import numpy as np
import pytest
from keras import ops
from occam.search.counting import unallocated
from occam.search.models.configuration import GivenHyperParameters
from occam.search.models.copies import copies_of

L = keras.layers


def bottlenecks() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(16, 1, name="stem")(inputs)
    for _ in range(2):
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(6, 1)(x)))
        y = L.ReLU()(L.BatchNormalization()(L.Conv2D(6, 3, padding="same")(y)))
        y = L.BatchNormalization()(L.Conv2D(16, 1)(y))
        x = ops.relu(x + y)
    return keras.Model(inputs, L.Dense(4)(ops.mean(x, axis=(1, 2))))


def same_width_blocks() -> keras.Model:
    """Without its last convolution, a block's first one meets the stem."""
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, padding="same", name="stem")(inputs)
    y = L.Conv2D(8, 3, padding="same", activation="relu", name="first")(x)
    y = L.Conv2D(8, 3, padding="same", name="last")(y)
    return keras.Model(inputs, L.Dense(4)(L.Flatten()(L.Add()([x, y]))))


def squeezed() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(12, 3, padding="same", name="wide")(inputs)
    gate = L.Dense(3, activation="relu", name="squeeze")(L.GlobalAveragePooling2D()(x))
    gate = L.Reshape((1, 1, 12))(L.Dense(12, activation="sigmoid", name="excite")(gate))
    return keras.Model(inputs, L.Dense(4)(L.Flatten()(L.Multiply()([x, gate]))))


def grouped() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = L.GroupNormalization(4)(L.Conv2D(16, 3, name="normalized")(inputs))
    x = L.GlobalAveragePooling2D()(L.Conv2D(18, 3, name="halved")(x))
    return keras.Model(inputs, L.Dense(4)(ops.split(x, 2, axis=-1)[0]))


def dense_connections() -> keras.Model:
    inputs = keras.Input((8, 8, 3))
    x = L.Conv2D(8, 3, padding="same", name="stem")(inputs)
    for name in ("one", "two"):
        x = L.Concatenate()([x, L.Conv2D(8, 3, padding="same", name=name)(L.ReLU()(x))])
    return keras.Model(inputs, L.Dense(4)(L.Flatten()(x)))


def transformer() -> keras.Model:
    inputs = keras.Input((10,), dtype="int32")
    x = L.Embedding(20, 12, name="words")(inputs)
    x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 6, name="heads")(x, x)]))
    y = L.Dense(12, name="out")(L.Dense(20, activation="relu", name="in")(x))
    x = L.LayerNormalization()(L.Add()([x, y]))
    return keras.Model(inputs, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def mixer() -> keras.Model:
    """Dense layers of positions, which have to be as many as there are, and of channels."""
    inputs = keras.Input((6, 3))
    x = L.Dense(12, name="channels")(inputs)
    y = L.Permute((2, 1))(x)
    y = L.Dense(6, name="positions")(L.Dense(10, name="mixed")(y))
    x = L.Add()([x, L.Permute((2, 1))(y)])
    return keras.Model(inputs, L.Dense(3)(L.GlobalAveragePooling1D()(x)))


def translator() -> keras.Model:
    source, target = keras.Input((8, 5)), keras.Input((9, 6))
    _, *states = L.LSTM(7, return_state=True, name="encoder")(source)
    decoded = L.LSTM(7, return_sequences=True, name="decoder")(target, initial_state=states)
    return keras.Model([source, target], L.Dense(6)(decoded))


def attention() -> keras.Model:
    inputs = keras.Input((8, 5))
    x = L.GRU(7, return_sequences=True, name="read")(inputs)
    x = L.Attention()([L.Dense(7, name="query")(x), x])
    return keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling1D()(x)))


def autoencoder() -> keras.Model:
    encoder = keras.Sequential(
        [keras.Input((8, 8, 1)), L.Conv2D(6, 3, strides=2), L.Flatten(), L.Dense(5, name="code")]
    )
    decoder = keras.Sequential(
        [
            keras.Input((5,)),
            L.Dense(4 * 4 * 6, name="grid"),
            L.Reshape((4, 4, 6)),
            L.Conv2DTranspose(3, 3, strides=2, padding="same", name="picture"),
            L.Conv2D(1, 3, padding="same"),
        ]
    )
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, decoder(encoder(inputs)))


def factors() -> keras.Model:
    users, films = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    pairs = [
        L.Flatten()(L.Embedding(9, 6, name=name)(each))
        for name, each in (("user", users), ("film", films))
    ]
    bias = L.Flatten()(L.Embedding(9, 1)(users))
    return keras.Model([users, films], L.Dot(axes=1)(pairs) + bias)


def shared() -> keras.Model:
    """What two layers make goes through a third one, so it is as wide."""
    one, other = keras.Input((6,)), keras.Input((7,))
    both = L.Dense(5, name="both")
    halves = [both(L.Dense(8, name="left")(one)), both(L.Dense(8, name="right")(other))]
    return keras.Model([one, other], L.Dense(2)(L.Concatenate()(halves)))


def frames() -> keras.Model:
    layers = [keras.Input((8, 8, 1)), L.Conv2D(6, 3), L.GlobalAveragePooling2D(), L.Dense(9)]
    inputs = keras.Input((4, 8, 8, 1))
    x = L.TimeDistributed(keras.Sequential(layers), name="frames")(inputs)
    return keras.Model(inputs, L.Dense(2)(L.GRU(5, name="read")(x)))


MODELS = {
    bottlenecks: {"stem_filters": 16, **dict.fromkeys(("conv2d_filters", "conv2d_1_filters"), 6)}
    | dict.fromkeys(("conv2d_3_filters", "conv2d_4_filters"), 6),
    same_width_blocks: {"stem_filters": 8, "first_filters": 8},
    squeezed: {"wide_filters": 12, "squeeze_units": 3},
    grouped: {"normalized_filters": 16, "halved_filters": 18},
    dense_connections: {"stem_filters": 8, "one_filters": 8, "two_filters": 8},
    transformer: {"words_output_dim": 12, "heads_key_dim": 6, "heads_value_dim": 6, "in_units": 20},
    mixer: {"channels_units": 12, "mixed_units": 10},
    translator: {"encoder_units": 7},
    attention: {"read_units": 7},
    autoencoder: {"conv2d_filters": 6, "code_units": 5, "grid_units": 96, "picture_filters": 3},
    factors: {"user_output_dim": 6},
    shared: {"both_units": 5, "left_units": 8},
    frames: {"frames_filters": 6, "frames_units": 9, "read_units": 5},
}


def space_of(model: keras.Model) -> dict[str, keras_tuner.engine.hyperparameters.HyperParameter]:
    hp = keras_tuner.HyperParameters()
    copies_of(model)(hp)
    return {each.name: each for each in hp.space}


@pytest.mark.parametrize("make", MODELS, ids=lambda each: each.__name__)
def test_what_is_free_is_offered_and_what_meets_is_one(make):
    space = space_of(make())
    widths = {name: each.default for name, each in space.items() if hasattr(each, "max_value")}
    assert widths == MODELS[make] | {"learning_rate": 1e-3}


@pytest.mark.parametrize("make", MODELS, ids=lambda each: each.__name__)
def test_every_configuration_can_be_built(make):
    model = make()
    space = space_of(model)
    rng = random.Random(0)
    for _ in range(20):
        values = {name: each.random_sample(rng.random()) for name, each in space.items()}
        with unallocated():
            copy = copies_of(model)(GivenHyperParameters(values))
        assert copy.output_shape == model.output_shape


@pytest.mark.parametrize("make", [translator, attention, transformer, autoencoder, shared])
def test_the_least_of_all_widths_computes(make):
    model = make()
    values = {
        name: each.min_value for name, each in space_of(model).items() if hasattr(each, "max_value")
    }
    copy = copies_of(model)(GivenHyperParameters(values))
    rows = [np.ones((2, *each.shape[1:]), "float32") for each in model.inputs]
    assert copy(rows if len(rows) > 1 else rows[0]).shape == (2, *model.output_shape[1:])


def test_channels_in_groups_stay_multiples():
    space = space_of(grouped())
    assert (space["normalized_filters"].min_value, space["normalized_filters"].step) == (4, 4)
    assert (space["halved_filters"].min_value, space["halved_filters"].step) == (2, 2)
    grid = space_of(autoencoder())["grid_units"]
    assert (grid.min_value, grid.step) == (16, 16)


def test_a_single_channel_is_not_added_to_many():
    inputs = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, padding="same", name="stem")(inputs)
    x = L.Add()([x, L.Conv2D(4, 3, padding="same", name="inner")(x)])
    space = space_of(keras.Model(inputs, L.Dense(2)(L.Flatten()(x))))
    assert "has_stem" not in space
    assert "has_add" in space


def test_a_large_model_is_read_in_seconds():
    model = keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=10)
    passed = copies_of(model)._found._known
    assert len(model.layers) > 150
    assert len(passed) < 12 * len(model.layers)  # calls of layers; each of a whole copy has as many
