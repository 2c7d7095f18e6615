"""Reads from MLflow what the report of a search is made of, whatever version recorded it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from ..champions import registry
from ..runs import provenance
from ..runs.child_runs import ONE_PER_TRIAL, TRIAL, children
from ..runs.searches import summary
from ..runs.store import FAILURES, mlflow
from ..trials import FinishedTrial, TrialState
from . import Record, Summary
from .record import CURVES, FILE, record


def read(client: mlflow.MlflowClient, run: mlflow.entities.Run) -> tuple[Summary, Record]:
    """The summary of a search and the record of its report; one of an older version is made anew.

    Raises InputError where the run has no summary.
    """
    found = summary(run)
    return found, kept(run) or _made_anew(client, run, found)


def kept(run: mlflow.entities.Run) -> Record | None:
    """The record that a search has kept; None of a search of an older version."""
    try:
        found: Record = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{FILE}")
    except FAILURES:
        return None
    return found


def _made_anew(client: mlflow.MlflowClient, run: mlflow.entities.Run, found: Summary) -> Record:
    found_runs = children(client, run.info.experiment_id, run.info.run_id)
    runs = [each for each in found_runs if TRIAL in each.data.tags]
    known = {rung["trial"] for rung in found["ladder"][:CURVES]}
    trials = [_trial(client, each, curve=int(each.data.tags[TRIAL]) in known) for each in runs]
    ids = {int(each.data.tags[TRIAL]): each.info.run_id for each in runs}
    return record(
        found,
        trials,
        ids,
        champion=registry.champion(client, found["pipeline"]),
        provenance=provenance.record(run.data.tags, run.data.params.get("data", "")),
    )


def _trial(client: mlflow.MlflowClient, run: mlflow.entities.Run, *, curve: bool) -> FinishedTrial:
    tags, metrics = run.data.tags, run.data.metrics
    size, trainable, score, epochs, seconds = (metrics.get(name) for name in ONE_PER_TRIAL)
    history = client.get_metric_history(run.info.run_id, "epoch_score") if curve else []
    return FinishedTrial(
        number=int(tags[TRIAL]),
        state=TrialState(tags["state"]),
        hyperparameters=_values(run.data.params),
        parameter_count=int(size or 0),
        trainable_parameter_count=int(trainable or 0),
        seed=int(tags.get("seed", 0)),
        reached=tags.get("reached_target") == "true",
        score=score,
        history={"score": [each.value for each in history]},
        epochs=int(epochs or 0),
        seconds=seconds or 0.0,
        reason=tags.get("reason", ""),
    )


def _values(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Numbers, booleans and text, as MLflow's text says them."""
    return {name: _value(text) for name, text in parameters.items()}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
