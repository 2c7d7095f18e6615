"""What a reviewer reads in MLflow: names of runs, the answer in words, a table of the winners."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .metrics import metric

Summary = Mapping[str, Any]

VIEW = "occam"  # key of the saved view, part of its address
TITLE = "Smallest models that reached the target"
RUNGS_SHOWN = 20  # a description holds 8,000 characters
COLUMNS = {  # of the view, with their widths in pixels
    "metrics.`parameter_count`": 140,
    "metrics.`score`": 100,
    "metrics.`test_score`": 100,
    "tags.`verdict`": 110,
}


def headline(summary: Summary) -> str:
    """The answer in one line: "784 parameters hold accuracy 0.95"."""
    selected = summary["selected"]
    goal = f"{summary['metric']} {summary['target']:g}"
    if selected is None:
        return f"no model reached {goal}"
    verb = "do not hold" if selected["test"]["verdict"] == "not held" else "hold"
    return f"{selected['parameter_count']:,} parameters {verb} {goal}"


def run_name(verdict: str, parameter_count: float, test_score: float, *, selected: bool) -> str:
    """Name of a run whose model saw the test split: "smallest · 784 · 0.972"."""
    label = "smallest" if selected and verdict != "not held" else verdict
    return f"{label} · {parameter_count:,.0f} · {test_score:.3f}"


def banner(summary: Summary) -> str:
    """The answer above the table of an experiment's runs."""
    if summary["selected"] is None:
        return f"{headline(summary).capitalize()}."
    test = summary["selected"]["test"]
    return f"**{headline(summary)}**: test {test['score']:.4f}, {test['verdict']}."


def markdown(summary: Summary) -> str:
    """The description of a search: its answer, its ladder and what to type next."""
    selected = summary["selected"]
    sections = [f"## {headline(summary)}"]
    if selected is not None:
        sections.append(_claim(summary, selected))
    else:
        sections.append(_shortfall(summary))
    if summary["ladder"]:
        sections += ["### Every model that reached the search target", _ladder(summary)]
    sections += [_spent(summary), "### Next", _next(summary)]
    return "\n\n".join(sections)


def view_tag(run_id: str) -> tuple[str, str]:
    """Key and value of the experiment's tag in which MLflow keeps a saved view of its table."""
    state = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}' AND tags.reached_target = 'true'",
        "orderByKey": "metrics.`parameter_count`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(COLUMNS),
        "columnOrder": ["attributes.`Run Name`", *COLUMNS],
        "columnWidths": {"attributes.`Run Name`": 220, **COLUMNS},
        "viewMaximized": True,
    }
    envelope = {"name": TITLE, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)}
    return f"mlflow.sharedViewState.{VIEW}", json.dumps(envelope)


def view_path(experiment_id: str) -> str:
    """Where MLflow shows that view, below the address of its server."""
    return (
        f"/#/experiments/{experiment_id}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={VIEW}"
    )


def _claim(summary: Summary, selected: Mapping[str, Any]) -> str:
    test = selected["test"]
    bound = "at least" if metric(summary["metric"]).higher_is_better else "at most"
    right = f", {test['correct']:,} right" if test.get("correct") is not None else ""
    return (
        f"Trial {selected['trial']}: validation {selected['validation']:.4f}, "
        f"**test {test['score']:.4f}** on {test['rows']:,} untouched rows{right}; {bound} "
        f"{test['lower_bound']:.4f} with 95 % confidence. Verdict: **{test['verdict']}** "
        f"({test['opened']} opened)."
    )


def _shortfall(summary: Summary) -> str:
    return (
        f"The search target, with its margin on {summary['rows']['validation']:,} validation "
        f"rows, was {summary['search_target']:.4f}."
    )


def _ladder(summary: Summary) -> str:
    selected = summary["selected"] or {}
    lines = [_row("trial", "parameters", "validation", "test", ""), "|---|---|---|---|---|"]
    for rung in summary["ladder"][:RUNGS_SHOWN]:
        test = rung.get("test")
        if rung["trial"] == selected.get("trial"):
            test = selected["test"]
        shown = (f"{test['score']:.4f}", test["verdict"]) if test else ("", "")
        count = f"{rung['parameter_count']:,}"
        lines.append(_row(_link(summary, rung), count, f"{rung['validation']:.4f}", *shown))
    more = len(summary["ladder"]) - RUNGS_SHOWN
    return "\n".join(lines) + (f"\n\nand {more:,} larger ones." if more > 0 else "")


def _row(*cells: str) -> str:
    """MLflow draws tables without space between columns: em spaces make it."""
    return "".join(f"| {cell}&emsp;" for cell in cells) + "|"


def _link(summary: Summary, rung: Mapping[str, Any]) -> str:
    experiment = summary["mlflow"]["experiment_id"]
    if not rung["run_id"]:
        return str(rung["trial"])
    return f"[{rung['trial']}](#/experiments/{experiment}/runs/{rung['run_id']})"


def _spent(summary: Summary) -> str:
    counts = summary["trials"]
    return (
        f"{counts['complete']:,} trials complete, {counts['pruned']:,} stopped early, "
        f"{counts['rejected']:,} rejected untrained, {counts['fail']:,} failed; "
        f"{summary['epochs_trained']:,} epochs in {summary['seconds']:.0f} s."
    )


def _next(summary: Summary) -> str:
    name, selected = summary["pipeline"], summary["selected"]
    if selected is None or selected["test"]["verdict"] == "not held":
        return "Search on with more `--trials`, a larger space, more data or a lower `--target`."
    return (
        f"`occam promote {name}` makes it the champion; then `occam predict {name} INPUT` "
        f"uses it and `occam rollback {name}` takes it back."
    )
