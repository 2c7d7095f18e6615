"""Each metric agrees with scikit-learn's, and its sampling error with a simulation."""

from __future__ import annotations

import math
import re
from itertools import product

import numpy as np
import pytest
from occam.search.errors import InputError
from occam.search.metrics import METRICS, meaning, metric
from sklearn import metrics as sklearn_metrics

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 3, 200)
PROBABILITIES = RNG.dirichlet(np.ones(3), 200)


def test_accuracy_takes_probabilities_one_hot_labels_and_single_columns():
    accuracy = metric("accuracy").measure
    expected = sklearn_metrics.accuracy_score(LABELS, PROBABILITIES.argmax(axis=1))
    assert accuracy(LABELS, PROBABILITIES) == pytest.approx(expected)
    assert accuracy(LABELS.reshape(-1, 1), PROBABILITIES) == pytest.approx(expected)
    assert accuracy(np.eye(3)[LABELS], PROBABILITIES) == pytest.approx(expected)
    binary = RNG.integers(0, 2, 50)
    score = RNG.random((50, 1))
    assert accuracy(binary, score) == pytest.approx(np.mean((score[:, 0] > 0.5) == binary))


def test_accuracy_of_sequences_counts_every_step():
    labels = RNG.integers(0, 4, (10, 6))
    assert metric("accuracy").measure(labels, np.eye(4)[labels]) == 1.0


def test_regression_metrics_agree_with_scikit_learn():
    truth, predicted = RNG.normal(size=(2, 100))
    expected = {
        "r2": sklearn_metrics.r2_score(truth, predicted),
        "mae": sklearn_metrics.mean_absolute_error(truth, predicted),
        "mse": sklearn_metrics.mean_squared_error(truth, predicted),
        "rmse": sklearn_metrics.root_mean_squared_error(truth, predicted),
    }
    for name, value in expected.items():
        assert metric(name).measure(truth, predicted.reshape(-1, 1)) == pytest.approx(value)


def test_auc_agrees_with_scikit_learn():
    labels, scores = RNG.integers(0, 2, 80), RNG.random(80)
    expected = sklearn_metrics.roc_auc_score(labels, scores)
    assert metric("auc").measure(labels, scores.reshape(-1, 1)) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["r2", "mae", "mse", "rmse"])
def test_the_standard_error_is_what_a_simulation_finds(name):
    rows = 400
    scores = []
    for _ in range(600):
        signal = RNG.normal(size=rows)
        scores.append(metric(name).measure(signal + RNG.normal(size=rows), signal))
    expected = metric(name).standard_error(float(np.mean(scores)), np.zeros(rows))
    assert np.std(scores) == pytest.approx(expected, rel=0.2)


def test_the_standard_error_of_auc_is_what_a_simulation_finds():
    labels = np.repeat([0, 1], 200)
    auc = metric("auc")
    scores = [auc.measure(labels, RNG.exponential(np.where(labels, 3.0, 1.0))) for _ in range(400)]
    expected = auc.standard_error(float(np.mean(scores)), labels)
    assert np.std(scores) == pytest.approx(expected, rel=0.2)


@pytest.mark.parametrize(
    ("name", "target", "labels", "expected"),
    [
        ("accuracy", 0.9, np.zeros(100), 0.03),
        ("balanced_accuracy", 0.9, np.repeat([0, 1], (20, 80)), 0.0375),
        ("f1", 0.9, np.repeat([1, 0], (20, 80)), 1.1 * math.sqrt(0.09 / 40)),
        ("f1", 0.9, np.repeat([0, 1, 2], (20, 20, 25)), 0.3 * math.sqrt(0.14) / 3),
        ("f1", 0.9, np.repeat([1, 0], (1, 99)), 1.1 * math.sqrt(0.09 / 2)),
        ("auc", 0.9, np.repeat([1, 0], (20, 80)), 0.0475220),
        ("auc", 0.9, np.zeros(10), math.inf),
        ("auc", 0.9, np.ones(10), math.inf),
        ("r2", 0.64, np.zeros(100), 0.0576),
        ("mae", 2.0, np.zeros(100), 0.2 * math.sqrt(math.pi / 2 - 1)),
        ("mse", 2.0, np.zeros(200), 0.2),
        ("rmse", 2.0, np.zeros(200), 0.1),
    ],
)
def test_the_worked_examples_of_the_standard_errors(name, target, labels, expected):
    assert metric(name).standard_error(target, labels) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", ["r2", "mae", "mse", "rmse"])
def test_the_influence_of_a_row_is_what_the_score_is_without_it(name):
    measured, (labels, predicted) = metric(name), RNG.normal(size=(2, 300))
    score, rows = measured.measure(labels, predicted), np.arange(300)
    without = [measured.measure(labels[rows != row], predicted[rows != row]) for row in rows]
    influence = measured.influence(labels, predicted)
    expected = pytest.approx(299 * (score - np.array(without)), rel=0.05, abs=0.05)
    assert influence - influence.mean() == expected


