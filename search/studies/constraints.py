"""What an Optuna study is told of a trial: its size, to be minimised under two constraints."""

from __future__ import annotations

import math
import warnings

import optuna

from ..shortfall import LEAST
from ..stopping import was_cut_short
from ..trials import RECORD, FinishedTrial, TrialState

BUILD_FAILED = 1.0  # its distance to the target, in units of the metric, where none was measured


def tell(
    study: optuna.Study,
    trial: optuna.Trial,
    finished: FinishedTrial,
    *,
    missing: float | None,
    constrained: bool,
) -> None:
    """Set both constraints, always in one order: Optuna's GP reads them by position.

    Args:
        missing: distance to the search target; None: nothing is known.
        constrained: whether the sampler reads constraints; else the value says it all.
    """
    if finished.score is None and was_cut_short(finished.reason):  # nothing is known of it
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return
    value = math.log10(max(finished.parameter_count, 1))
    violation = _violation(study, finished, missing)
    if not constrained:
        if violation > 0:
            value += 10 + violation  # beyond any size
        study.tell(trial, value)
        return
    with warnings.catch_warnings(action="ignore"):  # a process that died may have come as far
        for key, amount in (("target", violation), ("size", _excess(study, finished))):
            trial.set_constraint(key, amount)
    if finished.epochs == 0:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return
    study.tell(trial, value)


def _violation(study: optuna.Study, finished: FinishedTrial, missing: float | None) -> float:
    """How far a trial stays from the search target; at most 0 where it reaches it.

    A trial that failed counts as the worst so far: a sampler learns nothing of a FAIL.
    """
    if _too_large(finished):
        return 0.0
    if missing is not None:
        return missing
    told = (each for each in study.get_trials(deepcopy=False) if each.state.is_finished())
    return max([BUILD_FAILED, *(each.constraints.get("target", 0.0) for each in told)])


def _excess(study: optuna.Study, finished: FinishedTrial) -> float:
    """Log ratio of a size that was too large to the smallest that has reached; else 0."""
    if not _too_large(finished):
        return 0.0
    records = [each.user_attrs.get(RECORD) for each in study.get_trials(deepcopy=False)]
    sizes = [each["parameter_count"] for each in records if each and each["reached"]]
    smallest = min(sizes, default=finished.parameter_count)
    return max(math.log(max(finished.parameter_count, 1) / max(smallest, 1)), LEAST)


def _too_large(finished: FinishedTrial) -> bool:
    """Whether nothing is known of a trial but that a smaller one has reached."""
    pruned = finished.state is TrialState.PRUNED and finished.score is None
    return pruned or finished.state is TrialState.REJECTED
