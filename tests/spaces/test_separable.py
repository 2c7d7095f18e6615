"""The space of separable convolutions: its shape, its weights, and what is one template."""

from __future__ import annotations

import keras
import keras_tuner
import pytest
from occam.search.training.population.lowering import lower
from occam.spaces.separable import separable

SHAPE = (28, 28, 1)


def built(**values: int) -> keras.Model:
    hp = keras_tuner.HyperParameters()
    hp.values = values
    return separable(SHAPE, 10)(hp)


def test_the_weights_are_those_of_filters_in_space_and_mixtures_apart():
    model = built(
        stem_filters=8, stages=2, layers_0=2, filters_0_0=14, filters_0_1=16, layers_1=1,
        filters_1_0=24,
    )  # fmt: skip
    stem, head = 9 * 8, 24 * 10 + 10
    mixed = sum(9 * a + a * b for a, b in ((8, 14), (14, 16), (16, 24)))
    assert model.count_params() == stem + mixed + 4 * (8 + 14 + 16 + 24) + head == 1_632


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_each_stage_halves_the_image_once(stages):
    model = built(stages=stages)
    side = model.layers[-3].output.shape[1]  # before the global mean
    assert side == {1: 14, 2: 7, 3: 4}[stages]


def test_a_first_model_may_be_wider():
    hp = keras_tuner.HyperParameters()
    wide = separable(SHAPE, 10, filters=(4, 64), default_filters=48)(hp)
    assert wide.count_params() > built().count_params()
    assert hp.get("filters_0_0") == 48


def test_widths_alone_make_no_other_template():
    some = [built(filters_0_0=size, stem_filters=size) for size in (4, 9)]
    assert len({lower(model, 128).template for model in some}) == 1


def test_images_without_channels_are_refused():
    with pytest.raises(ValueError, match=r"received \(8, 8\): give grey images one channel"):
        separable((8, 8), 10)
