"""Turns finished trials into MLflow child runs and writes many of them in few transactions."""

from __future__ import annotations

import math
import posixpath
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

from ..errors import redacted
from ..figures import figure
from ..trials import FinishedTrial, TrialState
from .store import mlflow

MODEL = "occam.model_uri"  # the tag that holds the address of a trial's logged model
TRIAL = "occam.trial"  # the tag that holds a child run's trial number
PAGE = 1000  # runs read at once
ONE_PER_TRIAL = ("parameter_count", "trainable_parameter_count", "score", "epochs", "seconds")
NOT_OF_EPOCHS = (*ONE_PER_TRIAL, "projected_score", "test_score", "lower_bound")
LONGEST_VALUE = 6000  # characters of a parameter; tags may have 8,000
LARGEST = 1.7976931348623157e308  # what MLflow's tables hold instead of infinity

Metric = tuple[str, float, int, int]  # key, value, timestamp, step


@dataclass(frozen=True, kw_only=True)
class ChildRun:
    """One trial as MLflow records it."""

    number: int
    name: str
    status: str
    start_time: int  # milliseconds since 1970, as all times of MLflow
    end_time: int
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    metrics: Sequence[Metric]


def child_run(finished: FinishedTrial, *, parent: str, tags: Mapping[str, str]) -> ChildRun:
    """The child run of a trial that has ended."""
    end = round((finished.ended or time.time()) * 1000)
    start = end - round(finished.seconds * 1000)
    return ChildRun(
        number=finished.number,
        name=run_name(finished),
        status="FAILED" if finished.state is TrialState.FAIL else "FINISHED",
        start_time=start,
        end_time=end,
        tags={**tags, **_tags(finished), "mlflow.parentRunId": parent},
        parameters=_parameters(finished.hyperparameters),
        metrics=[*_epoch_metrics(finished, start, end), *_metrics(finished, end)],
    )


def run_name(finished: FinishedTrial) -> str:
    """Name of a trial's run: "trial 12 · 784", with the score of one that reached."""
    name = f"trial {finished.number} · {finished.parameter_count:,}"
    if not finished.reached or finished.score is None:
        return name
    return f"{name} · {figure(finished.score)}"


def key(name: str) -> str:
    """A name that MLflow takes for a metric, parameter or tag."""
    known = re.sub(r"[^\w\-. :/]", "_", name)[:250]
    is_path = posixpath.normpath(known) == known and not known.startswith(("/", ".."))
    return known if is_path else known.replace("/", "_")


def text(anything: object) -> str:
    """A value as MLflow stores it; passwords in addresses are left out."""
    return redacted(str(anything))[:LONGEST_VALUE]


def run_tags(values: Mapping[str, str]) -> list[mlflow.entities.RunTag]:
    """Tags as `log_batch` takes them."""
    return [mlflow.entities.RunTag(name, text(value)) for name, value in values.items()]


def write(
    client: mlflow.MlflowClient, experiment: mlflow.entities.Experiment, runs: Sequence[ChildRun]
) -> dict[int, str]:
    """Write as many of these child runs as one go takes; the run of each trial written.

    In MLflow's own database that is all of them in one transaction. Its interface takes six
    transactions and 20 to 50 milliseconds a trial: more than a trial in a population trains.
    """
    store = client._tracking_client.store
    if hasattr(store, "ManagedSessionMaker"):
        return _insert(store, experiment, runs)
    return {runs[0].number: _log(client, experiment.experiment_id, runs[0])}


def read(
    client: mlflow.MlflowClient, experiment_id: str, parent: str, *, mend: bool = True
) -> dict[int, str]:
    """The run of each trial under a parent.

    Args:
        mend: remove those that were cut off while being written, as no other process is writing.
    """
    store, found = client._tracking_client.store, {}
    if hasattr(store, "ManagedSessionMaker"):
        known = _selected(store, parent)
    else:
        runs = children(client, experiment_id, parent)
        known = [(run.info.run_id, run.data.tags.get(TRIAL), run.info.status) for run in runs]
    for run_id, number, status in known:
        if number is None:  # somebody else's
            continue
        if status != "RUNNING":
            found[int(number)] = run_id
        elif mend:
            client.delete_run(run_id)
    return found


