"""Searches that were never run: finished trials of any number, and what a report makes of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from occam.search.report import summarise
from occam.search.report.record import record
from occam.search.selection import TestResult, Verdict, select
from occam.search.trials import FinishedTrial, TrialState

SETTINGS = {
    "pipeline": "digits",
    "metric": "accuracy",
    "target": 0.9,
    "search_target": 0.92,
    "margin": 2.0,
    "engine": "optuna",
    "sampler": "level-set",
    "backend": "tensorflow",
    "seed": 0,
    "trainer": "fit",
    "name": "digits-1",
    "rows": {"train": 800, "validation": 900, "test": 400},
    "seconds": 120.0,
}
AT = {"tracking_uri": "sqlite:///mlflow.db", "experiment_id": "1", "run_id": "f" * 32}
PARTS = {
    "baselines": [{"name": "linear model", "score": 0.91, "trained": True, "parameter_count": 650}],
    "champion": {"version": "3", "parameter_count": 2000, "test_score": 0.93},
    "layers": [
        {
            "name": "dense",
            "type": "Dense",
            "output": "10",
            "settings": "units 10",
            "parameters": 650,
        }
    ],
    "predictions": {"kind": "classes", "names": ["no", "yes"], "counts": [[180, 20], [10, 190]]},
    "provenance": {"command": "occam search digits", "data": "abc", "versions": {"keras": "3"}},
}


def trials(number: int) -> list[FinishedTrial]:
    """Larger models score better; every seventh is rejected, every eleventh fails."""
    rng = np.random.default_rng(0)
    return [_trial(each, rng) for each in range(number)]


def _trial(number: int, rng: np.random.Generator) -> FinishedTrial:
    units, layers = int(rng.integers(2, 200)), int(rng.integers(1, 4))
    size = 64 * units + units * units * (layers - 1) + 10
    score = min(0.99, 0.55 + 0.1 * math.log10(size) + float(rng.normal(0, 0.02)))
    values = {"units": units, "layers": layers, "optimizer": ["adam", "sgd"][number % 2]}
    values["learning_rate"] = float(10 ** rng.uniform(-4, -1))
    values |= {"dropout": 0.1 * (number % 5)} if layers > 1 else {}
    reached = score >= SETTINGS["search_target"]
    state = TrialState.COMPLETE if reached else TrialState.PRUNED
    state = TrialState.FAIL if number % 11 == 10 else state
    state = TrialState.REJECTED if number % 7 == 6 else state
    trained = state in (TrialState.COMPLETE, TrialState.PRUNED)
    return FinishedTrial(
        number=number,
        state=state,
        hyperparameters=values,
        parameter_count=size,
        trainable_parameter_count=size,
        seed=number,
        reached=reached and trained,
        score=score if trained else None,
        history={"score": [score - 0.1, score - 0.05, score]} if trained else {},
        epochs=3 if trained else 0,
        seconds=0.5 if trained else 0.0,
        reason="" if reached else "cannot reach the target",
    )


def search(
    number: int,
    *,
    runs: dict[int, str] | None = None,
    at: dict[str, str] | None = None,
    **changes: Any,
) -> tuple[Any, Any]:
    """Summary and record of a search of so many trials, of which the smallest that reached wins.

    Args:
        runs: the MLflow run of each trial.
        at: where the search itself is, in MLflow.
    """
    from occam.search.metrics import metric

    found = trials(number)
    labels = np.zeros(900)
    ladder = select(found, metric=metric("accuracy"), target=0.9, labels=labels, margin=2.0)
    results = [
        TestResult(
            trial=ladder.rungs[0].number,
            score=0.925,
            correct=370,
            rows=400,
            lower_bound=0.899,
            opened=1,
            verdict=Verdict.HOLDS,
        )
    ]
    runs = runs or {each.number: f"{each.number:032x}" for each in found}
    summary = summarise({**SETTINGS, **changes}, found, ladder, results, runs, {})
    summary["mlflow"] = at or AT
    return summary, record(summary, found, runs, **PARTS)
