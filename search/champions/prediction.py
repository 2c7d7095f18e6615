"""Predictions of the champion for a file of raw inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..backend import standard_error_held_back
from ..data import inputs
from ..errors import InputError
from ..runs.store import connect, mlflow, one_line, quietly, reaching


def predict(uri: str, pipeline: str, source: Path, output: Path | None) -> Path:
    """Write what the champion predicts for each row of a CSV, .npz file or image folder.

    Args:
        output: a CSV file; default: the input's name with `.predictions.csv`, in the working
            directory.
    """
    target = output or Path(f"{source.stem}.predictions.csv")
    _check_files(source, target)
    connect(uri)
    model = _champion(uri, pipeline)
    rows = inputs.read(source, model.metadata.get_input_schema())
    try:
        table = model.predict(rows.inputs)
    except InputError:
        raise
    except Exception as error:  # whatever the pipeline's own preprocessing raises
        raise InputError(
            f"The champion of {pipeline!r} cannot use {source}: {one_line(error)}. "
            "Give it inputs in the form that the pipeline's `data` returns."
        ) from error
    if rows.files:
        table.insert(0, "file", rows.files)
    table.to_csv(target, index=False)
    return target


def _check_files(source: Path, target: Path) -> None:
    if not source.exists():
        raise InputError(f"Input {str(source)!r} does not exist.")
    if not target.resolve().parent.is_dir():
        raise InputError(f"Folder {str(target.resolve().parent)!r} of the output does not exist.")
    if target.is_dir() or target.resolve() == source.resolve():
        raise InputError(f"Output {str(target)!r} cannot be written: give the name of a new file.")


def _champion(uri: str, pipeline: str) -> Any:
    with reaching(uri):
        try:
            mlflow.MlflowClient(uri).get_model_version_by_alias(pipeline, "champion")
        except mlflow.exceptions.MlflowException as error:
            raise InputError(
                f"{pipeline!r} has no champion: run `occam search {pipeline}`, "
                f"then `occam promote {pipeline}`."
            ) from error
        with quietly(), standard_error_held_back():
            return mlflow.pyfunc.load_model(f"models:/{pipeline}@champion")
