"""A model with units cut out computes what the wider one does with those units silenced."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import pytest
from architectures import BATCH, CASES, IMAGE, ROW, branched, compiled, inputs
from occam.search.training.population.errors import Unsupported
from occam.search.training.population.lowering import lower
from occam.search.training.population.narrowing import Narrowing

L = keras.layers
MIXED = ("hidden softmax", "layer normalization")
READ = "first features"  # of which models of these widths read more or fewer


def cut(wide: keras.Model, narrow: keras.Model) -> list[np.ndarray]:
    """Give `narrow` some units of `wide`, silence the others there; what each node has lost."""
    old, new = lower(wide, BATCH), lower(narrow, BATCH)
    narrowing = Narrowing.between(old, new)
    rng = np.random.default_rng(0)
    weights = [
        rng.uniform(0.1, 0.5, value.shape).astype("float32") * rng.choice([-1, 1], value.shape)
        if "variance" not in weight.path
        else rng.uniform(0.5, 1, value.shape).astype("float32")
        for layer in old.layers
        for weight, value in zip(layer.weights, layer.get_weights(), strict=True)
    ]
    layout = narrowing.without(narrowing.least(list(rng.random(len(narrowing.groups)))))
    assign(new.layers, layout.own(weights))
    places = zip(layout.places, weights, strict=True)
    assign(old.layers, [place.embed(place.extract(value)) for place, value in places])
    return [np.flatnonzero(~mask) for mask in layout.masks]


def assign(layers: Sequence[keras.Layer], weights: Sequence[np.ndarray]) -> None:
    values = iter(weights)
    for layer in layers:
        layer.set_weights([next(values) for _ in layer.weights])


def difference(wide: keras.Model, narrow: keras.Model, x: np.ndarray) -> float:
    outputs = narrow.predict_on_batch(x)
    assert outputs.std(axis=0).max() > 1e-5, "the model has to say something"
    return float(np.abs(wide.predict_on_batch(x) - outputs).max())


@pytest.mark.parametrize("name", [name for name in CASES if name not in (*MIXED, READ)])
def test_a_narrower_model_is_the_wider_one_with_units_silenced(name):
    shape, layers = CASES[name]
    wide, narrow = compiled(layers, 5, shape), compiled(layers, 3, shape)
    assert sum(map(len, cut(wide, narrow))) > 0
    assert difference(wide, narrow, inputs(shape, 9 if name == "embedding" else 0)) < 1e-5


@pytest.mark.parametrize("combine", [L.Add, L.Multiply, L.Subtract, L.Maximum, L.Average])
def test_units_that_meet_in_branches_go_together(combine):
    wide, narrow = branched(6, combine), branched(3, combine)
    lost = cut(wide, narrow)
    assert np.array_equal(lost[0], lost[1])
    assert difference(wide, narrow, inputs(ROW)) < 1e-5


def test_the_least_useful_units_are_left_out():
    wide, narrow = (compiled(lambda w: [L.Dense(w)], width, ROW) for width in (5, 3))
    narrowing = Narrowing.between(lower(wide, BATCH), lower(narrow, BATCH))
    useful = [5.0, 1.0, 4.0, 0.5, 3.0]
    layout = narrowing.without(narrowing.least(useful))
    assert layout.masks[0].tolist() == [True, False, True, False, True]


def test_units_that_meet_an_input_stay():
    def residual(width: int) -> keras.Model:
        source = keras.Input(ROW)
        inner = L.Dense(width, "relu")(source)
        model = keras.Model(source, L.Dense(2)(L.Add()([source, L.Dense(ROW[0])(inner)])))
        model.compile(loss="mse")
        return model

    wide, narrow = residual(6), residual(4)
    narrowing = Narrowing.between(lower(wide, BATCH), lower(narrow, BATCH))
    assert {node for group in narrowing.groups for node, _ in group} == {0}
    cut(wide, narrow)
    assert difference(wide, narrow, inputs(ROW)) < 1e-5


@pytest.mark.parametrize("name", MIXED)
def test_layers_that_compute_over_all_features_are_refused(name):
    shape, layers = CASES[name]
    wide, narrow = (lower(compiled(layers, width, shape), BATCH) for width in (5, 3))
    with pytest.raises(Unsupported, match="units in front of"):
        Narrowing.between(wide, narrow)


def test_a_model_that_reads_fewer_features_is_no_narrower_copy():
    shape, layers = CASES[READ]
    members = [lower(compiled(layers, width, shape), BATCH) for width in (5, 4, 3)]
    assert members[0].template == members[2].template
    with pytest.raises(Unsupported, match="another vocabulary or other features"):
        Narrowing.between(members[0], members[2])
    assert Narrowing.between(members[0], members[1]).missing == (0, 0, 0, 1, 0)


def test_what_is_no_narrower_copy_is_refused():
    def member(width: int, activation: str = "relu", words: int = 9):
        if activation == "words":
            layers = [L.Embedding(words, width), L.GlobalAveragePooling1D()]
            return lower(compiled(lambda w: layers, width, (5,)), BATCH)
        return lower(compiled(lambda w: [L.Dense(w, activation)], width, ROW), BATCH)

    for wide, narrow, words in (
        (member(5), member(5), "the same widths"),
        (member(3), member(5), "wider"),
        (member(5), member(3, "tanh"), "another architecture"),
        (member(5, "words"), member(3, "words", words=8), "another vocabulary"),
    ):
        with pytest.raises(Unsupported, match=words):
            Narrowing.between(wide, narrow)


def test_convolutions_lose_filters_through_flattening():
    def layers(width: int) -> list[keras.Layer]:
        return [L.Conv2D(width, 3), L.BatchNormalization(), L.Flatten(), L.Dense(4, "relu")]

    wide, narrow = compiled(layers, 6, IMAGE), compiled(layers, 2, IMAGE)
    assert len(cut(wide, narrow)[0]) == 4
    assert difference(wide, narrow, inputs(IMAGE)) < 1e-5
