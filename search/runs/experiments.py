"""The MLflow experiment of a pipeline, and where its files are."""

from __future__ import annotations

from ..errors import InputError
from . import moved
from .store import mlflow, sqlite_file


def experiment(client: mlflow.MlflowClient, uri: str, name: str) -> mlflow.entities.Experiment:
    """The experiment of a pipeline, made where there is none; it opens as model training."""
    found = client.get_experiment_by_name(name)
    if found is not None and found.lifecycle_stage != "active":
        raise InputError(
            f"Experiment {name!r} was deleted in MLflow: bring it back with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`."
        )
    database = sqlite_file(uri)
    if found is not None:
        if database is not None:
            _check_place(found)
        return found
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
