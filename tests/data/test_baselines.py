"""What needs no search is measured and said before one starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from occam.search.data.baselines import Baseline, baselines, described, modest_target
from occam.search.metrics import metric
from occam.search.pipeline import Data
from occam.search.selection import rows_to_show, search_target

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(600, 3)).astype("float32")
CLASSES = (INPUTS[:, 0] + 0.3 * RNG.normal(size=600) > 0.8).astype(int)
NUMBERS = 5 + 2 * INPUTS[:, 0] + RNG.normal(size=600)
ACCURACY, R2 = metric("accuracy"), metric("r2")


def data(inputs: np.ndarray, labels: np.ndarray) -> Data:
    parts = (slice(300), slice(300, 500), slice(500, 600))
    return Data(*((inputs[part], labels[part]) for part in parts))


def data_of(inputs: np.ndarray, labels: np.ndarray, train: int) -> Data:
    """With so many train rows, and all others to validate and to test."""
    parts = (slice(train), slice(train, None), slice(train, None))
    return Data(*((inputs[part], labels[part]) for part in parts))


def scores(*arguments, **options) -> dict[str, float]:
    return {each.name: each.score for each in baselines(*arguments, **options)}


def test_the_majority_class_and_a_logistic_model_are_measured():
    found = scores(data(INPUTS, CLASSES), ACCURACY)
    assert found["majority class"] == pytest.approx(1 - CLASSES[300:500].mean())
    assert found["linear model"] > 0.9


def test_the_mean_and_a_linear_model_are_measured():
    found = scores(data(INPUTS, NUMBERS), R2)
    assert found["mean"] == pytest.approx(0, abs=0.05)
    assert found["linear model"] == pytest.approx(0.8, abs=0.05)


def test_the_last_value_is_a_forecast_where_rows_are_in_the_order_of_time():
    walk = np.cumsum(RNG.normal(size=600))
    found = scores(data(INPUTS, walk), R2, chronological=True)
    assert found["last value"] > found["mean"]
    assert found["last value"] == pytest.approx(R2.measure(walk[300:500], walk[299:499]))
    assert "last value" not in scores(data(INPUTS, walk), R2)
    assert scores(data(INPUTS, CLASSES), ACCURACY, chronological=True)["last value"] < 0.9


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1", "auc"])
def test_every_metric_of_classes_can_be_measured(name):
    found = scores(data(INPUTS, CLASSES), metric(name))
    assert 0 <= found["majority class"] < found["linear model"] <= 1
    known = scores(data(INPUTS, CLASSES.astype(float)), metric(name), chronological=True)
    assert 0 <= known["last value"] < known["linear model"]


def test_the_rarer_class_weighs_as_much_where_the_metric_weighs_it():
    rare = (INPUTS[:, 0] + np.random.default_rng(1).normal(size=600) > 2.2).astype(int)
    assert scores(data(INPUTS, rare), metric("balanced_accuracy"))["linear model"] > 0.7


def test_rows_are_ranked_by_the_probability_of_a_linear_model():
    found = scores(data(INPUTS, CLASSES), metric("auc"))
    assert found["linear model"] > scores(data(INPUTS, CLASSES), ACCURACY)["linear model"]


def test_a_class_may_appear_after_the_rows_to_train():
    later = np.where(np.arange(600) < 300, CLASSES, CLASSES + 1)
    assert scores(data(INPUTS, later), ACCURACY, chronological=True)["last value"] < 0.9


@pytest.mark.parametrize("numbers", [(1, 2), (1, 2, 3), (0, 2, 5)])
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1"])
def test_classes_need_not_be_numbered_from_nothing(name, numbers):
    which = np.arange(600) % len(numbers)
    inputs = (RNG.normal(size=(600, 3)) + 4 * np.eye(3)[which]).astype("float32")
    labels = np.repeat(np.array(numbers)[which[:60]], 10), np.array(numbers)[which]
    for each, model in zip(labels, ("last value", "linear model"), strict=True):
        for kind in (int, float):
            found = scores(data(inputs, each.astype(kind)), metric(name), chronological=True)
            assert found[model] > 0.85


def test_a_linear_model_takes_a_single_column_and_columns_of_any_scale():
    alone = baselines(data(INPUTS[:, :1], NUMBERS), R2)[1]
    assert alone.score == pytest.approx(0.8, abs=0.05)
    assert alone.parameter_count == 2
    scaled = (INPUTS * [1e-5, 1, 1e5] + [0, 0, 1e5]).astype("float32")
    for labels, measured in ((NUMBERS, R2), (CLASSES, ACCURACY)):
        found, known = (scores(data(each, labels), measured) for each in (scaled, INPUTS))
        assert found["linear model"] == pytest.approx(known["linear model"], abs=0.01)


def test_images_one_hot_labels_sequences_and_texts_are_no_obstacle():
    images = RNG.random((600, 6, 6, 1)).astype("float32")
    assert set(scores(data(images, CLASSES), ACCURACY)) == {"majority class", "linear model"}
    last = 2 - 2 * CLASSES  # is the class of most rows
    majority = scores(data(INPUTS, last), ACCURACY)["majority class"]
    assert scores(data(INPUTS, np.eye(3)[last]), ACCURACY) == {"majority class": majority}
    assert set(scores(data(INPUTS, INPUTS), metric("mse"))) == {"mean"}
    tokens = RNG.integers(0, 4, (600, 5))
    assert scores(data(tokens, tokens), ACCURACY)["majority class"] == pytest.approx(0.25, abs=0.06)
    texts = np.array(["good", "bad"] * 300, dtype=object)
    assert set(scores(data(texts, CLASSES), ACCURACY)) == {"majority class"}
    assert baselines(data(INPUTS, NUMBERS), metric("numpy:dot")) == []


@pytest.mark.parametrize("nest", [list, tuple, lambda parts: dict(enumerate(parts))])
def test_several_inputs_are_laid_side_by_side(nest):
    whole = data(INPUTS, CLASSES)
    for cuts in ([2], [1, 2]):  # parts of different widths, and of the same
        splits = (
            (nest(np.split(inputs, cuts, axis=1)), labels)
            for inputs, labels in (whole.train, whole.validation, whole.test)
        )
        assert scores(Data(*splits), ACCURACY) == scores(whole, ACCURACY)
    codes = (nest([INPUTS[:300], np.arange(300)[:, None]]), CLASSES[:300])
    assert set(scores(Data(codes, codes, codes), ACCURACY)) == {"majority class"}


def test_a_linear_model_learns_from_all_rows_of_a_table_and_says_where_it_did_not():
    columns, rows = 20, 60_000
    inputs = RNG.normal(size=(rows, columns))
    labels = (inputs.sum(axis=1) + 4 * RNG.normal(size=rows) > 0).astype(int)
    (_, linear) = baselines(data_of(inputs, labels, 40_000), ACCURACY)
    assert linear.of_rows is None
    wide = RNG.normal(size=(4000, 3000)).astype("float32")
    (constant, linear) = baselines(data_of(wide, wide[:, 0] > 0, 3500), ACCURACY)
    assert (constant.of_rows, linear.of_rows) == (None, 3333)
    line = described([constant, replace(linear, score=0.75)], ACCURACY, 0.9)[0]
    assert line.endswith(", linear model 0.7500 (of 3,333 rows).")
    (_, linear) = baselines(data_of(wide, np.arange(4000) % 10, 3500), ACCURACY)
    assert linear.of_rows == 2000


def test_a_target_that_a_baseline_reaches_is_said_to_be_trivial():
    constant = Baseline(name="majority class", score=0.7, trained=False)
    linear = Baseline(name="linear model", score=0.8, trained=True)
    assert described([constant, linear], ACCURACY, 0.9) == [
        "Baselines, accuracy on validation data: majority class 0.7000, linear model 0.8000."
    ]
    assert described([constant, linear], ACCURACY, 0.75)[1].startswith("A linear model reaches")
    trivial = "The target 0.6 is trivial: the majority class reaches it."
    assert described([constant, linear], ACCURACY, 0.6)[1] == trivial
    assert described([], ACCURACY, 0.6) == []


def test_the_target_that_is_not_given_can_be_shown_with_the_margin():
    labels = CLASSES[:200]
    linear = Baseline(name="linear model", score=0.85, trained=True)
    target = modest_target([linear], ACCURACY, labels, margin=2.0)
    assert 0.7 < target < search_target(ACCURACY, target, labels, 2.0) < 0.85
    majority = Baseline(name="majority class", score=0.7, trained=False)
    assert modest_target([majority, linear], ACCURACY, labels, margin=2.0) == target
    mae = metric("mae")
    for rows in (300, 3000):
        target = modest_target([linear], mae, np.zeros(rows), margin=2.0)
        asked = search_target(mae, target, np.zeros(rows), 2.0)
        assert linear.score < asked < 1.06 * linear.score
    for name in ("accuracy", "balanced_accuracy", "f1", "auc"):
        for score in (0.95, 0.99, 1.0):
            strong = replace(linear, score=score)
            few = np.array([0] * 170 + [1] * 10)
            target = modest_target([strong], metric(name), few, margin=2.0)
            assert rows_to_show(metric(name), target, few, 2.0) is None
            assert search_target(metric(name), target, few, 2.0) < 1
    hopeless = Baseline(name="mean", score=-0.2, trained=False)
    R2.check_target(modest_target([hopeless], R2, NUMBERS, margin=2.0))
    ACCURACY.check_target(modest_target([], ACCURACY, labels, margin=2.0))


@pytest.mark.parametrize("side", [100, 101, 230])
def test_large_images_have_a_linear_model_of_means_of_their_pixels(side):
    labels = np.arange(60) % 2
    images = np.random.default_rng(0).integers(0, 90, (60, side, side, 1), dtype="uint8")
    images[labels == 1, : side // 2] += 90
    coloured = np.repeat(images, 3, axis=-1)
    found = baselines(data_of(coloured, labels, 40), ACCURACY)[1]
    assert (found.name, found.score) == ("linear model", 1.0)
    assert 3 * 40 * 40 < found.parameter_count <= 20_001
