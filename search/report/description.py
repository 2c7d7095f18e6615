"""What a reviewer reads in MLflow: names of runs, the answer in words, a table of the winners."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..figures import figure, sentence
from ..selection import HELD
from . import words
from .summary import holds, tested

Summary = Mapping[str, Any]

REPORT, PICTURE = "report.html", "size_score.png"  # artifacts of the search's run
MODE = "?workflowType=machine_learning"  # MLflow opens as a tool for language models otherwise
VIEW = "occam"  # key of the saved view, part of its address
TITLE = "Smallest models that reached the target"
BEST = "Best models, none of which reached the target"
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
    goal = words.goal(summary)
    if selected is None:
        return f"no model reached {goal}"
    verb = "hold" if holds(summary) else "do not hold"
    return f"{selected['parameter_count']:,} parameters {verb} {goal}"


def name_of_tested(
    verdict: str, parameter_count: float, test_score: float, *, selected: bool
) -> str:
    """Name of a run whose model saw the test split: "smallest · 784 · 0.9723"."""
    label = "smallest" if selected and verdict in HELD else verdict
    return f"{label} · {parameter_count:,.0f} · {figure(test_score)}"


def banner(summary: Summary, has_report: bool) -> str:
    """The answer above the table of an experiment's runs."""
    link = f" [Report]({_report(summary)})" if has_report else ""
    if summary["selected"] is None:
        return f"{sentence(headline(summary))}{link}"
    test = summary["selected"]["test"]
    return f"**{headline(summary)}**: test {figure(test['score'])}, {test['verdict']}.{link}"


def markdown(summary: Summary, record: Summary | None = None) -> str:
    """The description of a search: its answer, its ladder and what to type next.

    Args:
        record: of the report, which is linked and whose first chart is shown where there is one.
    """
    link = f"[**The full report**]({_report(summary)}). " if record else ""
    sections = [f"## {headline(summary)}", f"{link}{words.claim(summary, record or {})}"]
    if record:
        lines = [f"- {line}" for line in words.sizes(summary, record)]
        sections += ["\n".join(lines), _picture(summary)] if lines else [_picture(summary)]
    if summary["ladder"]:
        sections += ["### Every model that reached the search target", _ladder(summary)]
    sections += [words.spent(summary), "### Next", _next(summary, record or {})]
    return "\n\n".join(sections)


def view_tag(run_id: str, summary: Summary | None = None) -> tuple[str, str]:
    """Key and value of the experiment's tag in which MLflow keeps a saved view of its table.

    Args:
        summary: of a search that has ended: where no model reached, the best scores are shown.
    """
    missed = summary is not None and not summary["ladder"]
    reached = "" if missed else " AND tags.reached_target = 'true'"
    state = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}'{reached}",
        "orderByKey": "metrics.`score`" if missed else "metrics.`parameter_count`",
        "orderByAsc": not (summary and missed and words.higher(summary)),
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(COLUMNS),
        "columnOrder": ["attributes.`Run Name`", *COLUMNS],
        "columnWidths": {"attributes.`Run Name`": 220, **COLUMNS},
        "viewMaximized": True,
    }
    title = BEST if missed else TITLE
    envelope = {"name": title, "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)}
    return f"mlflow.sharedViewState.{VIEW}", json.dumps(envelope)


def view_path(experiment_id: str) -> str:
    """Where MLflow shows that view, below the address of its server."""
    return f"/#/experiments/{experiment_id}/runs{MODE}&viewStateShareKey={VIEW}"


def _picture(summary: Summary) -> str:
    """An artifact as an image: MLflow's own server sends it by this address."""
    run = summary["mlflow"]["run_id"]
    return f"![Size against score](get-artifact?path={PICTURE}&run_uuid={run})"


def _report(summary: Summary) -> str:
    at = summary["mlflow"]
    return f"#/experiments/{at['experiment_id']}/runs/{at['run_id']}/artifacts/{REPORT}{MODE}"


def _ladder(summary: Summary) -> str:
    lines = [_row("trial", "parameters", "validation", "test", ""), "|---|---|---|---|---|"]
    for rung in summary["ladder"][:RUNGS_SHOWN]:
        test = tested(summary, rung)
        shown = (figure(test["score"]), test["verdict"]) if test else ("", "")
        count = f"{rung['parameter_count']:,}"
        lines.append(_row(_link(summary, rung), count, figure(rung["validation"]), *shown))
    more = len(summary["ladder"]) - RUNGS_SHOWN
    return "\n".join(lines) + (f"\n\nand {more:,} larger ones." if more > 0 else "")


def _row(*cells: str) -> str:
    """MLflow draws tables without space between columns: em spaces make it."""
    return "".join(f"| {cell}&emsp;" for cell in cells) + "|"


def _link(summary: Summary, rung: Mapping[str, Any]) -> str:
    experiment = summary["mlflow"]["experiment_id"]
    if not rung["run_id"]:
        return str(rung["trial"])
    return f"[{rung['trial']}](#/experiments/{experiment}/runs/{rung['run_id']}{MODE})"


def _next(summary: Summary, record: Summary) -> str:
    name = summary["pipeline"]
    if not holds(summary):
        return "\n".join(f"- {line}" for line in words.advice(summary, record))
    return (
        f"`occam promote {name}` makes it the champion; then `occam predict {name} INPUT` "
        f"uses it and `occam rollback {name}` takes it back."
    )