def test_the_same_score_reaches_and_is_no_better():
    for measured in METRICS.values():
        worse = 0.4 if measured.higher_is_better else 0.6
        assert measured.reaches(0.5, 0.5)
        assert not measured.reaches(worse, 0.5)
        assert measured.better(0.5, worse)
        assert not measured.better(0.5, 0.5)


def test_what_each_metric_asks_of_its_rows():
    kinds = ("counts_rows", "needs_classes", "of_classes", "is_share")
    has = {kind: {n for n, each in METRICS.items() if getattr(each, kind)} for kind in kinds}
    assert has["counts_rows"] == {"accuracy"}
    assert has["of_classes"] == {"accuracy", "balanced_accuracy", "f1"}
    assert has["needs_classes"] == has["is_share"] == has["of_classes"] | {"auc"}
    assert {n for n, each in METRICS.items() if each.power == 2} == {"mse", "r2"}


def test_labels_that_are_all_alike_are_explained_by_nothing():
    assert metric("r2").measure(np.ones(9), np.arange(9)) == -math.inf


@pytest.mark.parametrize(
    ("name", "target", "limits"),
    [
        ("accuracy", 0.0, "between 0 and 1"),
        ("accuracy", 1.0, "between 0 and 1"),
        ("accuracy", 95, "between 0 and 1"),
        ("auc", -1, "between 0 and 1"),
        ("r2", 1.5, "below 1"),
        ("mae", -1, "above 0"),
    ],
)
def test_a_target_outside_its_metrics_range_is_refused(name, target, limits):
    said = f"Target {target:g} is outside the range of {name}: give one {limits}."
    with pytest.raises(InputError, match=re.escape(said)):
        metric(name).check_target(target)


@pytest.mark.parametrize(("name", "target"), [("accuracy", 0.95), ("r2", -0.5), ("mae", 12.0)])
def test_a_target_within_its_metrics_range_is_accepted(name, target):
    metric(name).check_target(target)


def test_an_unknown_metric_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match=", ".join(METRICS)):
        metric("acuracy")


def test_metrics_of_imbalanced_classes_agree_with_scikit_learn():
    predicted = PROBABILITIES.argmax(axis=1)
    expected = sklearn_metrics.balanced_accuracy_score(LABELS, predicted)
    assert metric("balanced_accuracy").measure(LABELS, PROBABILITIES) == pytest.approx(expected)
    expected = sklearn_metrics.f1_score(LABELS, predicted, average="macro")
    assert metric("f1").measure(LABELS, PROBABILITIES) == pytest.approx(expected)
    binary, scores = RNG.integers(0, 2, 80), RNG.random((80, 1))
    expected = sklearn_metrics.f1_score(binary, scores[:, 0] > 0.5)
    assert metric("f1").measure(binary, scores) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1", "auc"])
def test_rows_may_stand_for_several_of_their_kind(name):
    measured, labels = metric(name), RNG.integers(0, 2, 40)
    outputs, often = RNG.random(40).round(1), RNG.integers(0, 4, 40)
    several = tuple(np.repeat(each, often) for each in (labels, outputs))
    measure = measured.on_parts((labels, outputs))
    found = measure(*measured.compact(labels, outputs), often)
    assert found == pytest.approx(measured.measure(*several))


def test_outputs_that_are_alike_rank_alike():
    labels, scores = RNG.integers(0, 2, 200), RNG.random(200).round(1)
    expected = sklearn_metrics.roc_auc_score(labels, scores)
    assert metric("auc").measure(labels, scores[:, None]) == pytest.approx(expected)


@pytest.mark.parametrize("labels", [[0, 1, 1, 0], np.eye(3)[[0, 1, 1, 0]]])
def test_f1_is_the_mean_of_several_classes_also_where_rows_lack_one(labels):
    predicted = np.eye(3)[[0, 1, 0, 0]] * 0.8 + 0.1
    expected = sklearn_metrics.f1_score([0, 1, 1, 0], [0, 1, 0, 0], average="macro")
    labels, measured = np.array(labels), metric("f1")
    assert measured.measure(labels, predicted) == pytest.approx(expected)
    rows = measured.compact(labels, predicted)
    assert measured.on_parts((labels, predicted))(*rows) == pytest.approx(expected)
    assert measured.standard_error(0.8, np.eye(3)[[0, 1, 1, 0]]) == pytest.approx(
        metric("balanced_accuracy").standard_error(0.8, np.array([0, 1, 1, 0]))
    )


@pytest.mark.parametrize(
    ("labels", "classes", "outputs", "said"),
    [
        ([0, 0, 0, 1], ("stays", "leaves"), 1, "f1 is of class 'leaves', the rarer one."),
        ([[0.0], [1.0], [1.0]], (), 1, "f1 is of class 1."),
        ([[0, 1], [1, 0], [1, 0]], (), 2, "f1 is of class 1, the rarer one."),
        ([0, 1, 2], (), 3, "f1 is the mean of the f1 of all 3 classes."),
        ([0, 1, 1], (), 3, "f1 is the mean of the f1 of all 3 classes."),
    ],
)
def test_f1_says_which_class_it_is_of(labels, classes, outputs, said):
    assert meaning(metric("f1"), np.array(labels), classes, outputs=outputs) == said
    assert not meaning(metric("accuracy"), np.array(labels), classes)


