"""A table of results as CSV, JSON or Markdown, for other programs and other pages."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .summary import tested

Rows = Sequence[Mapping[str, Any]]


def ladder(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models that reached, a row each, with what the test split says of those that saw it."""
    return [_rung(rung, tested(summary, rung)) for rung in summary["ladder"]]


def formatted(rows: Rows, kind: str) -> str:
    """The rows as csv, json or markdown; columns are those of the first."""
    if kind == "json":
        return json.dumps(list(rows), indent=2)
    names = list(rows[0]) if rows else []
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    if kind == "markdown":
        lines = [names, ["---"] * len(names), *cells]
        return "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines if names)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *cells])
    return text.getvalue().rstrip("\n")


def _rung(rung: Mapping[str, Any], test: Mapping[str, Any] | None) -> dict[str, Any]:
    test = test or {"score": None, "lower_bound": None, "verdict": None}
    return {
        "trial": rung["trial"],
        "parameter_count": rung["parameter_count"],
        "validation": rung["validation"],
        "test": test["score"],
        "lower_bound": test["lower_bound"],
        "verdict": test["verdict"],
        "run_id": rung["run_id"],
    }


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
