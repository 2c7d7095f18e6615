"""The comparison as tables in Markdown and as plots."""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from against import TITLES, against
from matplotlib.ticker import NullFormatter
from outcome import Goal, at, epochs_to_goal, expected_epochs, goal, mean_ranks, quartiles, stopped
from replay import OURS
from rivals import STOPPED
from tables import Table

Searches = Sequence[dict[str, Any]]
POINTS = 60  # of an anytime curve
EXPONENTS = (0.55, 0.75, 1.0)  # of the optimistic learning curve
RULES = {"own": "own rule", "ours": "Occam's rule"}


def report(tables: dict[str, Table], searches: Searches, folder: Path) -> None:
    """Write README.md and the plots into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    goals = {name: goal(each) for name, each in tables.items()}
    groups: dict[tuple[str, str], dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for each in searches:
        groups[each["tool"], each["rule"]][each["task"]].append(each)
    players = {f"{tool} ({RULES[rule]})": tasks for (tool, rule), tasks in groups.items()}
    text = [
        "# Search efficiency",
        "",
        "Made by `python benchmarks/search_efficiency`; what the columns mean stands in",
        "[benchmarks/README.md](../../README.md).",
        "",
        *_tasks(tables, goals),
        "",
        *_summary(players, goals),
        "",
        *_against(players, goals),
        "",
        *_by_task(players, goals),
        "",
        *_stops(tables),
        "",
        *_ranks(players, goals, folder / "ranks.png"),
        "",
        "![parameters over epochs](anytime.png)",
        "",
    ]
    (folder / "README.md").write_text("\n".join(text), encoding="utf-8")
    _anytime(players, goals, tables, folder / "anytime.png")
    print(f"\nWrote {folder / 'README.md'}.")


def _tasks(tables: dict[str, Table], goals: dict[str, Goal]) -> list[str]:
    rows = [
        [
            name,
            f"{len(table.configurations)}",
            f"{table.task.metric} {table.target:g}",
            f"{len(table.labels):,}",
            f"{int(table.sizes.min()):,} to {int(table.sizes.max()):,}",
            f"{goals[name].size:,}",
        ]
        for name, table in tables.items()
    ]
    titles = ["task", "configurations", "target", "validation rows", "sizes", "best known"]
    return _table(titles, rows)


def _summary(players: dict[str, dict[str, list[Any]]], goals: dict[str, Goal]) -> list[str]:
    """Over all tasks: medians of what each task says."""
    rows = []
    for name, tasks in players.items():
        each = [_scores(tasks[task], goals[task]) for task in goals if tasks.get(task)]
        rows.append(
            [
                name,
                _number(statistics.median(one["expected"] for one in each)),
                _number(statistics.median(one["epochs"] for one in each)),
                f"{np.mean([one['success'] for one in each]):.2f}",
                f"{quartiles([one['size'] for one in each])[1]:.2f}",
                f"{np.mean([one['holds'] for one in each]):.2f}",
                _number(statistics.median(one["spent"] for one in each)),
            ]
        )
    titles = ["tool", "expected epochs", "median epochs", "success", "size", "holds", "spent"]
    return _table(titles, sorted(rows, key=lambda row: _value(row[1])))


def _against(players: dict[str, dict[str, list[Any]]], goals: dict[str, Goal]) -> list[str]:
    """Occam and the best rival of each task, all of them selecting by Occam's rule."""
    rule = f" ({RULES['ours']})"
    same = {name.removesuffix(rule): each for name, each in players.items() if rule in name}
    own = {*OURS, STOPPED}
    rivals = {name: each for name, each in same.items() if name not in own}
    text = []
    for name in OURS:
        if same.get(name) and rivals:
            table = _table(TITLES, against(same[name], rivals, goals))
            text += [f"### {name}, against the best rival of each task", "", *table, ""]
    return text[:-1]


def _by_task(players: dict[str, dict[str, list[Any]]], goals: dict[str, Goal]) -> list[str]:
    """Quartiles of the epochs to the goal; final size over the best known, and hold rate."""
    text = []
    for task in goals:
        rows = []
        for name, tasks in players.items():
            if not tasks.get(task):
                continue
            scores = _scores(tasks[task], goals[task])
            low, middle, high = (_number(each) for each in scores["quartiles"])
            expected = _number(scores["expected"])
            size = f"{scores['size']:.2f}" if math.isfinite(scores["size"]) else "none"
            holds = f"{scores['holds']:.2f}"
            rows.append([name, expected, f"{middle} ({low} to {high})", size, holds])
        titles = ["tool", "expected epochs", "median (quartiles)", "size", "holds"]
        rows.sort(key=lambda row: _value(row[1]))
        text += [f"### {task}", "", *_table(titles, rows), ""]
    return text[:-1]


