"""The model that is to be promoted, what is known of it, and whether it may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError, Refused
from ..figures import figure
from ..metrics import direction
from ..runs.child_runs import MODEL, TRIAL
from ..runs.searches import SEARCH, last_search, summary
from ..runs.store import mlflow
from ..selection import HELD
from . import registry
from .comparison import Comparison

COMPARED = ("target", "test_score", "parameter_count")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A trial's model with what is known of it."""

    pipeline: str
    run_id: str
    search: str  # parent run
    trial: str
    metric: str
    target: float
    parameter_count: int
    test_score: float  # not a number: it never saw the test split
    lower_bound: float
    verdict: str
    model_uri: str | None
    data: str = ""  # fingerprint of all its rows

    def describe(self) -> str:
        """The model in one clause."""
        test = f"test {self.metric} {figure(self.test_score)}, {self.verdict} {self.target:g}"
        if math.isnan(self.test_score):
            test = "no test score"
        return f"trial {self.trial}, {self.parameter_count:,} parameters, {test}"

    def check_logged(self) -> None:
        """Raises InputError where MLflow lacks the model of this trial, or its files."""
        if self.model_uri is None:
            raise InputError(
                f"Trial {self.trial} has no logged model: only trials on the ladder have one, "
                f"see `occam results {self.pipeline}`."
            )
        registry.check_files(self.model_uri, f"trial {self.trial}")

    def tags(self) -> dict[str, str]:
        """What the registry keeps beside the version."""
        names = ("target", "metric", "parameter_count", "test_score", "lower_bound", "verdict")
        values = {name: getattr(self, name) for name in (*names, "search", "trial", "data")}
        known = {name: value for name, value in values.items() if value == value}  # not NaN
        return {name: str(value) for name, value in known.items() if value != ""}


def candidate(client: mlflow.MlflowClient, pipeline: str | None, run_id: str | None) -> Candidate:
    """The model to promote: the one that a search selected, or that of one trial."""
    if run_id is None:
        return _of_trial(client, _selected(last_search(client, pipeline)))
    run = _run(client, run_id)
    if SEARCH in run.data.tags:
        found = _of_trial(client, _selected(summary(run)))
    elif TRIAL in run.data.tags:
        found = _of_trial(client, run_id)
    else:
        raise InputError(f"Run {run_id} is neither a search nor a trial of Occam's.")
    if pipeline is not None and pipeline != found.pipeline:
        raise InputError(f"Run {run_id} belongs to {found.pipeline!r}, not to {pipeline!r}.")
    return found


def unproven(candidate: Candidate) -> str:
    """Why nothing shows that a model holds its target; empty where something does."""
    goal = f"{candidate.metric} {candidate.target:g}"
    if math.isnan(candidate.test_score):
        return (
            f"trial {candidate.trial} never saw the test split, so nothing shows it holds {goal}."
        )
    holds = direction(candidate.metric).reaches(candidate.test_score, candidate.target)
    if candidate.verdict not in HELD or not holds:
        return (
            f"trial {candidate.trial} has {figure(candidate.test_score)} on test data, not {goal}."
        )
    return ""


def not_better(
    candidate: Candidate, champion: Mapping[str, str], rows: Comparison | None = None
) -> str:
    """Why the champion stays; empty where the candidate is to replace it.

    Args:
        champion: tags of its version.
        rows: how both do on the same test rows, where that is known.
    """
    numbers = {name: registry.number(champion, name) for name in COMPARED}
    known = {"metric": champion.get("metric"), **numbers}
    if missing := [name for name, value in known.items() if value is None]:
        return f"the present version has no {', '.join(missing)} to be compared with."
    if champion["metric"] != candidate.metric:
        return f"the present version was measured by {champion['metric']}, not {candidate.metric}."
    measured = direction(candidate.metric)
    new = candidate.test_score
    old, target = float(champion["test_score"]), float(champion["target"])
    count, old_count = candidate.parameter_count, int(float(champion["parameter_count"]))
    if not measured.reaches(new, target):
        return (
            f"its test {candidate.metric} {figure(new)} does not reach the champion's {target:g}."
        )
    if not measured.reaches(old, candidate.target):
        return ""
    if count < old_count:
        return _inferior(rows, spare(candidate, champion))
    if count == old_count and measured.better(new, old):
        return _no_better(rows)
    return (
        f"the champion holds this target too with {old_count:,} parameters and test "
        f"{candidate.metric} {figure(old)}; this model has {count:,} and {figure(new)}."
    )


def spare(candidate: Candidate, champion: Mapping[str, str]) -> float:
    """By how much the champion is better than the target: what a smaller model may lose."""
    measured = direction(candidate.metric)
    return max(
        measured.error(candidate.target) - measured.error(float(champion["test_score"])), 0.0
    )


def _inferior(rows: Comparison | None, tolerance: float) -> str:
    """A smaller model may be worse, as long as that cannot cost it the target."""
    if rows is None or not rows.is_worse() or rows.not_inferior(tolerance):
        return ""
    return (
        f"it is smaller and shown to be worse: {rows.describe()}, where the champion has "
        f"{figure(tolerance)} to spare."
    )


def _no_better(rows: Comparison | None) -> str:
    """A model of the same size has to be shown to be better, where that can be tested."""
    if rows is None or rows.is_better():
        return ""
    return f"it is as small and not shown to be better: {rows.describe()}."


def _run(client: mlflow.MlflowClient, run_id: str) -> mlflow.entities.Run:
    try:
        run = client.get_run(run_id)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code not in registry.ABSENT:
            raise
        raise InputError(
            f"There is no run {run_id!r} in this store: copy an ID from MLflow or from "
            "`occam results --format csv`."
        ) from error
    if run.info.lifecycle_stage == "deleted":
        raise InputError(f"Run {run_id} was deleted: restore it in MLflow, or take another.")
    return run


def _selected(found: Mapping[str, Any]) -> str:
    if found["selected"] is None:
        raise Refused(
            f"Not promoted: the search of {found['pipeline']!r} selected no model, none reached "
            f"{found['metric']} {found['target']:g} with its margin. Search on with more --trials."
        )
    return str(found["selected"]["run_id"])


def _of_trial(client: mlflow.MlflowClient, run_id: str) -> Candidate:
    run = _run(client, run_id)
    tags, metrics = run.data.tags, run.data.metrics
    search = client.get_run(tags["mlflow.parentRunId"])
    experiment = client.get_experiment(run.info.experiment_id).name  # may be called otherwise now
    return Candidate(
        pipeline=search.data.params.get("pipeline", experiment),
        run_id=run_id,
        search=search.info.run_id,
        trial=tags[TRIAL],
        metric=search.data.tags["metric"],
        target=float(search.data.tags["target"]),
        parameter_count=int(metrics["parameter_count"]),
        test_score=metrics.get("test_score", math.nan),
        lower_bound=metrics.get("lower_bound", math.nan),
        verdict=tags.get("verdict", "not opened"),
        model_uri=tags.get(MODEL),
        data=search.data.params.get("data", ""),
    )
