"""One-sided confidence bounds of a test score, on its pessimistic side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from .arrays import Array, Rows
from .measures import Measure
from .metrics import Influence, Metric

DRAWS = 2000  # resamplings of a bootstrap
FEWEST = 10  # rows of numbers, or groups of them, that a bound can be given of
FEW = 0.1  # different rows, as a share of all, that are quicker counted than drawn one by one


def clopper_pearson(correct: float, rows: float, alpha: float) -> float:
    """Lower bound of a proportion (Clopper and Pearson, Biometrika 26, 1934).

    BetaInv(alpha; k, n - k + 1), and 0 where none is correct. Neither number need be whole: a
    share may be worth as many rows as its standard error says.
    """
    from scipy.stats import beta

    return float(beta.ppf(alpha, correct, rows - correct + 1)) if correct > 0 else 0.0


def bound(
    metric: Metric,
    labels: Array,
    predictions: Array,
    alpha: float,
    *,
    target: float,
    groups: Array | None = None,
) -> float:
    """Of any metric that counts no rows: by resampling, and for a share no better than one's.

    It is infinite where the rows are too few, or too seldom wrong, to tell anything of an error.

    A resampling of few rows that are all right says nothing of the next one. So a share, such as
    balanced accuracy, is given no better bound than Clopper and Pearson's on as many rows as its
    standard error at the target stands for; one of which that is not known, none at all then.

    Args:
        labels, predictions: (rows, ...) each.
        alpha: probability that the truth is on the other side of the bound.
        groups: of each row, where rows of a group are alike; whole groups are resampled then, and a
            share is given no better bound than on one row a group: how much alike the rows are
            cannot be told from the few that are wrong.
    """
    apart = len(labels) if groups is None else len(np.unique(groups))
    if metric.influence is not None and apart < FEWEST:
        return -math.inf if metric.higher_is_better else math.inf
    if metric.influence is not None and groups is None:
        return _studentized(metric, metric.influence, labels, predictions, alpha)
    measure = metric.on_parts((labels, predictions))
    found = scores(metric, measure, [metric.compact(labels, predictions)], groups, DRAWS)
    draws = np.where(np.isfinite(found), found, metric.worst)
    percentile = float(np.quantile(draws, alpha if metric.higher_is_better else 1 - alpha))
    if not metric.is_share:
        return percentile
    if metric.error_is_guessed and draws.min() == draws.max():
        return metric.worst
    score, error = metric.measure(labels, predictions), metric.standard_error(target, labels)
    rows = target * (1 - target) / error**2 if error > 0 else len(labels)
    if groups is not None:
        rows = min(rows, apart)
    return min(percentile, clopper_pearson(score * rows, rows, alpha))


def scores(
    metric: Metric, measure: Measure, models: Sequence[Rows], groups: Array | None, draws: int
) -> Array:
    """What models score on the same resamplings of their rows, (draws, models).

    It is not a number where a resampling cannot be scored, as one of a single class.

    Args:
        measure: of `metric`, for parts of these rows.
        models: labels, the same of all, and outputs, as `metric` compacts them.
        groups: of each row, (rows,), where rows of a group are alike: whole ones are drawn.
    """
    rng, labels = np.random.default_rng(0), models[0][0]
    outputs = [each for _, each in models]
    with threadpool_limits(1):  # threads that share so little work wait for each other
        if metric.takes_weights:
            (truth, *answers), counts = _counted([labels, *outputs], groups, rng, draws)
            return np.array([[measure(truth, each, n) for each in answers] for n in counts])
        return np.array(
            [
                [measure(labels[rows], each[rows]) for each in outputs]
                for rows in _resampled(len(labels), groups, rng, draws)
            ]
        )


def _counted(
    columns: Sequence[Array], groups: Array | None, rng: np.random.Generator, draws: int
) -> tuple[tuple[Array, ...], Iterator[Array]]:
    """The different rows there are, column by column, and how often each draw has each of them.

    Args:
        columns: whole numbers, (rows, steps, ...) each.
    """
    shape = tuple(int(each.max()) + 1 for each in columns)
    codes = np.ravel_multi_index(tuple(each.reshape(-1) for each in columns), shape)
    different, which = np.unique(codes, return_inverse=True)
    steps = which.reshape(len(columns[0]), -1)
    alike = np.unravel_index(different, shape)
    if groups is None and len(steps) == len(which) and len(different) < FEW * len(which):
        shares = np.bincount(which) / len(which)
        return alike, (rng.multinomial(len(which), shares) for _ in range(draws))
    drawn = _resampled(len(steps), groups, rng, draws)
    return alike, (np.bincount(steps[rows].reshape(-1), minlength=len(different)) for rows in drawn)


def _resampled(
    rows: int, groups: Array | None, rng: np.random.Generator, draws: int
) -> Iterator[Array]:
    """Which rows each draw of a bootstrap has; whole groups where rows of a group are alike.

    Args:
        groups: of each row, (rows,).
    """
    if groups is None:
        yield from (rng.integers(0, rows, rows) for _ in range(draws))
        return
    order = np.argsort(groups, kind="stable")
    _, starts = np.unique(groups[order], return_index=True)
    members = np.split(order, starts[1:])
    for _ in range(draws):
        yield np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])


def _studentized(
    metric: Metric, influence: Influence, labels: Array, predictions: Array, alpha: float
) -> float:
    """Bootstrap-t (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 12).

    The percentiles of a mean of skewed errors promise too much on few rows. A resampling without
    spread, as of one row alone, says that the truth may be anywhere.

    Args:
        influence: of each row on the score, which says how far chance moves it.
    """
    rng = np.random.default_rng(0)
    labels, predictions = metric.compact(labels, predictions)

    def measured(labels: Array, predictions: Array) -> tuple[float, float]:
        each = influence(labels, predictions)
        return metric.measure(labels, predictions), float(np.std(each)) / math.sqrt(len(each))

    score, error = measured(labels, predictions)
    ratios = []
    for _ in range(DRAWS):
        rows = rng.integers(0, len(labels), len(labels))
        drawn, spread = measured(labels[rows], predictions[rows])
        away = drawn - score
        ratios.append(away / spread if spread > 0 else math.copysign(math.inf, away) if away else 0)
    up = metric.higher_is_better
    ratio = np.quantile(ratios, 1 - alpha if up else alpha, method="higher" if up else "lower")
    return score - float(ratio) * error if error > 0 else score
