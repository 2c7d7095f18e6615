"""A table of results as CSV, JSON or Markdown, for other programs and other pages."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .summary import tested

Rows = Sequence[Mapping[str, Any]]
COLUMNS = (  # of a ladder
    *("trial", "parameter_count", "validation"),
    *("test", "lower_bound", "verdict", "run_id"),
)


def ladder(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models that reached, a row each, with what the test split says of those that saw it."""
    return [_rung(rung, tested(summary, rung)) for rung in summary["ladder"]]


def formatted(rows: Rows, kind: str) -> str:
    """The rows as csv, json or markdown; columns are those of the first, or of a ladder."""
    if kind == "json":
        return json.dumps(list(rows), indent=2)
    names = list(rows[0] if rows else COLUMNS)
    cells = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    if kind == "markdown":
        lines = [names, ["---"] * len(names), *cells]
        return "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *cells])
    return text.getvalue().rstrip("\n")


def _rung(rung: Mapping[str, Any], test: Mapping[str, Any] | None) -> dict[str, Any]:
    known = {**rung, **(test or {}), "test": test["score"] if test else None}
    return {name: known.get(name) for name in COLUMNS}


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
