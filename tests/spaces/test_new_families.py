"""The families beyond dense and convolutional: exact counts, and what is special about each."""

from __future__ import annotations

import keras
import keras_tuner
import numpy as np
import pytest
from occam.spaces.adversarial import Generator, adversarial
from occam.spaces.autoencoder import autoencoder
from occam.spaces.convnet import convnet
from occam.spaces.dense import dense
from occam.spaces.hyperparameters import WeightedLoss
from occam.spaces.rbf import RadialBasis, rbf
from occam.spaces.recurrent import recurrent
from occam.spaces.seq2seq import seq2seq
from occam.spaces.text import text
from occam.spaces.transfer import transfer, weights_file

RNG = np.random.default_rng(0)
BINARY = {"loss": "binary_crossentropy", "output_activation": "sigmoid"}
WORDS = ["good", "bad", "film", "very"]


def built(build, **values):
    hp = keras_tuner.HyperParameters()
    hp.values = values
    return build(hp)


def on_tensorflow() -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("needs TensorFlow")


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"cell": "simple_rnn", "units_0": 3}, 3 * 1 + 3 * 3 + 3 + 3 + 1),
        ({"cell": "lstm", "units_0": 2}, 4 * (2 * 1 + 2 * 2 + 2) + 2 + 1),
        ({"cell": "gru", "units_0": 1, "bidirectional": True}, 2 * 3 * (1 + 1 + 2) + 2 + 1),
        (
            {"cell": "simple_rnn", "layers": 2, "units_0": 3, "units_1": 2},
            (3 + 9 + 3) + (6 + 4 + 2) + 3,
        ),
    ],
)
def test_a_recurrent_network_has_the_weights_of_its_cells(values, count):
    assert built(recurrent((5, 1), 1), **values).count_params() == count


def test_a_recurrent_network_predicts_in_the_unit_of_its_labels():
    model = built(recurrent((5, 1), 1, label_mean=1000.0, label_scale=10.0))
    assert abs(model.predict_on_batch(np.zeros((2, 5, 1))) - 1000).max() < 20


def test_inputs_without_steps_are_refused():
    with pytest.raises(ValueError, match=r"inputs of \(steps, features\), received \(5,\)"):
        recurrent((5,), 1)


def test_one_radial_basis_unit_of_two_inputs_makes_five_parameters():
    assert built(rbf((2,), 1, **BINARY), units=1).count_params() == 5
    assert built(rbf((2,), 1, **BINARY), units=3, one_width=False).count_params() == 6 + 3 + 3 + 1


def test_a_radial_basis_unit_answers_most_at_its_centre():
    layer = RadialBasis(2)
    layer.build((None, 3))
    centres = np.array([[1.0, 0, 0], [0, 2.0, 0]])
    layer.set_weights([centres, np.array([-0.5])])
    answers = np.asarray(layer(centres))
    expected = np.exp(-0.5 * np.array([[0, 5.0], [5.0, 0]]))
    np.testing.assert_allclose(answers, expected, rtol=1e-5)


def test_an_embedding_one_wide_has_as_many_weights_as_words():
    small = {"vocabulary": 120, "embedding": 1, "reader": "bag"}
    assert built(text((40,), 1, **BINARY), **small).count_params() == 120 + 2


def test_rarer_words_count_as_the_last_one_and_only_the_end_is_read():
    build = text((6,), 1, **BINARY, vocabulary=(4, 10), length=(2, 6))
    model = built(build, vocabulary=5, length=2, reader="bag")
    rows = np.array([[1, 2, 3, 4, 9, 3], [4, 3, 2, 1, 7, 3], [1, 2, 3, 4, 2, 3]], dtype="int32")
    one, two, three = model.predict_on_batch(rows)
    assert one == two
    assert one != three


def test_raw_text_is_read_inside_the_model_whatever_its_letters(tmp_path):
    on_tensorflow()
    build = text((), 1, words=lambda: WORDS, **BINARY, vocabulary=(4, 6), length=(2, 4))
    model = built(build, vocabulary=5, embedding=1, reader="bag", length=4)
    assert model.count_params() == 5 + 2
    rows = np.array(["Good film!", "good, FILM", "unheard of", "very unknown"], dtype=object)
    one, two, three, four = model.predict_on_batch(rows)
    assert one == two != three
    assert three == four  # "very" is the fourth word: no room in a vocabulary of 5
    model.save(tmp_path / "text.keras")
    loaded = keras.saving.load_model(tmp_path / "text.keras", compile=False)
    np.testing.assert_array_equal(loaded.predict_on_batch(rows)[:, 0], [*one, *two, *three, *four])


