"""Draws the pictures of these pages from the records of the last search of digits in mlruns/.

occam search digits && python docs/pictures.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from occam.search.bounds import clopper_pearson
from occam.search.metrics import metric
from occam.search.runs.searches import last_search
from occam.search.runs.store import connect, default_uri
from occam.search.selection import CONFIDENCE, search_target

PICTURES = Path(__file__).with_name("pictures")
TARGET, LEVEL, REACHED, GIVEN_UP = "tab:orange", "tab:red", "tab:green", "0.65"
MARGINS = (0.5, 1.0, 2.0)
ROOM = 0.08  # for a label, as a share of the axis
mpl.rcParams |= {"svg.hashsalt": "occam", "font.size": 10, "axes.spines.right": False}
mpl.rcParams |= {"axes.spines.top": False, "svg.fonttype": "none", "font.family": "sans-serif"}


def main() -> None:
    uri = default_uri()
    found = last_search(connect(uri), "digits")
    trials = runs(uri, found)
    PICTURES.mkdir(exist_ok=True)
    save("trials", draw_trials, found, trials)
    save("curves", draw_curves, found, trials)
    save("fall", draw_fall, found)
    save("margin", draw_margin, found)
    save("verdicts", draw_verdicts, found)


def runs(uri: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """Size, score, whether it reached and the curve of each trial, from their runs in MLflow."""
    client = connect(uri)
    where = f"tags.`mlflow.parentRunId` = '{found['mlflow']['run_id']}'"
    rows = client.search_runs([found["mlflow"]["experiment_id"]], where, max_results=1000)
    return [
        {
            "size": run.data.metrics["parameter_count"],
            "score": run.data.metrics["score"],
            "reached": run.data.tags["reached_target"] == "true",
            "curve": [each.value for each in curve(client, run.info.run_id)],
        }
        for run in rows
        if "score" in run.data.metrics
    ]


def curve(client: Any, run_id: str) -> list[Any]:
    return sorted(client.get_metric_history(run_id, "epoch_score"), key=lambda each: each.step)


def save(name: str, draw: Any, *values: Any) -> None:
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    draw(figure.subplots(), *values)
    figure.savefig(PICTURES / f"{name}.svg", metadata={"Date": None}, facecolor="white")


def draw_trials(axes: Axes, found: dict[str, Any], trials: Sequence[dict[str, Any]]) -> None:
    for reached, colour, label in (
        (False, GIVEN_UP, "given up"),
        (True, REACHED, "reached, twice"),
    ):
        shown = [(each["size"], each["score"]) for each in trials if each["reached"] is reached]
        axes.scatter(*zip(*shown, strict=True), s=22, color=colour, label=label)
    lines(axes, found)
    selected = found["selected"]
    axes.annotate(
        f"selected: {selected['parameter_count']:,}",
        (selected["parameter_count"], selected["validation"]),
        (-90, 14),
        textcoords="offset points",
        arrowprops={"arrowstyle": "->"},
    )
    axes.set(xscale="log", xlabel="parameters", ylabel="validation accuracy", ylim=(0, 1.12))
    plain_numbers(axes)
    axes.legend(loc="center right", frameon=False)


def draw_curves(axes: Axes, found: dict[str, Any], trials: Sequence[dict[str, Any]]) -> None:
    for each in sorted(trials, key=lambda each: each["reached"]):
        colour, width = (REACHED, 1.6) if each["reached"] else (GIVEN_UP, 0.7)
        axes.plot(range(1, len(each["curve"]) + 1), each["curve"], color=colour, linewidth=width)
    lines(axes, found)
    axes.set(xlabel="epochs of the trial", ylabel="validation accuracy", ylim=(0, 1.12))
    axes.legend(loc="lower right", frameon=False)


def plain_numbers(axes: Axes) -> None:
    """1,000 instead of 10 to the third, at few ticks of a logarithmic axis."""
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def lines(axes: Axes, found: dict[str, Any]) -> None:
    axes.axhline(found["search_target"], color=LEVEL, linewidth=1, label="search target")
    axes.axhline(found["target"], color=TARGET, linewidth=1, linestyle="--", label="target")


def draw_fall(axes: Axes, found: dict[str, Any]) -> None:
    steps = found["incumbents"]
    epochs = [*(each["epochs_trained"] for each in steps), found["epochs_trained"]]
    sizes = [each["parameter_count"] for each in steps]
    axes.step(epochs, [*sizes, sizes[-1]], where="post", color=REACHED, linewidth=2)
    labelled = np.inf
    for each in steps:
        place = each["epochs_trained"], (size := each["parameter_count"])
        if size == sizes[-1] or labelled - size > ROOM * sizes[0]:
            axes.annotate(f"{size:,}", place, (4, 5), textcoords="offset points")
            labelled = size
    axes.set(xlabel="epochs trained, all trials together", ylabel="smallest that reached")
    axes.set(ylim=(0, 1.15 * sizes[0]), xlim=(0, 1.05 * epochs[-1]))


def draw_margin(axes: Axes, found: dict[str, Any]) -> None:
    rows = np.unique(np.geomspace(100, 20_000, 60).astype(int))
    measured, target = metric("accuracy"), found["target"]
    for margin in MARGINS:
        asked = [search_target(measured, target, np.zeros(n), margin) for n in rows]
        axes.plot(rows, asked, label=f"--margin {margin:g}")
    here = found["rows"]["validation"]
    axes.plot(here, found["search_target"], "o", color="black")
    axes.annotate(
        f"digits: {here} rows, {found['search_target']:.4f}",
        (here, found["search_target"]),
        (12, 6),
        textcoords="offset points",
    )
    axes.axhline(target, color=TARGET, linestyle="--", linewidth=1, label="target")
    axes.set(xscale="log", xlabel="validation rows", ylabel="search target")
    plain_numbers(axes)
    axes.legend(frameon=False)


def draw_verdicts(axes: Axes, found: dict[str, Any]) -> None:
    rows, target = found["selected"]["test"]["rows"], found["target"]
    correct = np.arange(round((target - 0.02) * rows), rows + 1)
    bounds = np.array([clopper_pearson(int(each), rows, 1 - CONFIDENCE) for each in correct])
    scores = correct / rows
    verdicts = np.where(scores < target, 0, np.where(bounds < target, 1, 2))
    for verdict, (name, colour) in enumerate(
        (("not held", GIVEN_UP), ("holds", "tab:blue"), ("certified", REACHED))
    ):
        these = verdicts == verdict
        axes.vlines(scores[these], bounds[these], scores[these], color=colour, label=name)
        axes.plot(scores[these], scores[these], ".", color=colour)
    test = found["selected"]["test"]
    axes.plot(test["score"], test["score"], "o", color="black")
    axes.annotate("selected", (test["score"],) * 2, (-64, 2), textcoords="offset points")
    axes.axhline(target, color=TARGET, linestyle="--", linewidth=1, label="target")
    axes.set(xlabel=f"accuracy on {rows} test rows", ylabel="from the 95 % bound to the score")
    axes.legend(loc="lower right", frameon=False)


if __name__ == "__main__":
    main()
