"""Which model to select, and what may be claimed of it: a margin, a ladder, a gate, a bound."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from itertools import islice
from typing import Any

import numpy as np

from .arrays import Array
from .bounds import bound, clopper_pearson
from .measures import label_indices
from .metrics import Metric
from .trials import FinishedTrial

CANDIDATES = 3  # at most so many models are shown the test split each time a search ends
STEP = 0.5  # standard errors between one candidate's bar and the next
USUAL = 100  # trials that the default margin was chosen for (benchmarks/selection.py)
SHAKY = 0.12  # standard error of an error, as a share of it, from which luck decides among many
CONFIDENCE = 0.95


class Verdict(Enum):
    """What the untouched test split says of a model."""

    CERTIFIED = "certified"  # the lower confidence bound reaches the target
    HOLDS = "holds"  # the test score reaches the target
    NOT_HELD = "not held"


HELD = (Verdict.CERTIFIED.value, Verdict.HOLDS.value)


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The models that reached the search target, and the few that may see the test split."""

    rungs: tuple[FinishedTrial, ...]  # smallest first
    candidates: tuple[FinishedTrial, ...]


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """How one model does on the test split."""

    __test__ = False  # not a test case, whatever its name says to pytest

    trial: int
    score: float
    correct: int | None  # rows that are right, where the metric counts them; not of sequences
    rows: int
    lower_bound: float  # pessimistic side of a one-sided interval: an upper bound for errors
    opened: int  # models that had seen this test split by then, this one included
    verdict: Verdict

    def record(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"verdict": self.verdict.value}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TestResult:
        """What `record` has kept."""
        return cls(**{**record, "verdict": Verdict(record["verdict"])})


def search_target(metric: Metric, target: float, labels: Array, margin: float) -> float:
    """The score to ask for on validation rows so that the target holds on new ones.

    `margin` standard errors beyond the target, but never beyond perfect, of rows that are counted
    one row from it.

    Args:
        labels: of the validation rows, (rows, ...).
    """
    shift = margin * metric.standard_error(target, labels)
    if not metric.higher_is_better:
        return max(target - shift, 0.0)
    ceiling = 1.0 - 1.0 / len(labels) if metric.counts_rows else metric.perfect
    return max(target, min(target + shift, ceiling))


def rows_to_show(metric: Metric, target: float, labels: Array, margin: float) -> int | None:
    """Validation rows that would bring the search target within reach; None: it is already.

    Args:
        labels: of the validation rows, (rows, ...).
        margin: in standard errors.
    """
    shift = margin * metric.standard_error(target, labels)
    room = metric.error(target)
    if metric.counts_rows:
        room -= 1.0 / len(labels)
    if shift <= room:
        return None
    if metric.counts_rows:  # margin sqrt(T (1 - T) / n) + 1 / n <= 1 - T, solved for sqrt(n)
        spread = margin * math.sqrt(target * (1 - target))
        root = (spread + math.sqrt(spread**2 + 4 * (1 - target))) / (2 * (1 - target))
        return math.ceil(root**2)
    return math.ceil(len(labels) * (shift / metric.error(target)) ** 2)


def margin_for(
    trials: int, *, metric: Metric, target: float, labels: Array, margin: float
) -> float:
    """The margin that so many trials need, as luck adds up; `margin` where it is enough.

    It grows as the largest of so many normal numbers does, sqrt(2 ln n). Where the rows show the
    error at the target well, a worse model is hardly ever taken for a better one, however many.

    Args:
        labels: of the validation rows, (rows, ...).
        margin: in standard errors.
    """
    shown = metric.standard_error(target, labels) <= SHAKY * metric.error(target)
    if shown or trials < 2 * USUAL:
        return margin
    return margin + round(_largest(trials) - _largest(USUAL), 1)


