"""The metrics a target can be set on: direction, range and sampling error of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from . import measures, standard_errors
from .arrays import Array, Rows
from .errors import InputError
from .measures import Measure
from .references import resolved

Influence = Callable[[Array, Array], Array]  # of each of such rows on the score, up to a constant


def _as_they_are(labels: Array, predictions: Array) -> Rows:
    return labels, predictions


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number that says how good predictions are, and how far chance alone moves it.

    A share, of which more is better, where nothing else is said.
    """

    name: str
    perfect: float = 1.0
    worst: float = 0.0  # of the targets that make sense; may be infinite
    measure: Measure
    standard_error: Callable[[float, Array], float]  # (target, labels), in units of the score
    compact: Callable[[Array, Array], Rows] = _as_they_are  # rows in less, of the same score
    of_parts: Callable[..., Measure] | None = None  # where all rows say what it is
    influence: Influence | None = None
    power: int = 1  # of the errors of which it is the mean: 2 where they are squared
    counts_rows: bool = False  # a share of rows that are right: exact binomial bounds apply
    needs_classes: bool = False
    error_is_guessed: bool = False  # nobody has said what its standard error is

    @property
    def of_classes(self) -> bool:
        """Whether it asks only which class is predicted: AUC ranks probabilities."""
        return self.needs_classes and self.name != "auc"

    @property
    def takes_weights(self) -> bool:
        """Whether `measure` takes as a third argument how often each row counts."""
        return self.needs_classes

    @property
    def higher_is_better(self) -> bool:
        return self.perfect > self.worst

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1, where 1 is perfect."""
        return (self.worst, self.perfect) == (0.0, 1.0)

    def error(self, score: float) -> float:
        """Distance to a perfect score: what a learning curve drives to zero."""
        return abs(self.perfect - score)

    def reaches(self, score: float, target: float) -> bool:
        """Whether a score is as good as the target, or better."""
        return score >= target if self.higher_is_better else score <= target

    def better(self, score: float, other: float) -> bool:
        """Whether a score is better than another, not equal."""
        return score > other if self.higher_is_better else score < other

    def on_parts(self, *rows: Rows) -> Measure:
        """What measures some of these rows as all: f1 is of class 1, or the mean of several.

        Args:
            rows: labels and outputs, of each of the models that are compared.
        """
        return self.measure if self.of_parts is None else self.of_parts(*rows)

    def check_target(self, target: float) -> None:
        """Refuse a target that no model can have, or that every model has."""
        low, high = sorted((self.perfect, self.worst))
        if not (low < target < high or (target == self.perfect and not self.counts_rows)):
            limits = f"above {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
            limits = f"below {high:g}" if math.isinf(low) else limits
            raise InputError(
                f"Target {target:g} is outside the range of {self.name}: give one {limits}."
            )


def metric(name: str) -> Metric:
    """The metric of this name, or the function that "package.module:function" stands for."""
    if isinstance(name, str) and ":" in name:
        return _own(name)
    if not isinstance(name, str) or name not in METRICS:
        raise InputError(
            f"Unknown metric {name!r}. Available metrics: {', '.join(METRICS)}, or your own "
            "function as package.module:function, in a notebook __main__:function."
        )
    return METRICS[name]


def direction(name: str) -> Metric:
    """What tells which of two scores is better: a function of one's own need not be at hand."""
    if name in METRICS:
        return METRICS[name]
    return Metric(name=name, measure=_unknown, standard_error=standard_errors.of_accuracy)


def _unknown(labels: Array, predictions: Array) -> float:
    raise InputError("This metric only compares scores.")


def _own(name: str) -> Metric:
    """A function of (labels, predictions) that gives a share from 0 to 1, where more is better.

    Its attribute `standard_error`, a function of (target, labels), says what moves it by chance.
    """
    function = resolved(name, "Metric")
    if not callable(function):
        raise InputError(f"Metric {name!r} must be a function of labels and predictions.")
    error = getattr(function, "standard_error", None)

    def measure(labels: Array, predictions: Array) -> float:
        return float(function(_beside(labels, predictions), predictions))

    return Metric(
        name=name,
        measure=measure,
        standard_error=error or standard_errors.of_accuracy,
        error_is_guessed=error is None,
    )


def _beside(labels: Array, predictions: Array) -> Array:
    """Labels in the shape of one output a row, as Keras's own metrics get them.

    Else NumPy would compare each with each.
    """
    labels = np.asarray(labels)
    one = np.ndim(predictions) == labels.ndim + 1 and np.shape(predictions)[-1] == 1
    return labels[..., None] if one else labels


def are_classes(metric: Metric, labels: Array, predictions: Array) -> bool:
    """Whether predictions tell classes: the metric asks so, or a label is one of many columns.

    Shapes: (rows,) or (rows, 1) beside (rows, columns).
    """
    columns = predictions.shape[-1] if predictions.ndim == 2 else 1
    return metric.needs_classes or (np.size(labels) == len(labels) and columns > 1)


def meaning(
    measured: Metric, labels: Array, classes: Sequence[str] = (), *, outputs: int = 1
) -> str:
    """Which class f1 is of, or what is taken for granted of a metric; mostly nothing.

    Args:
        outputs: of the model, a row: labels may lack a class that it tells.
    """
    if measured.error_is_guessed:
        return (
            f"The margin takes {measured.name} for a share of all {len(labels):,} validation rows: "
            "give the function an attribute `standard_error` of (target, labels) where it is not."
        )
    if measured.name != "f1":
        return ""
    indices = standard_errors.numbered(labels)
    if (count := max(int(indices.max()) + 1, outputs)) > 2:
        return f"f1 is the mean of the f1 of all {count} classes."
    name = repr(classes[1]) if len(classes) > 1 else "1"
    return f"f1 is of class {name}{', the rarer one' if indices.mean() < 0.5 else ''}."


METRICS = {
    each.name: each
    for each in (
        Metric(
            name="accuracy",
            measure=measures.accuracy,
            compact=measures.classes,
            standard_error=standard_errors.of_accuracy,
            counts_rows=True,
            needs_classes=True,
        ),
        Metric(
            name="balanced_accuracy",
            measure=measures.balanced_accuracy,
            compact=measures.classes,
            standard_error=standard_errors.of_balanced_accuracy,
            needs_classes=True,
        ),
        Metric(
            name="f1",
            measure=measures.f1,
            of_parts=measures.f1_of_parts,
            compact=measures.classes,
            standard_error=standard_errors.of_f1,
            needs_classes=True,
        ),
        Metric(
            name="auc",
            measure=measures.auc,
            compact=measures.ranks,
            standard_error=standard_errors.of_auc,
            needs_classes=True,
        ),
        Metric(
            name="r2",
            worst=-math.inf,
            measure=measures.r2,
            influence=measures.r2_influence,
            power=2,
            standard_error=standard_errors.of_r2,
        ),
        Metric(
            name="mae",
            perfect=0.0,
            worst=math.inf,
            measure=measures.mae,
            compact=measures.amounts,
            influence=measures.row_amounts,
            standard_error=standard_errors.of_mae,
        ),
        Metric(
            name="mse",
            perfect=0.0,
            worst=math.inf,
            measure=measures.mse,
            compact=measures.squares,
            influence=measures.row_squares,
            power=2,
            standard_error=standard_errors.of_mse,
        ),
        Metric(
            name="rmse",
            perfect=0.0,
            worst=math.inf,
            measure=measures.rmse,
            compact=measures.squares,
            influence=measures.rmse_influence,
            standard_error=standard_errors.of_rmse,
        ),
    )
}
