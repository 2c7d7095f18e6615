"""Whether one model is worse than another on the same test rows: exact tests, paired."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Array, Rows
from ..bounds import clopper_pearson, scores
from ..figures import figure
from ..held_out import HeldOut
from ..metrics import Metric
from ..selection import CONFIDENCE

ALPHA = 1 - CONFIDENCE
DRAWS = 1000  # of a bootstrap


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A challenger against the champion; a loss is in units of the metric, below 0 a gain."""

    rows: int
    loss: float
    most_lost: float  # one-sided 95 % upper bound of the loss
    worse: float  # p-value of "not worse": small where the challenger is worse
    better: float  # p-value of "not better"
    lost: int | None = None  # rows that the champion alone has right, where the metric counts rows
    gained: int | None = None  # rows that the challenger alone has right

    def is_worse(self) -> bool:
        """Whether chance alone hardly explains that the challenger does worse."""
        return self.worse < ALPHA

    def is_better(self) -> bool:
        """Whether chance alone hardly explains that the challenger does better."""
        return self.better < ALPHA

    def not_inferior(self, tolerance: float) -> bool:
        """Whether the challenger is shown to lose no more than this."""
        return self.most_lost <= tolerance

    def describe(self) -> str:
        """The figures in one clause."""
        p_value = f"p = {self.worse:.2g} were it no worse"
        change = f"loses {figure(self.loss)}" if self.loss > 0 else f"gains {figure(-self.loss)}"
        most = f"loses at most {figure(self.most_lost)}"
        if self.most_lost < 0:
            most = f"gains at least {figure(-self.most_lost)}"
        bound = f"it {change}, and {most} with 95 % confidence"
        if self.lost is None:
            return f"on the same {self.rows:,} test rows {bound} (paired bootstrap, {p_value})"
        return (
            f"on the same {self.rows:,} test rows the champion alone has {self.lost:,} right, this "
            f"model alone {self.gained:,} (McNemar exact, {p_value}); {bound}"
        )


def compare(champion: HeldOut, challenger: HeldOut, metric: Metric) -> Comparison | None:
    """The comparison; None where not the same rows, or not all of them, are known of both."""
    if champion.split != challenger.split:
        return None
    old, new = champion.rows(metric), challenger.rows(metric)
    if old is None or new is None or old[0].shape != new[0].shape:
        return None
    groups = champion.groups if challenger.groups is None else challenger.groups
    by_row = old[0].size == len(old[0])  # the steps of a sequence go together
    if metric.counts_rows and by_row and groups is None:
        return mcnemar(_right(old), _right(new))
    return bootstrap(old, new, metric, groups)


def mcnemar(champion: Array, challenger: Array) -> Comparison:
    """McNemar's exact test (Psychometrika 12, 1947) on which rows each has right.

    The bound takes two Clopper-Pearson bounds of 97.5 % each: of the rows that only one has right.

    Args:
        champion, challenger: whether each row is right, (rows,).
    """
    from scipy.stats import binom

    rows = len(champion)
    lost, gained = int(np.sum(champion & ~challenger)), int(np.sum(~champion & challenger))
    most = 1 - clopper_pearson(rows - lost, rows, ALPHA / 2)
    return Comparison(
        rows=rows,
        loss=(lost - gained) / rows,
        most_lost=most - clopper_pearson(gained, rows, ALPHA / 2),
        worse=float(binom.sf(lost - 1, lost + gained, 0.5)),
        better=float(binom.sf(gained - 1, lost + gained, 0.5)),
        lost=lost,
        gained=gained,
    )


def bootstrap(
    champion: Rows, challenger: Rows, metric: Metric, groups: Array | None = None
) -> Comparison:
    """Paired percentile bootstrap of the difference in the metric, over the same rows of both.

    Args:
        champion, challenger: labels and predictions, (rows, ...) each.
        groups: of each row, (rows,), where rows of a group are alike: whole ones are drawn.
    """
    measure = metric.on_parts(champion, challenger)
    kept, gained = (measure(*each) for each in (champion, challenger))
    errors = abs(metric.perfect - scores(metric, measure, [champion, challenger], groups, DRAWS))
    draws = errors[:, 1] - errors[:, 0]
    draws = draws[np.isfinite(draws)]
    return Comparison(
        rows=len(champion[0]),
        loss=metric.error(gained) - metric.error(kept),
        most_lost=float(np.quantile(draws, CONFIDENCE)) if len(draws) else np.inf,
        worse=float((1 + np.sum(draws <= 0)) / (1 + len(draws))),
        better=float((1 + np.sum(draws >= 0)) / (1 + len(draws))),
    )


def _right(rows: Rows) -> Array:
    labels, predictions = rows
    return np.asarray(labels == predictions).reshape(-1)
