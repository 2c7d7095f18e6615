"""The diabetes pipeline: predictions in the labels' own units."""

from __future__ import annotations

import keras_tuner
import numpy as np
import pandas as pd
import pytest
from occam.pipelines.diabetes import pipeline, quarters

DATA = pipeline.data()


def test_the_given_mean_and_scale_are_those_of_the_train_labels():
    labels = DATA.train[1]
    assert labels.mean() == pytest.approx(152, rel=0.05)
    assert labels.std() == pytest.approx(77, rel=0.05)


def test_an_untrained_model_predicts_near_the_mean():
    inputs = pipeline.preprocessing(DATA).validation[0]
    predicted = pipeline.space(keras_tuner.HyperParameters()).predict_on_batch(inputs)
    assert 0 < predicted.mean() < 304


def test_quarters_have_as_many_labels_each():
    assert np.bincount(quarters(np.arange(100.0))).tolist() == [25, 25, 25, 25]


def test_raw_rows_may_be_a_table():
    transform = pipeline.preprocessing(DATA).transform
    raw = DATA.test[0][:5]
    np.testing.assert_array_equal(transform(pd.DataFrame(raw)), transform(raw))
