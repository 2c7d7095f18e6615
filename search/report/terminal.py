"""What a search found, on a terminal: a table, a plot of characters, and words."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import redacted
from ..figures import figure, limit, sentence
from . import words
from .plot import plot
from .record import scored
from .summary import Summary, holds, tested

if TYPE_CHECKING:
    from ..screen import Screen
    from .record import Record

HOME = Path(__file__).parents[2]  # where the Makefile is, in a clone


def show(
    summary: Summary,
    screen: Screen,
    *,
    record: Record | None = None,
    uri: str | None = None,
) -> None:
    """Print the ladder, the verdict and what to type next.

    Args:
        record: what is known beside the summary; that of a report adds a plot and comparisons.
        uri: MLflow's store that holds it; None: the usual one.
    """
    from rich.table import Table

    title = f"{summary['pipeline']}: {_bar(summary)}"
    if summary["ladder"]:
        screen.say(title, style="bold")
        table = Table()
        for column in ("trial", "parameters", "validation"):
            table.add_column(column, justify="right")
        table.add_column("test")
        for rung in summary["ladder"]:
            table.add_row(
                str(rung["trial"]),
                f"{rung['parameter_count']:,}",
                figure(rung["validation"]),
                _test_cell(summary, rung),
            )
        screen.show(table)
    for line in [*_drawn(summary, record), *conclusion(summary, record, uri)]:
        screen.say(line)


def _drawn(summary: Summary, record: Record | None) -> list[str]:
    if not record or "trials" not in record:
        return []
    missed = [each for each in scored(record) if each["outcome"] != "reached"]
    points = [(each["parameter_count"], each["score"]) for each in missed]
    sizes = [sentence(line) for line in words.sizes(summary, record)]
    return [*plot([summary], points), *sizes]


def conclusion(
    summary: Summary,
    record: Record | None = None,
    uri: str | None = None,
) -> list[str]:
    """The answer in words: what won and what to type next, or why nothing did."""
    record = record or {}
    spent = words.spent(summary)
    selected = summary["selected"]
    if selected is None:
        missed = f"No model reached the search target: {_bar(summary)}."
        return [spent, missed, *words.advice(summary, record)]
    test = selected["test"]
    what = (
        f"Trial {selected['trial']} with {selected['parameter_count']:,} parameters: "
        f"validation {figure(selected['validation'])}, test {figure(test['score'])} "
        f"(95 % bound {limit(test['lower_bound'])}, {test['opened']} opened)"
    )
    if not holds(summary):
        return [
            spent,
            f"{what}: the target {summary['target']:g} is NOT HELD on test data.",
            *words.advice(summary, record),
        ]
    found = [spent, f"{what}: {test['verdict']} {summary['target']:g}."]
    if before := words.seen_before(record):
        found.append(before)
    if selected["model_uri"] is None:  # MLflow does not have it
        return found
    review, promote = _commands(summary["pipeline"], uri)
    return [*found, f"Next: `{review}` to review, `{promote}` to make it the champion."]


def _commands(pipeline: str, uri: str | None) -> tuple[str, str]:
    """What to type to review and to promote: by make where that is at hand."""
    from ..runs.store import default_uri

    name, elsewhere = shlex.quote(pipeline), ""
    if uri not in (None, default_uri()):
        shown = redacted(str(uri))
        elsewhere = f" --tracking-uri {shlex.quote(shown) if shown == uri else '...'}"
    if HOME.samefile(Path.cwd()) and not elsewhere:
        return "make ui", f"make promote PIPELINE={name}"
    return f"occam ui{elsewhere}", f"occam promote {name}{elsewhere}"


def _bar(summary: Summary) -> str:
    target = f"target {summary['target']:g}, search target {figure(summary['search_target'])}"
    return f"{words.metric_name(summary)} {target}"


def _test_cell(summary: Summary, rung: Mapping[str, Any]) -> str:
    test = tested(summary, rung)
    return f"{figure(test['score'])} {test['verdict']}" if test else ""