def _stops(tables: dict[str, Table]) -> list[str]:
    """What the absolute stops leave of the epochs of all runs, and what they end wrongly."""
    rows = []
    for name, table in tables.items():
        for exponent in EXPONENTS:
            shares = stopped(table, exponent)
            rows.append([name, f"{exponent:g}", *(f"{share:.2f}" for share in shares.values())])
    titles = ["task", "exponent", "epochs left", "would reach"]
    titles += ["of these ended: cannot reach", "plateau"]
    return ["### The absolute stops, on every run of a table", "", *_table(titles, rows)]


def _scores(searches: Searches, goal: Goal) -> dict[str, Any]:
    """What the seeds of one tool on one task come to; sizes are ratios to the best known one."""
    costs = [epochs_to_goal(each["picks"], goal) for each in searches]
    spent = [each["spent"] for each in searches]
    last = [at(each["picks"], math.inf) for each in searches]
    sizes = [pick[0] / goal.size if pick else math.inf for pick in last]
    return {
        "expected": expected_epochs(costs, spent),
        "epochs": quartiles(costs)[1],
        "quartiles": quartiles(costs),
        "success": float(np.mean([math.isfinite(each) for each in costs])),
        "size": quartiles(sizes)[1],
        "holds": float(np.mean([bool(pick) and goal.holds(pick[1]) for pick in last])),
        "spent": float(np.median(spent)),
    }


def _ranks(
    players: dict[str, dict[str, list[Any]]], goals: dict[str, Goal], path: Path
) -> list[str]:
    """Ranks by expected epochs, with the difference that chance alone may make."""
    names = [name for name, tasks in players.items() if all(tasks.get(task) for task in goals)]
    if len(names) < 3 or len(goals) < 3:
        return []
    costs = np.array(
        [
            [_scores(players[name][task], goals[task])["expected"] for name in names]
            for task in goals
        ]
    )
    ranks, p, difference = mean_ranks(costs)
    order = np.argsort(ranks)
    figure, axes = plt.subplots(figsize=(8, 0.35 * len(names) + 1.2), layout="constrained")
    places = np.arange(len(names))
    axes.barh(places, ranks[order], color="#8aa4c8")
    axes.errorbar(ranks[order], places, xerr=difference / 2, fmt="none", ecolor="#333333")
    axes.set_yticks(places, [names[each] for each in order])
    axes.invert_yaxis()
    axes.set_xlabel("mean rank by expected epochs; lines: critical difference")
    figure.savefig(path, dpi=110)
    plt.close(figure)
    said = f"Mean ranks over {len(goals)} tasks: Friedman p = {p:.1e}, critical difference "
    return [f"{said}{difference:.1f} (Nemenyi, 5 %).", "", f"![mean ranks]({path.name})"]


def _anytime(
    players: dict[str, dict[str, list[Any]]],
    goals: dict[str, Goal],
    tables: dict[str, Table],
    path: Path,
) -> None:
    """Size of what would be delivered, by epochs: the median over seeds and its quartiles."""
    names = [name for name in players if name.endswith("(Occam's rule)")]
    columns = 3
    lines = math.ceil(len(goals) / columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(12, 3 * lines), layout="constrained", squeeze=False
    )
    colours = plt.get_cmap("tab20").colors
    for axes, task in zip(grid.flat, goals, strict=False):
        epochs = tables[task].task.epochs
        budget = max(each["budget"] for name in names for each in players[name].get(task, []))
        times = np.geomspace(epochs / 4, budget * epochs, POINTS)
        for number, name in enumerate(names):
            searches = players[name].get(task, [])
            if not searches:
                continue
            sizes = [[_size(each["picks"], time) for each in searches] for time in times]
            low, middle, high = zip(*(quartiles(each) for each in sizes), strict=True)
            thick = 2.2 if name.startswith("Occam") else 1.0
            label = name.removesuffix(" (Occam's rule)")
            axes.plot(times, middle, color=colours[number], lw=thick, label=label)
            if thick > 2:
                axes.fill_between(times, low, high, color=colours[number], alpha=0.2, lw=0)
        axes.axhline(goals[task].size, color="#333333", lw=0.8, ls=":")
        axes.set(title=task, xscale="log", yscale="log")
        axes.xaxis.set_minor_formatter(NullFormatter())
    for axes in list(grid.flat)[len(goals) :]:
        axes.set_axis_off()
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    figure.supxlabel("epochs trained")
    figure.supylabel("parameters of what would be delivered")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _size(picks: Any, epochs: float) -> float:
    delivered = at(picks, epochs)
    return delivered[0] if delivered else math.inf


def _table(titles: list[str], rows: list[list[str]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _number(value: float) -> str:
    return f"{value:,.0f}" if math.isfinite(value) else "never"


def _value(text: str) -> float:
    return math.inf if text == "never" else float(text.replace(",", ""))