def test_the_standard_error_of_balanced_accuracy_is_what_a_simulation_finds():
    labels = np.repeat([0, 1], [360, 40])
    right = RNG.random((600, 400)) < 0.8
    scores = [
        metric("balanced_accuracy").measure(labels, np.where(r, labels, 1 - labels)) for r in right
    ]
    expected = metric("balanced_accuracy").standard_error(0.8, labels)
    assert np.std(scores) == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("name", ["f1", "balanced_accuracy"])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_steps_of_sequences_are_classes_and_no_columns(name, classes):
    steps = np.random.default_rng(0).integers(0, classes, (200, 6))
    expected = metric(name).standard_error(0.8, steps.reshape(-1))
    assert metric(name).standard_error(0.8, steps) == pytest.approx(expected)


@pytest.mark.parametrize(("recall", "false"), [(0.8, 0.0), (0.4, 0.0), (0.95, 0.006), (0.9, 0.012)])
def test_an_f1_is_moved_by_chance_no_more_than_its_standard_error_says(recall, false):
    labels = np.repeat([1, 0], [50, 450])
    found = RNG.random((1500, 500)) < np.where(labels == 1, recall, false)
    scores = [metric("f1").measure(labels, each.astype(float)) for each in found]
    largest = metric("f1").standard_error(float(np.mean(scores)), labels)
    assert np.std(scores) <= 1.06 * largest
    if not false:
        assert np.std(scores) >= 0.94 * largest


@pytest.mark.parametrize("counts", [(36,) * 10, (20, 80, 200)])
def test_the_mean_f1_of_several_classes_is_moved_as_a_balanced_accuracy_is(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    other = (labels + RNG.integers(1, len(counts), (800, len(labels)))) % len(counts)
    predicted = np.where(RNG.random(other.shape) < 0.9, labels, other)
    scores = [metric("f1").measure(labels, each) for each in predicted]
    largest = metric("f1").standard_error(float(np.mean(scores)), labels)
    assert 0.75 * largest <= np.std(scores) <= 1.06 * largest


def test_a_function_of_ones_own_is_a_metric_of_shares():
    own = metric("sklearn.metrics:accuracy_score")
    assert own.measure(np.array([0, 1]), np.array([0, 0])) == 0.5
    assert own.higher_is_better
    assert not own.needs_classes


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:score", "cannot be imported: ModuleNotFoundError"),
        ("numpy:no_such_function", "cannot be imported: AttributeError"),
        ("numpy:pi", "must be a function of labels and predictions"),
    ],
)
def test_a_function_that_there_is_not_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        metric(name)


def test_the_standard_error_of_auc_is_that_of_the_column_which_says_least():
    auc, classes = metric("auc"), np.repeat([0, 1], [150, 50])
    alone = auc.standard_error(0.9, classes)
    assert auc.standard_error(0.9, np.eye(2)[classes]) == pytest.approx(alone)
    many = np.column_stack([np.repeat([0, 1], 100), classes])
    assert auc.standard_error(0.9, many) == pytest.approx(alone)


STEPS = RNG.integers(0, 3, (60, 6))
COMPACTED = {
    "classes": (LABELS, PROBABILITIES),
    "one-hot": (np.eye(3)[LABELS], PROBABILITIES),
    "two classes": (RNG.integers(0, 2, 60), RNG.random((60, 1))),
    "sequences": (STEPS, RNG.random((60, 6, 3))),
    "numbers": (RNG.normal(size=60), RNG.normal(size=(60, 1))),
    "images": (RNG.normal(size=(60, 5, 4)), RNG.normal(size=(60, 20))),
}


OF_CLASSES = ("accuracy", "balanced_accuracy", "f1")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *product(OF_CLASSES, ("classes", "one-hot", "two classes", "sequences")),
        *product(("r2", "mae", "mse", "rmse"), ("numbers", "images")),
        ("auc", "two classes"),
    ],
)
def test_compacted_rows_have_the_same_score_however_they_are_drawn(name, kind):
    measured, (labels, predictions) = metric(name), COMPACTED[kind]
    compacted = measured.compact(labels, predictions)
    for drawn in (np.arange(60), RNG.integers(0, 60, 60)):
        found, expected = (
            measured.measure(*(each[drawn] for each in rows))
            for rows in (compacted, (labels, predictions))
        )
        assert found == pytest.approx(expected, rel=1e-9)


def by_hand(labels, outputs):
    """As people write it for Keras, which gives labels the shape of the outputs."""
    return np.mean(labels == (outputs > 0.5))


@pytest.mark.parametrize("shape", [(80,), (80, 1)])
def test_a_metric_of_ones_own_compares_each_row_with_its_own_label(shape):
    labels, outputs = RNG.integers(0, 2, 80), RNG.random((80, 1))
    own = metric(f"{__name__}:by_hand").measure(labels.reshape(shape), outputs)
    assert own == metric("accuracy").measure(labels, outputs)
