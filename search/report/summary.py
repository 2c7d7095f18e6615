"""What a search found, as the JSON of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..selection import HELD, TestResult
from ..trials import FinishedTrial, TrialState

if TYPE_CHECKING:
    from ..selection import Ladder

Summary = dict[str, Any]


def summarise(
    settings: Mapping[str, Any],
    trials: Sequence[FinishedTrial],
    ladder: Ladder,
    results: Sequence[TestResult],
    run_ids: Mapping[int, str],
    model_uris: Mapping[int, str],
) -> Summary:
    """The contract's JSON: `settings` are its leading keys, the rest comes from the trials."""
    states = {state.value.lower(): 0 for state in TrialState}
    tests = {result.trial: _test(result) for result in results}
    for trial in trials:
        states[trial.state.value.lower()] += 1
    return {
        **settings,
        "epochs_trained": sum(trial.epochs_spent for trial in trials),
        "trials": states,
        "selected": _selected(ladder, results, run_ids, model_uris),
        "ladder": [
            {
                "trial": rung.number,
                "parameter_count": rung.parameter_count,
                "validation": rung.score,
                "run_id": run_ids.get(rung.number, ""),
                **({"test": tests[rung.number]} if rung.number in tests else {}),
            }
            for rung in ladder.rungs
        ],
        "incumbents": incumbents(trials),
    }


def incumbents(trials: Iterable[FinishedTrial]) -> list[dict[str, Any]]:
    """How the smallest model that has reached fell, over epochs and seconds that trials took.

    In the order in which trials ended, which is not that of their numbers where several train; the
    seconds of these add up.
    """
    steps: list[dict[str, Any]] = []
    epochs, seconds = 0, 0.0
    for trial in sorted(trials, key=lambda trial: trial.ended or 0.0):
        epochs, seconds = epochs + trial.epochs_spent, seconds + trial.seconds
        if trial.reached and (not steps or trial.parameter_count < steps[-1]["parameter_count"]):
            steps.append(
                {
                    "epochs_trained": epochs,
                    "seconds": round(seconds, 3),
                    "parameter_count": trial.parameter_count,
                    "trial": trial.number,
                }
            )
    return steps


def holds(summary: Mapping[str, Any]) -> bool:
    """Whether a model was selected that holds the target on the test split."""
    selected = summary["selected"]
    return selected is not None and selected["test"]["verdict"] in HELD


def tested(summary: Mapping[str, Any], rung: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the test split said of a model of the ladder; None: it was not opened for it."""
    selected = summary["selected"] or {"trial": None}
    test: dict[str, Any] | None = rung.get("test")
    return selected["test"] if rung["trial"] == selected["trial"] else test


def _test(result: TestResult) -> dict[str, Any]:
    return {key: value for key, value in result.record().items() if key != "trial"}


def _selected(
    ladder: Ladder,
    results: Sequence[TestResult],
    run_ids: Mapping[int, str],
    model_uris: Mapping[int, str],
) -> dict[str, Any] | None:
    if not results:
        return None
    result = results[-1]
    trial = next(rung for rung in ladder.rungs if rung.number == result.trial)
    return {
        "trial": trial.number,
        "parameter_count": trial.parameter_count,
        "trainable_parameter_count": trial.trainable_parameter_count,
        "hyperparameters": dict(trial.hyperparameters),
        "validation": trial.score,
        "test": _test(result),
        "run_id": run_ids.get(trial.number, ""),
        "model_uri": model_uris.get(trial.number),
    }