def children(
    client: mlflow.MlflowClient, experiment_id: str, parent: str
) -> list[mlflow.entities.Run]:
    """All runs under a parent, those that were cut off included."""
    condition, found, token = f"tags.`mlflow.parentRunId` = '{parent}'", [], None
    while True:
        page = client.search_runs([experiment_id], condition, max_results=PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _parameters(hyperparameters: Mapping[str, Any]) -> dict[str, str]:
    """As MLflow keeps them: names that are one there are numbered."""
    found: dict[str, str] = {}
    for name, value in hyperparameters.items():
        known = key(name)
        others = (f"{known[:240]} {number}" for number in count(2))
        found[next(each for each in chain([known], others) if each not in found)] = text(value)
    return found


def _tags(finished: FinishedTrial) -> dict[str, str]:
    tags = {
        TRIAL: str(finished.number),
        "state": finished.state.value,
        "reached_target": str(finished.reached).lower(),
        "seed": str(finished.seed),
    }
    if finished.parent is not None:
        tags["parent_trial"] = str(finished.parent)
    if finished.reason:
        tags["reason"] = text(finished.reason)
    if finished.error:
        tags["error"] = text(finished.error)
        tags["mlflow.note.content"] = f"```\n{text(finished.error)}\n```"
    return tags


def _metrics(finished: FinishedTrial, timestamp: int) -> list[Metric]:
    step = max((len(values) for values in finished.history.values()), default=0)
    values = {name: getattr(finished, name) for name in ONE_PER_TRIAL}
    values["projected_score"] = finished.projected_score
    return [
        (name, float(each), timestamp, step) for name, each in values.items() if each is not None
    ]


def _epoch_metrics(finished: FinishedTrial, start: int, end: int) -> list[Metric]:
    """One value an epoch; the epochs' scores are kept apart from the score of the trial."""
    return [
        (
            f"epoch_{name}" if name in NOT_OF_EPOCHS else key(name),
            float(each),
            start + (end - start) * step // len(values),
            step,
        )
        for name, values in finished.history.items()
        for step, each in enumerate(values, start=1)
    ]


def _selected(store: Any, parent: str) -> list[tuple[str, str, str]]:
    """Run, trial and status of each child: MLflow's own search reads all metrics of all of them."""
    from mlflow.store.tracking.dbmodels.models import SqlRun, SqlTag
    from sqlalchemy import select
    from sqlalchemy.orm import aliased

    trial, of = aliased(SqlTag), aliased(SqlTag)
    query = (
        select(SqlRun.run_uuid, trial.value, SqlRun.status)
        .join(trial, (trial.run_uuid == SqlRun.run_uuid) & (trial.key == TRIAL))
        .join(of, (of.run_uuid == SqlRun.run_uuid) & (of.key == "mlflow.parentRunId"))
        .where(of.value == parent, SqlRun.lifecycle_stage == "active")
    )
    with store.ManagedSessionMaker(read_only=True) as session:
        return [tuple(row) for row in session.execute(query)]


def _insert(
    store: Any, experiment: mlflow.entities.Experiment, runs: Sequence[ChildRun]
) -> dict[int, str]:
    """One INSERT a table: 1 millisecond a trial, where MLflow's objects take 20 and more."""
    from mlflow.store.tracking.dbmodels import models
    from sqlalchemy import insert

    ids = {run.number: uuid.uuid4().hex for run in runs}
    rows: dict[Any, list[dict[str, Any]]] = {
        models.SqlRun: [_run_row(run, ids[run.number], experiment) for run in runs],
        models.SqlTag: [],
        models.SqlParam: [],
        models.SqlMetric: [],
        models.SqlLatestMetric: [],
    }
    for run in runs:
        owner = {"run_uuid": ids[run.number]}
        tags = {"mlflow.runName": run.name, **run.tags}
        metrics = [_metric_row(each) | owner for each in run.metrics]
        rows[models.SqlTag] += _pairs(tags, owner)
        rows[models.SqlParam] += _pairs(run.parameters, owner)
        rows[models.SqlMetric] += metrics
        rows[models.SqlLatestMetric] += {row["key"]: row for row in metrics}.values()
    with store.ManagedSessionMaker(read_only=False) as session:
        for table, records in rows.items():
            if records:
                session.execute(insert(table), records)
    return ids


def _run_row(run: ChildRun, run_id: str, experiment: mlflow.entities.Experiment) -> dict[str, Any]:
    return {
        "run_uuid": run_id,
        "name": run.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": run.tags.get("mlflow.user", "unknown"),
        "status": run.status,
        "start_time": run.start_time,
        "end_time": run.end_time,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": f"{experiment.artifact_location}/{run_id}/artifacts",
        "experiment_id": int(experiment.experiment_id),
    }


def _metric_row(metric: Metric) -> dict[str, Any]:
    name, number, timestamp, step = metric
    is_nan = math.isnan(number)
    number = 0.0 if is_nan else max(min(number, LARGEST), -LARGEST)
    return {"key": name, "value": number, "timestamp": timestamp, "step": step, "is_nan": is_nan}


def _pairs(values: Mapping[str, str], owner: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": name, "value": each, **owner} for name, each in values.items()]


def _log(client: mlflow.MlflowClient, experiment_id: str, run: ChildRun) -> str:
    """Through MLflow's interface, for a tracking server."""
    created = client.create_run(
        experiment_id, start_time=run.start_time, tags=dict(run.tags), run_name=run.name
    )
    run_id = str(created.info.run_id)
    client.log_batch(
        run_id,
        metrics=[mlflow.entities.Metric(*each) for each in run.metrics],
        params=[mlflow.entities.Param(*each) for each in run.parameters.items()],
    )
    client.set_terminated(run_id, run.status, run.end_time)
    return run_id
