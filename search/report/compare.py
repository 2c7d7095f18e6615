"""Two searches beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..figures import figure, limit
from . import words
from .plot import plot
from .summary import holds

if TYPE_CHECKING:
    from ..screen import Screen

Values = Mapping[str, Any]

ASKED = ("pipeline", "metric", "target", "margin", "engine", "sampler", "trainer", "seed")
WRITTEN = {  # as everywhere else
    **dict.fromkeys(("target", "margin"), "{:g}".format),
    **dict.fromkeys(("validation", "test"), figure),
    "lower_bound": limit,
    "seconds": "{:,.0f}".format,
}
LABELS = {"lower_bound": "95 % bound"}  # of an error it is an upper one


def compared(summaries: Sequence[Values]) -> list[dict[str, Any]]:
    """A row a search: what was asked, what it found, what it cost."""
    return [_row(summary) for summary in summaries]


def show_compared(summaries: Sequence[Values], screen: Screen) -> None:
    """Print the searches as columns, the ladders as a plot, and which model is smaller."""
    from rich.table import Table

    rows = compared(summaries)
    table = Table()
    table.add_column("")
    for row in rows:
        table.add_column(str(row["name"]), justify="right")
    for name in rows[0]:
        if name != "name":
            label = LABELS.get(name, name.replace("_", " "))
            table.add_row(label, *(_cell(name, row[name]) for row in rows))
    screen.show(table)
    for line in (*plot(summaries), smaller(summaries)):
        screen.say(line)


def smaller(summaries: Sequence[Values]) -> str:
    """Which of two searches has the smaller model, where they can be compared."""
    asked = {(each["pipeline"], each["metric"], each["target"]) for each in summaries}
    if len(asked) > 1:
        return "They were asked for different things: sizes say little about which is better."
    goal = words.goal(summaries[0])
    rows = sorted(map(_row, filter(holds, summaries)), key=lambda row: row["parameters"])
    if not rows:
        return f"None of them has a model that holds {goal}."
    count, *others = (row["parameters"] for row in rows)
    if count in others:
        return f"Both hold {goal} with {count:,} parameters."
    beyond = "".join(f", {other / max(count, 1):.2f} times smaller" for other in others)
    return f"{rows[0]['name']} holds {goal} with {count:,} parameters{beyond}."


def _row(summary: Values) -> dict[str, Any]:
    selected = summary["selected"] or {"test": {}}
    test, trials = selected["test"], summary["trials"]
    return {
        "name": summary.get("name") or summary["pipeline"],
        **{name: summary.get(name) for name in ASKED},
        "parameters": selected.get("parameter_count"),
        "validation": selected.get("validation"),
        "test": test.get("score"),
        "lower_bound": test.get("lower_bound"),
        "verdict": test.get("verdict"),
        "opened": test.get("opened"),
        "trials_trained": trials["complete"] + trials["pruned"],
        "trials_rejected": trials["rejected"],
        "trials_failed": trials["fail"],
        "epochs_trained": summary["epochs_trained"],
        "seconds": summary["seconds"],
    }


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name in WRITTEN:
        return WRITTEN[name](value)
    return f"{value:,}" if isinstance(value, int) else str(value)