def select(
    trials: Iterable[FinishedTrial], *, metric: Metric, target: float, labels: Array, margin: float
) -> Ladder:
    """The ladder of all that reached, and its candidates, fixed before the test split is opened.

    Candidates are the smallest model at the margin, at the margin + 0.5 and at the margin + 1
    standard errors, and where these are the same the next larger ones on the ladder; the smallest
    comes first. Ties in size go to the better score.

    Args:
        labels: of the validation rows, (rows, ...).
        margin: in standard errors.
    """
    rungs = sorted(
        (trial for trial in trials if trial.reached and trial.score is not None),
        key=lambda trial: (trial.parameter_count, metric.error(trial.score or 0.0), trial.number),
    )
    candidates: list[FinishedTrial] = []
    for step in range(CANDIDATES):
        bar = search_target(metric, target, labels, margin + step * STEP)
        smallest = next((rung for rung in rungs if metric.reaches(_score(rung), bar)), None)
        if smallest is not None and smallest not in candidates:
            candidates.append(smallest)
    others = (rung for rung in rungs if rung not in candidates)
    candidates += islice(others, CANDIDATES - len(candidates))
    return Ladder(rungs=tuple(rungs), candidates=tuple(sorted(candidates, key=rungs.index)))


def gate(
    ladder: Ladder,
    predict_test: Callable[[FinishedTrial], Array],
    labels: Array,
    *,
    metric: Metric,
    target: float,
    groups: Array | None = None,
    seen: Iterable[TestResult] = (),
    on_open: Callable[[TestResult], None] = lambda result: None,
) -> list[TestResult]:
    """Open the test split for the candidates in turn until one holds: the last is the answer.

    Where none of them holds, that is the smallest model of the ladder that was seen to, if any.

    Args:
        predict_test: predictions of a candidate on the test inputs; called for no other model.
        labels: of the test rows, (rows, ...).
        groups: of each test row, where rows of a group are alike.
        seen: earlier results of the same search; these are not opened again, and count.
        on_open: is told at once what each candidate scores that the split is opened for.
    """
    results = {result.trial: result for result in seen}
    answer: list[TestResult] = []
    for candidate in ladder.candidates:
        if candidate.number not in results:
            predictions = predict_test(candidate)
            results[candidate.number] = judge(
                candidate.number,
                predictions,
                labels,
                metric,
                target,
                opened=len(results) + 1,
                groups=groups,
            )
            on_open(results[candidate.number])
        answer.append(results[candidate.number])
        if answer[-1].verdict is not Verdict.NOT_HELD:
            return answer
    seen_there = (results[rung.number] for rung in ladder.rungs if rung.number in results)
    held = (result for result in seen_there if result.verdict is not Verdict.NOT_HELD)
    return [*answer, *islice(held, 1)]


def judge(
    trial: int,
    predictions: Array,
    labels: Array,
    metric: Metric,
    target: float,
    *,
    opened: int,
    groups: Array | None = None,
) -> TestResult:
    """The test score of one model with its bound at a confidence shared by all models opened.

    Predictions that are not finite numbers hold nothing.

    Args:
        predictions: the model's outputs, a row each: (rows, classes), (rows, 1) or (rows,).
        groups: of each row, where rows of a group are alike.
    """
    if not np.isfinite(predictions).all():
        score = pessimistic = _as_bad_as_can_be(metric, labels, predictions)
        correct = None
    else:
        score = metric.measure(labels, predictions)
        by_row = metric.counts_rows and label_indices(labels, predictions).size == len(labels)
        correct = round(score * len(labels)) if by_row else None
        alpha = (1 - CONFIDENCE) / opened
        if correct is not None and groups is None:
            pessimistic = clopper_pearson(correct, len(labels), alpha)
        else:
            pessimistic = bound(metric, labels, predictions, alpha, target=target, groups=groups)
            if not math.isfinite(pessimistic):
                pessimistic = _as_bad_as_can_be(metric, labels, predictions)
    verdict = Verdict.HOLDS if metric.reaches(score, target) else Verdict.NOT_HELD
    if verdict is Verdict.HOLDS and metric.reaches(pessimistic, target):
        verdict = Verdict.CERTIFIED
    return TestResult(
        trial=trial,
        score=score,
        correct=correct,
        rows=len(labels),
        lower_bound=pessimistic,
        opened=opened,
        verdict=verdict,
    )


def _largest(draws: int) -> float:
    """Of so many normal numbers, nearly."""
    return math.sqrt(2 * math.log(draws))


def _as_bad_as_can_be(metric: Metric, labels: Array, predictions: Array) -> float:
    """A number that JSON can hold."""
    if math.isfinite(metric.worst):
        return metric.worst
    return metric.measure(labels, np.full(predictions.shape, np.finfo("float32").max))


def _score(trial: FinishedTrial) -> float:
    return trial.score if trial.score is not None else math.nan