def test_text_needs_words_where_its_shape_is_empty_and_only_there():
    for shape, words in (((), None), ((40,), lambda: WORDS)):
        with pytest.raises(ValueError, match=r"as in \(400,\), or raw with the shape \(\)"):
            text(shape, 1, words=words, **BINARY)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({}, 3 * 2 + 2 + 2 * 3 + 3),
        ({"bias": False}, 12),
        ({"layers": 1, "units_0": 4}, 3 * 4 + 4 + 4 * 2 + 2 + 2 * 4 + 4 + 4 * 3 + 3),
    ],
)
def test_a_dense_autoencoder_narrows_to_its_code(values, count):
    build = autoencoder((3,), (2, 2), kinds=("dense",), units=(2, 8))
    assert built(build, **values).count_params() == count


@pytest.mark.parametrize("side", [8, 9, 13, 28])
@pytest.mark.parametrize("blocks", [2, 3])
def test_a_convolutional_autoencoder_gives_images_of_any_size_back(side, blocks):
    build = autoencoder((side, side, 1), (2, 4), kinds=("convolutional",))
    assert built(build, blocks=blocks).output_shape == (None, side * side)


def test_noise_is_added_in_training_only():
    model = built(autoencoder((3,), (2, 2), kinds=("dense",), noise=(0.0, 0.5)), noise=0.5)
    rows = RNG.random((4, 3)).astype("float32")
    np.testing.assert_array_equal(model(rows, training=False), model(rows, training=False))
    assert not np.array_equal(model(rows, training=True), model(rows, training=False))


@pytest.mark.parametrize("kind", ["recurrent", "transformer"])
def test_a_translator_gives_probabilities_for_every_step(kind):
    model = built(seq2seq((6,), 9, tokens=12, steps=4), kind=kind)
    answers = model.predict_on_batch(RNG.integers(0, 12, (3, 6)).astype("int32"))
    assert answers.shape == (3, 4, 9)
    np.testing.assert_allclose(answers.sum(axis=-1), 1, rtol=1e-5)


def test_a_transformer_knows_the_order_of_the_words():
    model = built(seq2seq((4,), 9, tokens=12, steps=4), kind="transformer")
    one, other = model.predict_on_batch(np.array([[1, 2, 3, 4], [4, 3, 2, 1]], dtype="int32"))
    assert not np.allclose(one, other)


def test_frozen_weights_of_a_transferred_network_count_but_are_not_trained():
    build = transfer((32, 32, 3), 5, weights=None)
    model = built(build, blocks=3, fine_tuned=False)
    assert model.count_params() == 6_128 + 16 * 5 + 5
    trained = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trained == 16 * 5 + 5
    assert sum(np.prod(w.shape) for w in built(build, fine_tuned=True).trainable_weights) > 4_000


def test_missing_weights_are_said_and_never_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="Missing weights mobilenet_v2_.*never downloaded"):
        built(transfer((32, 32, 3), 5))
    with pytest.raises(FileNotFoundError, match=r"Missing weights mine.h5: put them at .*mine.h5"):
        weights_file("0.35", tmp_path / "mine.h5")
    assert weights_file("0.35", None) is None


def test_weights_are_taken_from_keras_cache_or_from_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    whole = keras.applications.MobileNetV2((32, 32, 3), 0.35, include_top=False, weights=None)
    (tmp_path / "models").mkdir()
    file = (
        tmp_path / "models" / ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5")
    )
    whole.save(tmp_path / "whole.h5")  # in the older format, as Keras's files are
    (tmp_path / "whole.h5").rename(file)
    for weights in ("cache", file):
        model = built(transfer((32, 32, 3), 5, weights=weights, widths=("0.35",)), blocks=1)
        base = base_of(model)
        np.testing.assert_array_equal(base.get_weights()[0], whole.get_weights()[0])
    build = transfer((32, 32, 3), 5, widths=("0.35",))
    bases = [base_of(built(build, fine_tuned=tuned)) for tuned in (False, True, False, True)]
    assert bases[0] is bases[2], "what stays as it is is made once"
    assert bases[1] is not bases[3]
    assert [each.trainable for each in bases] == [False, True, False, True]


