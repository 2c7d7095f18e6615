"""The tables that the charts of the page draw, made of a summary and its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..figures import figure, shortened

Values = Mapping[str, Any]
Table = list[dict[str, Any]]

MOST_IMPORTANT = 6  # hyperparameters among the parallel coordinates
SHOWN = 15  # hyperparameters in the chart of importances


def tables(summary: Values, record: Values) -> dict[str, Table]:
    """Rows by the names that the charts give their data."""
    return {
        "ladder": [_point(rung, rung["validation"]) for rung in summary["ladder"]],
        "selected": _selected(summary),
        "targets": _targets(summary),
        "incumbents": _incumbents(summary, record),
        "importances": _importances(record),
        "curves": _curves(record),
        "spent": _spent(record),
        **_predictions(record),
    }


def axes(record: Values) -> Table:
    """Of the parallel coordinates: the most important hyperparameters, size and score."""
    found = record.get("importances") or {}
    ranked = [*_ranked(found.get("score", {})), *_ranked(found.get("size", {}))]
    names = list(dict.fromkeys([*ranked, *record["trials"]["hyperparameters"]]))
    chosen = [name for name in names if len(_values(record, name)) > 1][:MOST_IMPORTANT]
    shown = [*chosen, "parameter_count", "score"]
    return [_axis(name, values) for name in shown if (values := _values(record, name))]


def slices(record: Values) -> dict[str, str]:
    """Which chart shows each hyperparameter that was varied: linear, log or choice."""
    kinds = {}
    for name in record["trials"]["hyperparameters"]:
        values = _values(record, name)
        if len(values) > 1:
            axis = _axis(name, values)
            kinds[name] = "choice" if "choices" in axis else "log" if axis["log"] else "linear"
    return {name: kinds[name] for name in _most_important_first(record) if name in kinds}


def told(record: Values) -> list[str]:
    """The hyperparameters that tell trials apart, the most important first; all if none does."""
    names = _most_important_first(record)
    varied = [name for name in names if len(_values(record, name, scored=False)) > 1]
    return varied or names


def _most_important_first(record: Values) -> list[str]:
    ranked = _ranked((record.get("importances") or {}).get("score", {}))
    return list(dict.fromkeys([*ranked, *record["trials"]["hyperparameters"]]))


def _axis(name: str, values: list[Any]) -> dict[str, Any]:
    from .importances import logarithmic  # imports Optuna

    axis = {"name": name, "title": "parameters" if name == "parameter_count" else name}
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in values):
        return {**axis, "choices": sorted({_as_script(each) for each in values})}
    return {**axis, "low": min(values), "high": max(values), "log": logarithmic(values)}


def _as_script(value: Any) -> str:
    """As JavaScript's `String` writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _values(record: Values, name: str, *, scored: bool = True) -> list[Any]:
    """What a column holds, without repetition: of all trials, or of those that have a score."""
    trials = record["trials"]
    columns, hyperparameters = trials["columns"], trials["hyperparameters"]
    own = name in hyperparameters  # it may be called as a column is
    at = len(columns) + hyperparameters.index(name) if own else columns.index(name)
    score = columns.index("score")
    rows = [row for row in trials["rows"] if row[score] is not None or not scored]
    return list(dict.fromkeys(row[at] for row in rows if row[at] is not None))


def _ranked(shares: Mapping[str, float]) -> list[str]:
    return sorted(shares, key=lambda name: -shares[name])


def _point(model: Values, score: float) -> dict[str, Any]:
    return {
        "trial": model["trial"],
        "parameter_count": model["parameter_count"],
        "score": score,
    }


def _selected(summary: Values) -> Table:
    selected = summary["selected"]
    return [] if selected is None else [_point(selected, selected["validation"])]


def _targets(summary: Values) -> Table:
    target, search = summary["target"], summary["search_target"]
    lines = [{"score": target, "name": f"target {target:g}"}]
    if search != target:
        lines.append({"score": search, "name": f"search target {figure(search)}"})
    return lines


def _incumbents(summary: Values, record: Values) -> Table:
    """The last step reaches to the end of all training."""
    steps = [dict(each) for each in summary["incumbents"]]
    if steps:
        seconds = sum(part["seconds"] for part in record.get("spent") or [])
        end = {"epochs_trained": summary["epochs_trained"], "seconds": seconds}
        steps.append(steps[-1] | {key: max(steps[-1][key], end[key]) for key in end})
    return steps


def _importances(record: Values) -> Table:
    found = record.get("importances") or {}
    score, size = found.get("score", {}), found.get("size", {})
    shares = {name: max(score.get(name, 0), size.get(name, 0)) for name in {**score, **size}}
    return [
        {"hyperparameter": name, "of": of, "share": part.get(name, 0)}
        for name in _ranked(shares)[:SHOWN]
        for of, part in (("score", score), ("size", size))
    ]


def _curves(record: Values) -> Table:
    return [
        {
            "trial": curve["trial"],
            "model": f"{curve['parameter_count']:,}",
            "epoch": epoch,
            "score": score,
        }
        for curve in record.get("curves") or []
        for epoch, score in enumerate(curve["scores"], start=1)
        if score is not None
    ]


def _spent(record: Values) -> Table:
    return [
        {"outcome": part["outcome"], "of": of, "amount": part[of], "index": index}
        for index, part in enumerate(record.get("spent") or [])
        for of in ("trials", "epochs", "seconds")
    ]


def _predictions(record: Values) -> dict[str, Table]:
    found = record.get("predictions") or {"kind": None}
    if found["kind"] == "numbers":
        points = found["points"]
        rows = [{"true": t, "predicted": p, "residual": shortened(p - t, 6)} for t, p in points]
        return {"residuals": rows}
    if found["kind"] != "classes":
        return {}
    names = found["names"]
    return {
        "confusion": [
            {
                "true": names[true],
                "predicted": names[predicted],
                "rows": rows,
                "share": round(rows / max(sum(counts), 1), 4),
            }
            for true, counts in enumerate(found["counts"])
            for predicted, rows in enumerate(counts)
        ]
    }
