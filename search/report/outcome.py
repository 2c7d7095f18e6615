"""Records the answer of a search where a reviewer looks for it: on its run and its trials' runs."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..runs import child_runs
from ..runs.searches import SUMMARY
from ..runs.store import mlflow
from . import description

Summary = Mapping[str, Any]

OPENED = "occam.opened"  # the tag that counts the models of a search that saw the test split


def keep(client: mlflow.MlflowClient, run_id: str, files: Mapping[str, bytes]) -> None:
    """Keep files among the artifacts of a run."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.write_bytes(content)
            client.log_artifact(run_id, str(path))


def write(
    client: mlflow.MlflowClient,
    experiment_id: str,
    run_id: str,
    summary: Summary,
    found: Mapping[str, Any],
) -> None:
    """Write the summary, what it says in words and numbers, and which trials saw the test split.

    Args:
        found: the record of the report; empty where there is none.
    """
    selected = summary["selected"]
    client.log_text(run_id, json.dumps(summary, indent=2) + "\n", SUMMARY)
    _unmark(client, experiment_id, run_id)
    for model in filter(_has_run, _opened(summary)):
        _mark(client, model, selected=model is selected)
    tags = {
        OPENED: str(max((each["test"]["opened"] for each in _opened(summary)), default=0)),
        "verdict": selected["test"]["verdict"] if selected else "none",
        "mlflow.note.content": description.markdown(summary, found),
    }
    _log(client, run_id, _numbers(summary), tags)
    client.log_batch(run_id, metrics=_incumbents(client, run_id, summary))
    client.update_run(run_id, name=description.headline(summary))
    banner = description.banner(summary, bool(found))
    client.set_experiment_tag(experiment_id, "mlflow.note.content", banner)
    client.set_experiment_tag(experiment_id, *description.view_tag(run_id, summary))


def _opened(summary: Summary) -> list[Mapping[str, Any]]:
    """The models that saw the test split, the selected one last."""
    selected = summary["selected"]
    if selected is None:
        return []
    earlier = [rung for rung in summary["ladder"] if rung.get("test")]
    return [*(rung for rung in earlier if rung["trial"] != selected["trial"]), selected]


def _has_run(model: Mapping[str, Any]) -> bool:
    """Else another process that shares the search still records it, and concludes later."""
    return bool(model["run_id"])


def _mark(client: mlflow.MlflowClient, model: Mapping[str, Any], *, selected: bool) -> None:
    """Say on a model's run what the test split said of it."""
    test, count = model["test"], model["parameter_count"]
    scores = {"test_score": test["score"], "lower_bound": test["lower_bound"]}
    tags = {"verdict": test["verdict"]} | ({"selected": "true"} if selected else {})
    _log(client, model["run_id"], scores, tags)
    name = description.name_of_tested(test["verdict"], count, test["score"], selected=selected)
    client.update_run(model["run_id"], name=name)


def _unmark(client: mlflow.MlflowClient, experiment_id: str, parent: str) -> None:
    """Take the title from the run that an earlier part of this search had selected."""
    condition = f"tags.`mlflow.parentRunId` = '{parent}' AND tags.selected = 'true'"
    for run in client.search_runs([experiment_id], condition):
        client.delete_tag(run.info.run_id, "selected")
        metrics, verdict = run.data.metrics, run.data.tags.get("verdict")
        if verdict is None or "test_score" not in metrics:  # somebody has marked a favourite
            continue
        count, score = metrics["parameter_count"], metrics["test_score"]
        name = description.name_of_tested(verdict, count, score, selected=False)
        client.update_run(run.info.run_id, name=name)


def _log(
    client: mlflow.MlflowClient,
    run_id: str,
    numbers: Mapping[str, float],
    tags: Mapping[str, str],
) -> None:
    """Log tags, and numbers that are new: a search that goes on finishes more than once."""
    known = client.get_run(run_id).data.metrics
    now = round(time.time() * 1000)
    metrics = [
        mlflow.entities.Metric(name, number, now, 0)
        for name, number in numbers.items()
        if known.get(name) != number
    ]
    client.log_batch(run_id, metrics=metrics, tags=child_runs.run_tags(tags))


def _numbers(summary: Summary) -> dict[str, float]:
    selected = summary["selected"]
    found = {f"trials_{state}": number for state, number in summary["trials"].items()}
    found |= {name: summary[name] for name in ("epochs_trained", "seconds")}
    if selected:
        found["parameter_count"] = selected["parameter_count"]
        found["score"] = selected["validation"]
        found["test_score"] = selected["test"]["score"]
        found["lower_bound"] = selected["test"]["lower_bound"]
    return {name: float(number) for name, number in found.items()}


def _incumbents(client: mlflow.MlflowClient, run_id: str, summary: Summary) -> list[Any]:
    """How the smallest model so far fell, over epochs: a chart on the parent's page."""
    started = client.get_run(run_id).info.start_time
    return [
        mlflow.entities.Metric(
            "smallest_parameter_count",
            float(each["parameter_count"]),
            started + round(each["seconds"] * 1000),
            each["epochs_trained"],
        )
        for each in summary["incumbents"]
    ]
