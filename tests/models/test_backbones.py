"""Frozen layers in front of a model are told from what is trained; both compute what it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from occam.search.counting import unallocated
from occam.search.models.backbones import parted
from occam.search.models.evaluation import outputs

L = keras.layers
SHAPE = (8, 8, 3)


def drawn(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(12, *shape)).astype("float32")


def base(*more: Any, trainable: bool = False, filters: int = 4) -> keras.Model:
    """A network that was trained before, as `keras.applications` gives one."""
    layers = [L.Conv2D(filters, 3, use_bias=False), L.BatchNormalization(), L.ReLU(), *more]
    model = keras.Sequential([keras.Input(SHAPE), *layers], name="base")
    model.set_weights(
        [
            np.random.default_rng(i).uniform(0.1, 1.0, each.shape)
            for i, each in enumerate(model.weights)
        ]
    )
    model.trainable = trainable
    return model


def compiled(inputs: Any, outputs: Any) -> keras.Model:
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def behind(features: Any, *, rate: float = 0.3) -> Any:
    hidden = L.Dense(5, activation="relu")(L.GlobalAveragePooling2D()(features))
    return L.Dense(2, activation="softmax")(L.Dropout(rate)(hidden))


def nested(**call: Any) -> keras.Model:
    inputs = keras.Input(SHAPE)
    return compiled(inputs, behind(base()(L.Rescaling(1 / 2)(inputs), **call)))


def flat() -> keras.Model:
    """Layer by layer, as where `base.output` is gone on from."""
    made = base()
    return compiled(made.inputs[0], behind(made.outputs[0]))


def sequential() -> keras.Model:
    layers = [keras.Input(SHAPE), L.Rescaling(1 / 2), base(), L.Flatten(), L.Dense(2)]
    model = keras.Sequential(layers)
    model.compile("sgd", "mse")
    return model


def with_operations() -> keras.Model:
    inputs = keras.Input(SHAPE)
    return compiled(inputs, behind(base()(inputs / 2.0 - np.array([0.1, 0.2, 0.3], "float32"))))


def with_a_table() -> keras.Model:
    """The table goes to the head as it is."""
    image, table = keras.Input(SHAPE, name="image"), keras.Input((4,), name="table")
    joined = L.Concatenate()([L.Flatten()(base()(image)), table])
    return compiled({"image": image, "table": table}, L.Dense(2, activation="softmax")(joined))


def twice() -> keras.Model:
    """A siamese network: one backbone, two images."""
    left, right, shared = keras.Input(SHAPE), keras.Input(SHAPE), base()
    return compiled([left, right], behind(L.Concatenate()([shared(left), shared(right)])))


def layer_by_layer() -> keras.Model:
    """The nested model itself is not frozen, but all of its layers are."""
    inputs, made = keras.Input(SHAPE), base()
    made.trainable = True
    for layer in made.layers:
        layer.trainable = False
    return compiled(inputs, behind(made(inputs)))


def quiet_dropout() -> keras.Model:
    inputs = keras.Input(SHAPE)
    return compiled(inputs, behind(base(L.Dropout(0.5))(inputs, training=False)))


WITH = {
    "nested": (nested, drawn(*SHAPE)),
    "called for inference": (lambda: nested(training=False), drawn(*SHAPE)),
    "flat": (flat, drawn(*SHAPE)),
    "sequential": (sequential, drawn(*SHAPE)),
    "operations": (with_operations, drawn(*SHAPE)),
    "a table": (with_a_table, {"image": drawn(*SHAPE), "table": drawn(4)}),
    "twice": (twice, [drawn(*SHAPE), drawn(*SHAPE, seed=1)]),
    "layer by layer": (layer_by_layer, drawn(*SHAPE)),
    "dropout that is off": (quiet_dropout, drawn(*SHAPE)),
}


@pytest.mark.parametrize(("make", "inputs"), WITH.values(), ids=WITH)
def test_both_parts_together_compute_what_the_model_does(make, inputs):
    model = make()
    parts = parted(model)
    features = outputs(parts.backbone, inputs)
    assert np.allclose(outputs(parts.head, features), outputs(model, inputs), atol=1e-6)
    assert not parts.backbone.trainable_variables
    owned = [id(each) for each in parts.head.trainable_variables]
    assert owned == [id(each) for each in model.trainable_variables], "in the optimizer's order"
    assert parts.head.optimizer is model.optimizer


@pytest.mark.parametrize(("make", "inputs"), WITH.values(), ids=WITH)
def test_a_backbone_is_known_again_when_its_model_is_built_anew(make, inputs):
    first, second, other = make(), make(), make()
    assert parted(first).identity == parted(second).identity
    weight = next(each for each in other.weights if not each.trainable)
    weight.assign(weight + 1e-3)
    assert parted(first).identity != parted(other).identity


def test_it_does_not_matter_what_stands_behind():
    def model(units: int, rate: float) -> keras.Model:
        inputs = keras.Input(SHAPE)
        hidden = L.Dropout(rate)(L.GlobalAveragePooling2D()(base()(inputs)))
        return compiled(inputs, L.Dense(2, activation="softmax")(L.Dense(units)(hidden)))

    made = [parted(model(units, rate)).identity for units, rate in ((3, 0.5), (9, 0.0))]
    assert len(set(made)) == 1


def different() -> dict[str, Callable[[Any], Any]]:
    def crossed(swap: bool) -> Callable[[Any], Any]:
        def call(inputs: Any) -> Any:
            one, other = (L.Conv2D(4, 3, trainable=False, kernel_initializer="ones") for _ in "ab")
            first = inputs * 2.0
            pair = (one(first), other(inputs)) if swap else (one(inputs), other(first))
            return L.Subtract()(pair)

        return call

    return {
        "a": lambda inputs: base()(inputs / 2.0),
        "another constant": lambda inputs: base()(inputs / 3.0),
        "a part": lambda inputs: base()(L.ZeroPadding2D(1)(inputs)[:, 1:-1, 1:-1]),
        "another part": lambda inputs: base()(L.ZeroPadding2D(1)(inputs)[:, 2:, 2:]),
        "a mean": lambda inputs: base()(inputs - keras.ops.mean(inputs, axis=1, keepdims=True)),
        "another mean": lambda inputs: base()(
            inputs - keras.ops.mean(inputs, axis=2, keepdims=True)
        ),
        "another order": lambda inputs: base()(inputs) / 2.0,
        "other widths": lambda inputs: base(filters=5)(inputs),
        "crossed": crossed(True),
        "not crossed": crossed(False),
        "in another model": lambda inputs: keras.Model(inputs, base()(inputs), trainable=False)(
            inputs
        ),
    }


def test_backbones_that_compute_something_else_are_others():
    identities = {}
    for name, call in different().items():
        inputs = keras.Input(SHAPE)
        identities[name] = parted(compiled(inputs, behind(call(inputs)))).identity
    assert len(set(identities.values())) == len(identities)


def without() -> dict[str, Callable[[Any], Any]]:
    adapted = L.Normalization()
    adapted.adapt(drawn(*SHAPE))

    def partly_trained(inputs: Any) -> Any:
        made = base(L.Conv2D(2, 3))
        made.trainable = True
        made.layers[0].trainable = False
        return made(inputs)

    def changed_by_training(inputs: Any) -> Any:
        """Statistics are gathered, though no gradient trains it."""
        return base()(L.BatchNormalization(scale=False, center=False)(inputs))

    return {
        "nothing frozen": base(trainable=True),
        "only what was adapted": adapted,
        "part of a model": partly_trained,
        "augmented": lambda inputs: base()(L.RandomFlip()(inputs)),
        "statistics": changed_by_training,
        "dropout that is on": base(L.Dropout(0.5)),
        "a function of one's own": lambda inputs: base()(L.Lambda(lambda x: x)(inputs)),
        "a lambda": lambda inputs: L.Conv2D(
            4, 3, activation=lambda x: x, trainable=False, kernel_initializer="ones"
        )(inputs),
        "a penalty of what it gives": lambda inputs: base()(L.ActivityRegularization(0.1)(inputs)),
        "more than it takes": lambda inputs: L.Conv2D(2, 3)(base(L.UpSampling2D(40))(inputs)),
    }


@pytest.mark.parametrize("front", without().values(), ids=without())
def test_what_training_changes_is_no_backbone(front):
    inputs = keras.Input(SHAPE)
    assert parted(compiled(inputs, behind(front(inputs)))) is None


def test_a_mask_is_no_feature():
    words = keras.Input((6,), dtype="int32")
    for masked in (True, False):
        embedding = L.Embedding(9, 4, mask_zero=masked, trainable=False)
        model = compiled(words, L.Dense(2)(L.LSTM(3)(embedding(words))))
        assert (parted(model) is None) == masked


def test_a_model_whose_outputs_are_all_frozen_has_no_head():
    inputs = keras.Input(SHAPE)
    assert parted(compiled(inputs, L.Flatten()(base()(inputs)))) is None


def test_a_model_of_a_class_of_its_own_is_not_read():
    class Own(keras.Model):
        def call(self, inputs: Any) -> Any:
            return base()(inputs)

    assert parted(Own()) is None


def test_weights_that_are_to_be_drawn_are_not_known():
    inputs = keras.Input(SHAPE)
    with unallocated():
        random = L.Conv2D(4, 3, trainable=False)
        drawn_later = parted(compiled(inputs, behind(random(inputs))))
        given = parted(compiled(inputs, behind(base()(inputs))))
    assert not drawn_later.is_known
    assert given.is_known
    assert given.identity == parted(compiled(inputs, behind(base()(inputs)))).identity


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="texts are TensorFlow's")
def test_a_text_that_the_head_reads_itself_is_no_feature():
    image, text = keras.Input(SHAPE), keras.Input((), dtype="string")
    words = L.TextVectorization(output_mode="multi_hot", vocabulary=["a", "b"])
    joined = L.Concatenate()([L.Flatten()(base()(image)), L.Dense(2)(words(text))])
    assert parted(compiled([image, text], L.Dense(2)(joined))) is not None, "its words are"
    own = L.Dense(2)(L.Lambda(lambda x: keras.ops.zeros((1, 3)), output_shape=(3,))(text))
    joined = L.Concatenate()([L.Flatten()(base()(image)), own])
    assert parted(compiled([image, text], L.Dense(2)(joined))) is None
