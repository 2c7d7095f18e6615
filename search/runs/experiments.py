"""The MLflow experiment of a pipeline, and where its files are."""

from __future__ import annotations

from ..errors import InputError, redacted
from . import moved
from .store import mlflow, sqlite_file


def experiment(client: mlflow.MlflowClient, uri: str, name: str) -> mlflow.entities.Experiment:
    """The experiment of a pipeline, made where there is none; it opens as model training."""
    if (found := usable(client, uri, name)) is not None:
        return found
    database = sqlite_file(uri)
    place = (database.resolve().parent / "artifacts").as_uri() if database else None
    tags = {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": "parameter_count",
        "mlflow.experiment.primaryMetric.greaterIsBetter": "false",
    }
    try:
        identity = client.create_experiment(name, artifact_location=place, tags=tags)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":  # another search was a moment faster
            raise
        return client.get_experiment_by_name(name)
    return client.get_experiment(identity)


def usable(client: mlflow.MlflowClient, uri: str, name: str) -> mlflow.entities.Experiment | None:
    """The experiment of a pipeline; None where there is none yet.

    Raises InputError where it was deleted, or where its files are gone.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        return None
    if found.lifecycle_stage != "active":
        raise InputError(
            f"Experiment {name!r} was deleted in MLflow: bring it back with "
            f"`MLFLOW_TRACKING_URI={redacted(uri)} mlflow experiments restore --experiment-id "
            f"{found.experiment_id}`."
        )
    if sqlite_file(uri) is not None:
        _check_place(found)
    return found


def _check_place(experiment: mlflow.entities.Experiment) -> None:
    """Nothing is written where a folder once was that has been moved away."""
    if not experiment.artifact_location.startswith("file:"):
        return
    place = moved.place(experiment.artifact_location)
    if not place.parent.exists():
        raise InputError(
            f"Experiment {experiment.name!r} keeps its files in {place}, which is gone: bring it "
            f"back, move it to `{moved.ARTIFACTS}` beside the database, or give another store "
            "with --tracking-uri."
        )
