"""What the page of a search is drawn from, beside its JSON: plain values, kept with its run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..figures import shortened
from ..metrics import direction
from ..trials import FinishedTrial, TrialState

if TYPE_CHECKING:
    from .summary import Summary

Record = dict[str, Any]

FILE = "record.json"  # among the artifacts of the search's run
TRIALS = 5000  # on the page, at most: those that were trained before those that were not
CURVES = 12  # of the ladder, the smallest
DIGITS = 9  # of scores and hyperparameters
COLUMNS = (
    "trial",
    "outcome",
    "parameter_count",
    "score",
    "epochs",
    "seconds",
    "reason",
    "run_id",
)
OUTCOMES = ("reached", "stopped early", "complete", "failed", "rejected")  # of a trial, in words
_STATES = {
    TrialState.PRUNED: "stopped early",
    TrialState.COMPLETE: "complete",
    TrialState.FAIL: "failed",
    TrialState.REJECTED: "rejected",
}


def record(
    summary: Summary,
    trials: Sequence[FinishedTrial],
    run_ids: Mapping[int, str],
    **parts: Any,
) -> Record:
    """All that the page shows beside the summary.

    Args:
        parts: `baselines`, `champion`, `layers`, `preprocessing`, `predictions`, `provenance`,
            `opened_before` and `standard_error`, each of which may be left out: the page then
            leaves out what it would show of it.
    """
    from .importances import importances  # imports Optuna

    trials = sorted(trials, key=lambda each: each.number)
    shown = sorted(trials, key=lambda each: each.state is TrialState.REJECTED)[:TRIALS]
    scored = [each for each in trials if each.score is not None and each.epochs]
    sizes = [(each.hyperparameters, math.log10(max(each.parameter_count, 1))) for each in trials]
    return {
        "trials": table(shown, run_ids),
        "left_out": len(trials) - len(shown),
        "spent": spent(trials),
        "best": best(summary, trials),
        "largest": max((each.parameter_count for each in trials), default=0),
        "curves": _curves(summary, trials),
        "importances": {
            "score": importances([(each.hyperparameters, each.score or 0.0) for each in scored]),
            "size": importances(sizes),
        },
        **parts,
    }


def best(summary: Summary, trials: Iterable[FinishedTrial]) -> dict[str, Any] | None:
    """The trial with the best score, whatever its size; None where none has one."""
    error = direction(summary["metric"]).error
    scored = [(error(each.score), each) for each in trials if each.score is not None]
    if not scored:
        return None
    _, found = min(scored, key=lambda pair: pair[0])
    return {
        "trial": found.number,
        "parameter_count": found.parameter_count,
        "score": found.score,
    }


def table(trials: Iterable[FinishedTrial], run_ids: Mapping[int, str]) -> dict[str, Any]:
    """The trials by number: names of columns, and one list a trial; hyperparameters come last."""
    trials = sorted(trials, key=lambda each: each.number)
    names = list(dict.fromkeys(name for each in trials for name in each.hyperparameters))
    rows = [
        [
            each.number,
            outcome(each),
            each.parameter_count,
            _shorter(each.score),
            each.epochs,
            round(each.seconds, 2),
            each.reason,
            run_ids.get(each.number, ""),
            *(_shorter(each.hyperparameters.get(name)) for name in names),
        ]
        for each in trials
    ]
    return {"columns": list(COLUMNS), "hyperparameters": names, "rows": rows}


def scored(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The trials of a record that have a score, by the names of the columns."""
    names, rows = record["trials"]["columns"], record["trials"]["rows"]
    trials = (dict(zip(names, row, strict=False)) for row in rows)
    return [each for each in trials if each["score"] is not None]


def outcome(trial: FinishedTrial) -> str:
    """What became of a trial, as the page says it."""
    return "reached" if trial.reached else _STATES[trial.state]


def spent(trials: Iterable[FinishedTrial]) -> list[dict[str, Any]]:
    """Trials, epochs and seconds that went into each outcome."""
    found = {name: {"trials": 0, "epochs": 0, "seconds": 0.0} for name in OUTCOMES}
    for trial in trials:
        part = found[outcome(trial)]
        part["trials"] += 1
        part["epochs"] += trial.epochs_spent
        part["seconds"] += trial.seconds
    return [
        {"outcome": name, **part, "seconds": round(part["seconds"], 3)}
        for name, part in found.items()
    ]


def _curves(summary: Summary, trials: Sequence[FinishedTrial]) -> list[dict[str, Any]]:
    """Scores of the ladder's models, epoch by epoch, in the run that was kept."""
    known = {each.number: each for each in trials}
    rungs = [known[rung["trial"]] for rung in summary["ladder"][:CURVES] if rung["trial"] in known]
    return [
        {
            "trial": each.number,
            "parameter_count": each.parameter_count,
            "scores": [_shorter(score) for score in each.history.get("score", ())],
        }
        for each in rungs
    ]


def _shorter(value: Any) -> Any:
    """Numbers of few digits; None for those that JSON does not know."""
    if not isinstance(value, float):
        return value
    return shortened(value, DIGITS) if math.isfinite(value) else None
