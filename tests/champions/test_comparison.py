"""One model against another on the same rows: exact where rows are counted, else bootstrapped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from occam.search.champions import comparison
from occam.search.champions.comparison import compare, mcnemar
from occam.search.held_out import HeldOut
from occam.search.metrics import metric
from scipy.stats import binomtest

ROWS = 200
RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 3, ROWS)


def held(predictions: np.ndarray, name: str = "accuracy", labels: np.ndarray = TRUTH) -> HeldOut:
    return HeldOut.of("split", labels, predictions, metric(name))


def wrong(rows: slice) -> np.ndarray:
    """Predictions that are right but for these rows."""
    predictions = TRUTH.copy()
    predictions[rows] = (predictions[rows] + 1) % 3
    return np.eye(3)[predictions]


@given(lost=st.integers(0, 40), gained=st.integers(0, 40))
def test_mcnemar_is_the_exact_binomial_test_of_the_rows_that_differ(lost, gained):
    champion = np.arange(ROWS) >= gained
    challenger = np.arange(ROWS) < ROWS - lost
    found = mcnemar(champion, challenger)
    assert (found.lost, found.gained) == (lost, gained)
    assert found.loss == pytest.approx((lost - gained) / ROWS)
    if lost + gained:
        expected = binomtest(lost, lost + gained, 0.5, alternative="greater").pvalue
        assert found.worse == pytest.approx(expected)
    if lost + gained:
        expected = binomtest(gained, lost + gained, 0.5, alternative="greater").pvalue
        assert found.better == pytest.approx(expected)
    most = binomtest(lost, ROWS, alternative="less").proportion_ci(0.975).high
    least = binomtest(gained, ROWS, alternative="greater").proportion_ci(0.975).low
    assert found.most_lost == pytest.approx(most - least)
    assert found.loss < found.most_lost


def test_the_bound_covers_the_true_loss_as_often_as_it_says():
    rng, covered, draws = np.random.default_rng(1), 0, 400
    for _ in range(draws):
        champion, challenger = rng.random(ROWS) < 0.97, rng.random(ROWS) < 0.94
        covered += mcnemar(champion, challenger).most_lost >= 0.03
    assert covered / draws >= 0.95


def test_a_worse_model_is_worse_and_the_same_model_is_not():
    champion, worse = held(wrong(slice(0, 4))), held(wrong(slice(0, 20)))
    found = compare(champion, worse, metric("accuracy"))
    assert found.is_worse()
    assert not found.is_better()
    assert not found.not_inferior(0.05)
    assert "the champion alone has 16 right, this model alone 0 (McNemar exact" in found.describe()
    assert "it loses 0.0800, and loses at most 0.1267 with 95 %" in found.describe()
    better = compare(worse, champion, metric("accuracy"))
    assert better.is_better()
    assert "it gains 0.0800, and gains at least 0.0281 with 95 %" in better.describe()
    same = compare(champion, champion, metric("accuracy"))
    assert not same.is_worse()
    assert same.not_inferior(0.05)


def test_an_f1_of_two_models_is_of_the_same_classes(monkeypatch):
    monkeypatch.setattr(comparison, "DRAWS", 10)
    two = TRUTH % 2  # no row is of class 2
    right, third = np.eye(3)[two], np.eye(3)[np.where(np.arange(ROWS) < 1, 2, two)]
    found = compare(held(right, "f1", two), held(third, "f1", two), metric("f1"))
    measured = metric("f1").measure
    assert found.loss == pytest.approx(measured(two, right) - measured(two, third))


@pytest.mark.parametrize("name", ["mae", "r2", "rmse", "auc", "f1"])
def test_any_metric_is_compared_by_the_same_rows(name, monkeypatch):
    monkeypatch.setattr(comparison, "DRAWS", 100)  # scikit-learn takes its time for f1 and auc
    truth = RNG.integers(0, 2, ROWS)
    labels = truth if metric(name).needs_classes else truth + RNG.normal(size=ROWS)
    good, bad = labels + RNG.normal(0, 0.1, ROWS), labels + RNG.normal(0, 0.9, ROWS)
    champion, worse = held(good[:, None], name, labels), held(bad[:, None], name, labels)
    found = compare(champion, worse, metric(name))
    assert found.is_worse()
    assert found.loss > 0
    assert found.most_lost > found.loss
    assert "paired bootstrap" in found.describe()
    assert (found.worse, found.better) == (pytest.approx(1 / 101), 1.0)
    same = compare(champion, champion, metric(name))
    assert (same.loss, same.most_lost, same.worse, same.better) == (0.0, 0.0, 1.0, 1.0)


def test_other_rows_are_not_compared():
    champion = held(wrong(slice(0, 4)))
    other = HeldOut.of("another split", TRUTH, wrong(slice(0, 4)), metric("accuracy"))
    assert compare(champion, other, metric("accuracy")) is None


def test_rows_that_cannot_be_scored_show_nothing():
    ones = np.ones(ROWS)
    champion, other = held(RNG.random(ROWS), "auc", ones), held(RNG.random(ROWS), "auc", ones)
    found = compare(champion, other, metric("auc"))
    assert not found.is_worse()
    assert not found.is_better()
    assert not found.not_inferior(1.0)


def test_what_an_older_version_has_compacted_less_is_compared_all_the_same():
    labels, outputs = RNG.integers(0, 2, ROWS), RNG.random(ROWS)
    older = HeldOut(
        split="rows",
        complete=False,
        labels=labels,
        predictions=outputs,
        compacted=(labels, outputs),
    )
    truth, ranks = metric("auc").compact(labels, outputs)
    newer = replace(older, compacted=(truth, ranks))
    assert compare(older, newer, metric("auc")).loss == 0


@pytest.mark.parametrize("name", ["mse", "rmse", "mae"])
def test_images_are_kept_in_part_and_compared_by_the_error_of_each(name, tmp_path, monkeypatch):
    monkeypatch.setattr(comparison, "DRAWS", 100)
    measured = metric(name)
    images = RNG.normal(size=(3000, 400)).astype("float32")
    good, bad = (images + RNG.normal(0, noise, images.shape) for noise in (0.1, 0.11))
    for number, predicted in enumerate((good, bad)):
        HeldOut.of("split", images, predicted, measured).save(tmp_path / f"{number}.npz")
    champion, worse = (HeldOut.load(tmp_path / f"{each}.npz") for each in range(2))
    assert len(champion.labels) < 100
    found = compare(champion, worse, measured)
    assert found.rows == 3000
    assert found.is_worse()
    lost = measured.measure(images, bad) - measured.measure(images, good)
    assert found.loss == pytest.approx(lost, rel=1e-5)


def test_images_are_not_compared_by_a_metric_that_needs_all_of_them(tmp_path: Path):
    images = np.zeros((3000, 784), dtype="float32")
    HeldOut.of("split", images, images, metric("r2")).save(tmp_path / "test_rows.npz")
    kept = HeldOut.load(tmp_path / "test_rows.npz")
    assert not kept.complete
    assert compare(kept, kept, metric("r2")) is None
    whole = HeldOut.of("split", images[:, :1], images[:, :1], metric("r2"))
    assert whole.complete
    assert compare(kept, whole, metric("r2")) is None
    assert compare(whole, kept, metric("r2")) is None
    part = HeldOut.of("split", images[:9, :1], images[:9, :1], metric("r2"))
    assert compare(whole, part, metric("r2")) is None


def test_what_is_kept_is_read_back(tmp_path: Path):
    path = tmp_path / "new" / "test_rows.npz"
    kept = held(wrong(slice(0, 9)))
    kept.save(path)
    read = HeldOut.load(path)
    assert (read.split, read.complete, read.labels.shape) == ("split", True, (ROWS,))
    np.testing.assert_array_equal(read.predictions, kept.predictions)
    assert np.sum(read.labels != read.predictions) == 9


def test_the_steps_of_a_sequence_are_drawn_together():
    truth = np.repeat(RNG.integers(0, 3, (50, 1)), 8, axis=1)
    off = truth.copy()
    off[:4] = (off[:4] + 1) % 3  # four sequences, wrong in all of their steps
    champion, worse = (
        HeldOut.of("split", truth, np.eye(3)[each], metric("accuracy")) for each in (truth, off)
    )
    assert champion.labels.shape == (50, 8)
    found = compare(champion, worse, metric("accuracy"))
    assert (found.rows, found.lost) == (50, None)
    assert found.loss == pytest.approx(4 / 50)
    assert 0.1 < found.most_lost < 0.25


def test_rows_of_a_group_are_drawn_together(tmp_path: Path):
    groups = np.repeat([f"patient {number}" for number in range(20)], 10)
    worse = wrong(slice(0, 20))  # two patients
    alone = compare(held(np.eye(3)[TRUTH]), held(worse), metric("accuracy"))
    champion, challenger = (
        HeldOut.of("split", TRUTH, each, metric("accuracy"), groups)
        for each in (np.eye(3)[TRUTH], worse)
    )
    challenger.save(tmp_path / "test_rows.npz")
    challenger = HeldOut.load(tmp_path / "test_rows.npz")
    found = compare(champion, challenger, metric("accuracy"))
    assert (found.lost, found.loss) == (None, pytest.approx(alone.loss))
    assert found.most_lost > alone.most_lost
    assert alone.is_worse()
    assert not found.is_worse()
    for old, new in ((held(np.eye(3)[TRUTH]), challenger), (champion, held(worse))):
        assert compare(old, new, metric("accuracy")) == found  # of whichever they are known


def test_what_is_damaged_is_a_value_error(tmp_path: Path):
    path = tmp_path / "test_rows.npz"
    held(wrong(slice(0, 9))).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="damaged"):
        HeldOut.load(path)
