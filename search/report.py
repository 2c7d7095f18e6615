"""What a search found, as the JSON of the contract and as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .selection import TestResult, Verdict
from .trials import FinishedTrial, TrialState

if TYPE_CHECKING:
    from rich.console import Console

    from .selection import Ladder

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
    for trial in trials:
        states[trial.state.value.lower()] += 1
    return {
        **settings,
        "epochs_trained": sum(trial.epochs for trial in trials),
        "trials": states,
        "selected": _selected(ladder, results, run_ids, model_uris),
        "ladder": [
            {
                "trial": rung.number,
                "parameter_count": rung.parameter_count,
                "validation": rung.score,
                "run_id": run_ids.get(rung.number),
            }
            for rung in ladder.rungs
        ],
        "incumbents": incumbents(trials),
    }


def incumbents(trials: Iterable[FinishedTrial]) -> list[dict[str, Any]]:
    """How the smallest model that has reached fell, over epochs and seconds of training."""
    steps: list[dict[str, Any]] = []
    epochs, seconds = 0, 0.0
    for trial in trials:
        epochs, seconds = epochs + trial.epochs, seconds + trial.seconds
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


def holds(summary: Summary) -> bool:
    """Whether a model was selected that holds the target on the test split."""
    selected = summary["selected"]
    return selected is not None and selected["test"]["verdict"] != Verdict.NOT_HELD.value


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
    test = {key: value for key, value in result.record().items() if key != "trial"}
    return {
        "trial": trial.number,
        "parameter_count": trial.parameter_count,
        "trainable_parameter_count": trial.trainable_parameter_count,
        "hyperparameters": dict(trial.hyperparameters),
        "validation": trial.score,
        "test": test,
        "run_id": run_ids.get(trial.number),
        "model_uri": model_uris.get(trial.number),
    }


def show(summary: Summary, console: Console, *, best: FinishedTrial | None = None) -> None:
    """Print the ladder, the verdict and what to type next.

    Args:
        best: the trial with the best score, told where none reached the search target.
    """
    from rich.table import Table

    title = f"{summary['pipeline']}: {summary['metric']} {_bar(summary)}"
    if summary["ladder"]:
        table = Table(title=title, title_justify="left", title_style="bold")
        for column, justify in (
            ("trial", "right"),
            ("parameters", "right"),
            ("validation", "right"),
            ("test", "left"),
        ):
            table.add_column(column, justify=justify)  # type: ignore[arg-type]
        for rung in summary["ladder"]:
            table.add_row(
                str(rung["trial"]),
                f"{rung['parameter_count']:,}",
                f"{rung['validation']:.4f}",
                _test_cell(summary, rung["trial"]),
            )
        console.print(table)
    for line in conclusion(summary, best):
        console.print(line, highlight=False, soft_wrap=True)


def conclusion(summary: Summary, best: FinishedTrial | None = None) -> list[str]:
    """The answer in words: what won and what to type next, or why nothing did."""
    counts = summary["trials"]
    spent = (
        f"{counts['complete']} trials complete, {counts['pruned']} stopped early, "
        f"{counts['rejected']} rejected untrained, {counts['fail']} failed; "
        f"{summary['epochs_trained']:,} epochs in {summary['seconds']:.0f} s."
    )
    selected = summary["selected"]
    if selected is None:
        return [spent, *_nothing(summary, best)]
    name, test = summary["pipeline"], selected["test"]
    what = (
        f"Trial {selected['trial']} with {selected['parameter_count']:,} parameters: "
        f"validation {selected['validation']:.4f}, test {test['score']:.4f} "
        f"(95 % bound {test['lower_bound']:.4f}, {test['opened']} opened)"
    )
    if not holds(summary):
        return [
            spent,
            f"{what}: the target {summary['target']:g} is NOT HELD on test data.",
            "More trials, a larger --margin or more data may help; the registry refuses it.",
        ]
    return [
        spent,
        f"{what}: {test['verdict']} {summary['target']:g}.",
        f"Next: `make ui` to review, `make promote PIPELINE={name}` to make it the champion.",
    ]


def _nothing(summary: Summary, best: FinishedTrial | None) -> list[str]:
    """Why nothing was selected: how far the best came, and what chance could have done."""
    from .metrics import metric

    lines = [f"No model reached the search target: {summary['metric']} {_bar(summary)}."]
    rows, margin = summary["rows"]["validation"], summary["margin"]
    if best is None or best.score is None:
        return lines
    lines.append(
        f"The best was trial {best.number}: {best.score:.4f} with "
        f"{best.parameter_count:,} parameters."
    )
    if margin and metric(summary["metric"]).reaches(best.score, summary["target"]):
        asked = abs(summary["search_target"] - summary["target"]) / margin
        beyond = abs(best.score - summary["target"]) / asked if asked else 0.0
        return [
            *lines,
            f"That is {beyond:.1f} standard errors beyond {summary['target']:g}, not {margin:g}: "
            f"on {rows:,} validation rows one is {asked:.4f}, and chance alone may lift a worse "
            "model so far.",
            "More validation rows, a lower --target or, at that risk, a lower --margin would help.",
        ]
    return [*lines, "More trials, a larger space or a lower --target would help."]


def _bar(summary: Summary) -> str:
    return f"target {summary['target']:g}, search target {summary['search_target']:.4f}"


def _test_cell(summary: Summary, trial: int) -> str:
    selected = summary["selected"]
    if selected is None or selected["trial"] != trial:
        return ""
    return f"{selected['test']['score']:.4f} {selected['test']['verdict']}"
