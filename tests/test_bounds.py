"""Bounds cover the truth as often as they say, on few rows and skewed ones too."""

from __future__ import annotations

import math
import sys
from types import ModuleType

import numpy as np
import pytest
from occam.search import bounds
from occam.search.bounds import bound, clopper_pearson
from occam.search.metrics import metric
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    monkeypatch.setattr(bounds, "DRAWS", 300)


def right(rows: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Two classes of as many rows each, and predictions of which a share is right."""
    labels = np.arange(rows) % 2
    return labels, np.where(RNG.random(rows) < share, labels, 1 - labels).astype(float)


@pytest.mark.parametrize("name", ["r2", "mae", "rmse", "mse"])
def test_a_bound_of_an_error_is_on_the_pessimistic_side(name):
    labels = RNG.normal(size=300)
    predictions = labels + RNG.normal(scale=0.4, size=300)
    measured = metric(name)
    score = measured.measure(labels, predictions)
    found = bound(measured, labels, predictions, 0.05, target=score)
    assert measured.error(found) > measured.error(score)


@pytest.mark.parametrize("name", ["r2", "mae", "rmse", "mse"])
def test_a_bound_of_an_error_is_worse_where_rows_of_a_group_are_alike(name):
    groups, labels = np.repeat(np.arange(60), 5), RNG.normal(size=300)
    predictions = labels + RNG.normal(scale=0.4, size=60)[groups]
    measured = metric(name)
    score = measured.measure(labels, predictions)
    alone, grouped = (
        measured.error(bound(measured, labels, predictions, 0.05, target=score, groups=each))
        for each in (None, groups)
    )
    assert measured.error(score) < alone < grouped < 2 * measured.error(score)


@pytest.mark.parametrize("name", ["r2", "mae", "rmse", "mse"])
def test_a_bound_of_many_errors_is_as_far_off_as_that_of_a_normal_mean(name, monkeypatch):
    monkeypatch.setattr(bounds, "DRAWS", 2000)
    labels, noise = RNG.normal(size=(2, 1000))
    predictions = 0.5 * labels + 0.3 * noise
    measured = metric(name)
    score = measured.measure(labels, predictions)
    found = bound(measured, labels, predictions, 0.05, target=score)
    influence = measured.influence(labels, predictions)
    expected = 1.645 * influence.std() / math.sqrt(1000)
    assert measured.error(found) - measured.error(score) == pytest.approx(expected, rel=0.15)


def test_errors_that_are_all_none_have_a_bound():
    assert bound(metric("mae"), np.ones(20), np.ones(20), 0.05, target=0.1) == 0.0


def test_draws_that_cannot_be_scored_are_the_worst():
    labels = np.arange(30) == 7
    assert bound(metric("auc"), labels * 1, labels * 0.9, 0.05, target=0.9) == 0.0


def test_a_target_of_a_perfect_share_has_a_bound():
    found = bound(metric("balanced_accuracy"), *right(20, 1.0), 0.05, target=1.0)
    assert found == clopper_pearson(20, 20, 0.05)


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "auc"])
def test_few_rows_that_are_all_right_certify_no_more_than_as_many_right_answers_do(name):
    labels, predictions = right(20, 1.0)
    found = bound(metric(name), labels, predictions, 0.05, target=0.95)
    assert found <= clopper_pearson(20, 20, 0.05)


@pytest.mark.parametrize(("rows", "share", "target"), [(30, 0.94, 0.95), (60, 0.945, 0.95)])
def test_what_is_below_the_target_is_rarely_certified(rows, share, target):
    measured = metric("balanced_accuracy")
    found = [bound(measured, *right(rows, share), 0.05, target=target) for _ in range(100)]
    assert np.mean(np.array(found) >= target) <= 0.08


def test_skewed_errors_are_covered():
    truth, covered = math.exp(0.5), []
    for _ in range(120):
        errors = RNG.lognormal(size=50)
        found = bound(metric("mae"), np.zeros(50), errors, 0.05, target=truth)
        covered.append(found >= truth)
    assert np.mean(covered) >= 0.87  # percentiles of a bootstrap cover 0.83


@pytest.mark.parametrize("name", ["mae", "rmse", "r2"])
@pytest.mark.parametrize("rows", [1, 2, 9])
def test_a_handful_of_rows_bounds_no_error(name, rows):
    labels = np.linspace(0, 1, rows)
    found = bound(metric(name), labels, labels + 0.1, 0.05, target=0.2)
    assert metric(name).error(found) == math.inf
    several, groups = np.repeat(labels, 30), np.repeat(np.arange(rows), 30)
    found = bound(metric(name), several, several + 0.1, 0.05, target=0.2, groups=groups)
    assert metric(name).error(found) == math.inf


def test_a_single_row_that_is_wrong_says_nothing_of_how_wrong_rows_are():
    errors = np.array([0.3] + [0.0] * 19)  # a third of all resamplings would have none
    assert bound(metric("mae"), np.zeros(20), errors, 0.05, target=0.1) == math.inf


def test_rows_of_a_group_count_as_one():
    groups = np.repeat(np.arange(40), 10)
    labels = np.zeros(400, dtype=int)
    alike = (RNG.random(40) < 0.1)[groups].astype(float)
    apart = RNG.permutation(alike)

    def found(predictions, groups=None):
        return bound(metric("accuracy"), labels, predictions, 0.05, target=0.9, groups=groups)

    assert found(alike, groups) < found(alike) - 0.02
    assert found(apart, groups) < found(apart) - 0.02
    assert found(labels, groups) == pytest.approx(clopper_pearson(40, 40, 0.05))


def test_one_row_that_is_wrong_does_not_make_a_bound_of_groups_better():
    groups, labels = np.repeat(np.arange(10), 50), np.zeros(500, dtype=int)
    found = [
        bound(metric("accuracy"), labels, wrong, 0.05, target=0.95, groups=groups)
        for wrong in ((np.arange(500) < count).astype(float) for count in (0, 1, 3, 25))
    ]
    assert found == sorted(found, reverse=True)
    assert found[0] < 0.95


def test_an_f1_of_parts_is_a_mean_over_classes_where_that_of_all_rows_is():
    labels = np.array([0, 1, 2, 0, 1, 1])
    predictions = np.eye(3)[[0, 1, 2, 1, 1, 1]]
    f1 = metric("f1")
    some = slice(0, 6, 3), [0, 1, 3, 4, 5]
    measure = f1.on_parts((labels, predictions))
    for rows in some:
        mean = np.mean(f1_score(labels[rows], predictions[rows].argmax(axis=1), average=None))
        assert measure(labels[rows], predictions[rows]) == pytest.approx(mean)


def recall(labels, predictions):
    return np.float32(np.mean(np.asarray(predictions).reshape(-1)[labels == 1] > 0.5))


def test_a_metric_of_ones_own_is_certified_where_it_says_what_moves_it(monkeypatch):
    own = ModuleType("own_metrics")
    own.recall = recall
    monkeypatch.setitem(sys.modules, "own_metrics", own)
    labels = np.array([1] * 10 + [0] * 990)
    guessed = metric("own_metrics:recall")
    assert type(guessed.measure(labels, labels)) is float
    assert bound(guessed, labels, labels, 0.05, target=0.9) == 0.0
    one_wrong = np.where(np.arange(1000) == 0, 0, labels)
    assert 0.0 < bound(guessed, labels, one_wrong, 0.05, target=0.9) < 0.9
    own.recall.standard_error = lambda target, labels: math.sqrt(
        target * (1 - target) / np.sum(labels == 1)
    )
    said = metric("own_metrics:recall")
    assert not said.error_is_guessed
    found = bound(said, labels, labels, 0.05, target=0.9)
    assert found == pytest.approx(clopper_pearson(10, 10, 0.05))


@pytest.mark.parametrize("rows", [60, 3000])  # drawn one by one, and counted
@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "auc"])
def test_resamplings_score_as_those_of_scikit_learn_do(name, rows):
    measured, labels = metric(name), RNG.integers(0, 2, rows)
    outputs = np.clip(0.4 * labels + 0.6 * RNG.random(rows), 0, 1).round(2)
    expected = {"f1": f1_score, "auc": roc_auc_score, "balanced_accuracy": balanced_accuracy_score}
    answers = outputs if name == "auc" else outputs > 0.5
    drawn = RNG.integers(0, rows, (300, rows))
    naive = [expected[name](labels[each], answers[each]) for each in drawn]
    models = [measured.compact(labels, outputs)] * 2
    found = bounds.scores(measured, measured.on_parts(*models), models, None, 1000)
    assert found.shape == (1000, 2)
    assert (found[:, 0] == found[:, 1]).all()
    assert np.mean(found) == pytest.approx(np.mean(naive), abs=4 * np.std(naive) / math.sqrt(300))
    assert np.std(found) == pytest.approx(np.std(naive), rel=0.2)
