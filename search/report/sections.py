"""The sections of the page, in the order in which a reviewer asks: what won, why, at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .record import scored
from .summary import tested
from .tables import slices, tables

Values = Mapping[str, Any]
Section = dict[str, Any]


def sections(summary: Values, record: Values) -> list[Section]:
    """Those for which there is something to show."""
    drawn = tables(summary, record)
    found = [
        _size_score(summary, record),
        _fall(summary),
        _test(record),
        _importances(drawn),
        _parallel(record),
        _slices(record),
        _curves(drawn),
        _budget(record),
        _layers(summary, record),
        _trials(record),
        _repeat(summary, record),
    ]
    return [section for section in found if section is not None]


def _size_score(summary: Values, record: Values) -> Section | None:
    if not scored(record):
        return None
    rows = [
        (rung["trial"], rung["parameter_count"], rung["validation"], *_tested(summary, rung))
        for rung in summary["ladder"]
    ]
    columns = ("trial", "parameters", "validation", "test", "verdict")
    return {
        "id": "size",
        "title": "Size against score",
        "charts": ["size_score"],
        "caption": (
            "Every trial that has a score: point at one for its main hyperparameters, click for "
            "its run. The line joins the models that reached, the ring marks the selected one; "
            "scores far from the targets are drawn at the edge."
        ),
        "table": {"columns": columns, "rows": rows, "linked": True} if rows else None,
    }


def _tested(summary: Values, rung: Values) -> tuple[Any, Any]:
    test = tested(summary, rung)
    return (test["score"], test["verdict"]) if test else ("", "")


def _fall(summary: Values) -> Section | None:
    if not summary["incumbents"]:
        return None
    return {
        "id": "fall",
        "title": "How the smallest model fell",
        "charts": ["incumbents_epochs", "incumbents_seconds"],
        "caption": (
            "The smallest model that had reached the search target by then, "
            "over all epochs and seconds of training."
        ),
    }


def _test(record: Values) -> Section | None:
    found = record.get("predictions")
    if not found:
        return None
    section = {"id": "test", "title": "The selected model on the test rows"}
    if found["kind"] == "images":
        return {**section, "picture": found["png"], "alt": found["alt"], "caption": found["alt"]}
    if found["kind"] == "numbers":
        caption = "Test rows: on the dashed line, the prediction is the truth."
        return {**section, "charts": ["residuals"], "caption": caption}
    counts = found["counts"]
    wrong = sum(sum(row) for row in counts) - sum(counts[at][at] for at in range(len(counts)))
    caption = f"Test rows by true and predicted class; {wrong:,} lie off the diagonal."
    return {**section, "charts": ["confusion"], "caption": caption, "roomy": len(counts) > 12}


def _importances(drawn: Values) -> Section | None:
    if not drawn["importances"]:
        return None
    return {
        "id": "importances",
        "title": "Which hyperparameters mattered",
        "charts": ["importances"],
        "caption": (
            "Share of the variance of score and of log size over the trials (fANOVA, Optuna). "
            "What the sampler tried most is known best: these are no experiments."
        ),
    }


def _parallel(record: Values) -> Section | None:
    if not slices(record):
        return None
    return {
        "id": "parallel",
        "title": "Combinations",
        "charts": ["parallel"],
        "roomy": True,
        "caption": (
            "One line a trial, the best 200: the most important hyperparameters, size and score. "
            "Below an axis: the trial did not use that hyperparameter."
        ),
    }


def _slices(record: Values) -> Section | None:
    if not slices(record):
        return None
    return {
        "id": "slices",
        "title": "One hyperparameter at a time",
        "control": "Hyperparameter",
        "charts": ["slice"],
        "caption": "Scores of all trials that used it, by its value.",
    }


def _curves(drawn: Values) -> Section | None:
    if not drawn["curves"]:
        return None
    return {
        "id": "curves",
        "title": "Learning curves of the smallest models",
        "charts": ["curves"],
        "caption": "Training stops as soon as the search target is reached, or cannot be any more.",
    }


def _budget(record: Values) -> Section | None:
    if not record.get("spent"):
        return None
    rows = [
        (part["outcome"], part["trials"], part["epochs"], round(part["seconds"]))
        for part in record["spent"]
    ]
    return {
        "id": "budget",
        "title": "Where the budget went",
        "charts": ["budget"],
        "caption": "A rejected model was counted and never trained.",
        "table": {"columns": ("outcome", "trials", "epochs", "seconds"), "rows": rows},
    }


def _layers(summary: Values, record: Values) -> Section | None:
    if not record.get("layers"):
        return None
    names = ("name", "type", "output", "settings", "parameters")
    rows = [tuple(layer[name] for name in names) for layer in record["layers"]]
    selected = summary["selected"]
    steps = ", ".join(record.get("preprocessing", ()))
    beside = f" Its preprocessing travels with it: {steps}." if steps else ""
    return {
        "id": "layers",
        "title": "The selected model",
        "caption": (
            f"{selected['parameter_count']:,} parameters, "
            f"{selected['trainable_parameter_count']:,} of them trainable.{beside}"
        ),
        "table": {"columns": names, "rows": rows},
    }


def _trials(record: Values) -> Section:
    left_out = record.get("left_out") or 0
    caption = f"{left_out:,} more were rejected untrained and are not listed." if left_out else ""
    return {"id": "trials", "title": "All trials", "trials": True, "caption": caption}


def _repeat(summary: Values, record: Values) -> Section:
    found = record.get("provenance") or {}
    versions = found.get("versions", {})
    rows = [
        ("seed", str(summary.get("seed", ""))),
        ("engine, sampler", _joined(summary, "engine", "sampler")),
        ("trainer, backend", _joined(summary, "trainer", "backend")),
        ("margin", f"{summary['margin']:g} standard errors"),
        ("rows: train, validation, test", ", ".join(f"{n:,}" for n in summary["rows"].values())),
        ("data fingerprint", str(found.get("data", ""))),
        *((name, version) for name, version in versions.items()),
    ]
    return {
        "id": "repeat",
        "title": "How to repeat it",
        "code": found.get("command", ""),
        "table": {"columns": ("what", "value"), "rows": [row for row in rows if row[1]]},
    }


def _joined(summary: Values, *names: str) -> str:
    return ", ".join(str(summary[name]) for name in names if summary.get(name))