def base_of(model: keras.Model) -> keras.Model:
    return next(layer for layer in model.layers if isinstance(layer, keras.Model))


def test_augmented_images_are_predicted_as_they_are():
    build = convnet((16, 16, 3), 4, value_range=(0, 255), scale=1 / 255)
    model = built(build, augmentation="strong")
    rows = 255 * RNG.random((2, 16, 16, 3)).astype("float32")
    np.testing.assert_array_equal(model(rows, training=False), model(rows, training=False))
    assert model.count_params() == built(build, augmentation="none").count_params()


def test_lenet_5_and_vgg_are_in_the_convolutional_space():
    build = convnet((32, 32, 3), 10, filters=(4, 64), head_layers=2, head_units=(4, 128))
    lenet = {"blocks": 2, "filters_0": 6, "filters_1": 16, "kernel_size_0": 5, "kernel_size_1": 5}
    lenet |= {"head": "flatten", "head_hidden_layer": True, "head_units": 120}
    lenet |= {"more_head_layers": 1, "more_head_units_0": 84, "batch_normalization": False}
    padded = 120 * 16 * (8 * 8 - 5 * 5)  # LeNet's convolutions do not pad
    assert built(build, **lenet).count_params() == 62_006 + padded
    vgg = convnet((32, 32, 3), 10, convolutions=(1, 2))
    kinds = [type(each).__name__ for each in built(vgg, convolutions_0=2).layers]
    assert kinds[:6] == ["Conv2D", "BatchNormalization", "Activation"] * 2


def test_only_the_first_inputs_are_read_and_counted():
    build = dense((9,), 1, **BINARY, first=(1, 9))
    model = built(build, layers=0, first=3)
    assert model.count_params() == 4
    rows = RNG.random((2, 9)).astype("float32")
    rows[1, :3] = rows[0, :3]
    one, other = model.predict_on_batch(rows)
    assert one == other
    assert built(build, layers=0).count_params() == 10


def test_a_weighted_loss_is_the_loss_of_each_row_times_its_class():
    truth, predicted = np.array([0, 1, 1]), np.array([[0.2], [0.6], [0.9]], dtype="float32")
    loss = WeightedLoss("binary_crossentropy", [1.0, 3.0])
    expected = -np.mean([np.log(0.8), 3 * np.log(0.6), 3 * np.log(0.9)])
    assert float(loss(truth, predicted)) == pytest.approx(expected, rel=1e-4)
    several = WeightedLoss("sparse_categorical_crossentropy", [1.0, 2.0])
    rows = np.concatenate([1 - predicted, predicted], axis=1)
    expected = -np.mean([np.log(0.8), 2 * np.log(0.6), 2 * np.log(0.9)])
    assert float(several(truth, rows)) == pytest.approx(expected, rel=1e-4)


def test_a_generator_learns_from_a_rival_that_is_not_counted():
    on_tensorflow()
    model = built(adversarial((4,), (8, 8, 1)), kind="dense", units=8)
    assert isinstance(model, Generator)
    assert model.count_params() == 4 * 8 + 8 + 8 * 64 + 64
    noise, real = RNG.normal(size=(64, 4)), np.zeros((64, 64))
    model.jit_compile = False
    before = model.predict_on_batch(noise)
    history = model.fit(noise, real, epochs=30, batch_size=32, verbose=0).history
    assert set(history) == {"loss", "rival_loss"}
    assert model.predict_on_batch(noise).mean() < before.mean()


def test_a_generator_without_its_rival_is_not_trained():
    on_tensorflow()
    inputs = keras.Input((4,))
    model = Generator(inputs, keras.layers.Dense(64)(inputs))
    with pytest.raises(ValueError, match="has no rival: build it to train it"):
        model.train_step((np.zeros((2, 4)), np.zeros((2, 64))))
