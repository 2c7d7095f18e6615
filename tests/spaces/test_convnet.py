"""The convolutional family: exact counts, and no shape that shrinks to nothing."""

from __future__ import annotations

import keras
import keras_tuner
import pytest
from occam.spaces.convnet import convnet

DIGITS = (8, 8, 1)


def built(*arguments, values=None, **options):
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values or {})
    return convnet(*arguments, **options)(hp), hp


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_two_blocks_of_6_and_10_filters_have_768_parameters():
    model, _ = built(DIGITS, 10, values={"filters_0": 6, "filters_1": 10})
    convolutions = 9 * 6 + 9 * 6 * 10
    assert model.count_params() == convolutions + 4 * (6 + 10) + 10 * 10 + 10 == 768


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"blocks": 1, "filters_0": 2}, 9 * 2 + 4 * 2 + 2 * 10 + 10),
        ({"blocks": 1, "filters_0": 2, "head": "flatten"}, 9 * 2 + 4 * 2 + 16 * 2 * 10 + 10),
        ({"blocks": 1, "filters_0": 2, "kernel_size_0": 5}, 25 * 2 + 4 * 2 + 2 * 10 + 10),
        ({"blocks": 1, "filters_0": 2, "batch_normalization": False}, 9 * 2 + 2 + 2 * 10 + 10),
        (
            {"blocks": 1, "filters_0": 6, "convolution_0": "separable"},
            9 * 1 + 1 * 6 + 4 * 6 + 6 * 10 + 10,
        ),
        (
            {"blocks": 1, "filters_0": 2, "head_hidden_layer": True, "head_units": 4},
            9 * 2 + 4 * 2 + 2 * 4 + 4 * 4 + 4 * 10 + 10,
        ),
    ],
)
def test_the_count_is_that_of_the_layers(values, count):
    assert built(DIGITS, 10, values=values)[0].count_params() == count


def test_a_model_of_a_few_thousand_parameters_reads_mnist_images():
    small = {"blocks": 3, "filters_0": 2, "filters_1": 3, "filters_2": 4, "head": "flatten"}
    assert built((28, 28, 1), 10, values=small)[0].count_params() == 866


def test_the_first_trial_is_small_normalized_and_pooled():
    model, hp = built(DIGITS, 10)
    block = ["Conv2D", "BatchNormalization", "Activation", "AveragePooling2D"]
    assert kinds(model) == [*block, *block, "GlobalAveragePooling2D", "Dense"]
    assert (hp.get("filters_0"), hp.get("filters_1"), hp.get("activation")) == (8, 16, "relu")


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (8, 8, 1)])
@pytest.mark.parametrize("pooling", ["average", "max", "strides", "none"])
def test_no_image_shrinks_below_one_pixel(shape, pooling):
    values = {"blocks": 5, "head": "flatten", "filters_4": 2}
    values |= {f"pooling_{block}": pooling for block in range(5)}
    model, _ = built(shape, 4, values=values, blocks=(1, 5))
    assert model.output_shape == (None, 4)
    assert min(model.layers[-3].output.shape[1:3]) >= 1


@pytest.mark.parametrize("convolution", ["standard", "separable"])
@pytest.mark.parametrize("pooling", ["average", "max", "strides"])
def test_each_pooling_halves_the_image(convolution, pooling):
    values = {"blocks": 1, "convolution_0": convolution, "pooling_0": pooling, "head": "flatten"}
    model, _ = built(DIGITS, 10, values=values | {"filters_0": 2})
    assert model.layers[-1].input.shape == (None, 4 * 4 * 2)


def test_only_dimensions_of_blocks_and_layers_that_there_are_are_read():
    _, hp = built(DIGITS, 10, values={"blocks": 1})
    assert not {name for name in hp.values if name.endswith(("_1", "_2"))}
    assert "head_units" not in hp.values


def test_the_first_of_the_given_heads_is_the_default():
    assert "Flatten" in kinds(built(DIGITS, 10, heads=("flatten", "global_max"))[0])


def test_the_penalty_is_on_every_kernel():
    values = {"convolution_1": "separable", "head_hidden_layer": True, "l2": 1e-3}
    model, _ = built(DIGITS, 10, values=values)
    kernels = [weight for weight in model.trainable_weights if "kernel" in weight.name]
    assert len(model.losses) == len(kernels) == 5


def test_images_without_channels_are_refused():
    with pytest.raises(ValueError, match=r"received \(8, 8\): give grey images one channel"):
        convnet((8, 8), 10)


def test_a_convnet_ends_in_what_the_task_needs():
    model, _ = built(DIGITS, 1, loss="binary_crossentropy", output_activation="sigmoid")
    assert model.layers[-1].activation is keras.activations.sigmoid
