"""The digits pipeline: its splits, the raw rows it takes, and its two families."""

from __future__ import annotations

import keras_tuner
import numpy as np
import pytest
from occam.pipelines.digits import pipeline
from occam.search.errors import InputError

DATA = pipeline.preprocessing(pipeline.data())


def test_a_fifth_validates_and_a_fifth_tests():
    assert [len(split[1]) for split in (DATA.train, DATA.validation, DATA.test)] == [1077, 360, 360]


def test_pixels_of_the_train_split_are_standardized():
    pixels = DATA.train[0]
    assert pixels.shape == (1077, 8, 8, 1)
    assert pixels.mean() == pytest.approx(0, abs=1e-5)
    assert pixels.std() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("shape", [(8, 8), (64,), (8, 8, 1)])
def test_raw_rows_may_be_images_or_rows_of_pixels(shape):
    raw = pipeline.data().test[0][:5]
    np.testing.assert_array_equal(DATA.transform(raw.reshape(5, *shape)), DATA.test[0][:5])


@pytest.mark.parametrize("shape", [(5, 63), (64,), (0,)])
def test_other_rows_are_refused(shape):
    with pytest.raises(InputError, match="images of 8 x 8 pixels, received shape"):
        DATA.transform(np.zeros(shape))


def test_no_rows_give_no_rows():
    assert DATA.transform(np.zeros((0, 8, 8))).shape == (0, 8, 8, 1)


@pytest.mark.parametrize(("family", "own"), [("convolutional", "filters_0"), ("dense", "units_0")])
def test_only_the_chosen_family_is_read(family, own):
    hp = keras_tuner.HyperParameters()
    hp.values = {"family": family}
    pipeline.space(hp)
    assert own in hp.values
    assert len({"filters_0", "units_0"} & set(hp.values)) == 1


def test_the_convolutional_family_comes_first():
    hp = keras_tuner.HyperParameters()
    pipeline.space(hp)
    assert hp.get("family") == "convolutional"
