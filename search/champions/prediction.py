"""Predictions of the champion for a file of raw inputs."""

from __future__ import annotations

import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..backend import standard_error_held_back
from ..data import inputs
from ..errors import InputError, first_line
from ..runs.store import connect, loading, mlflow, quietly, reaching
from . import registry

SHOWN = 3  # rows named in a message


def predict(uri: str, pipeline: str, source: Path, output: Path | None) -> Path:
    """Write what the champion predicts for each row of a table, .npz file or image folder.

    Rows that have no prediction are said on standard error.

    Args:
        output: a CSV file; default: the input's name with `.predictions.csv`, in the working
            directory.
    """
    target = output or Path(f"{source.stem}.predictions.csv")
    _check_files(source, target)
    model = _champion(uri, pipeline)
    rows = inputs.read(source, model.metadata.get_input_schema())
    try:
        with warnings.catch_warnings(record=True, action="always") as said:
            table = _predicted(model, rows)
    except InputError:
        raise
    except Exception as error:  # whatever the pipeline's own preprocessing raises
        raise InputError(
            f"The champion of {pipeline!r} cannot use {source}: {first_line(error)}. "
            "Give it inputs in the form that the pipeline's `data` returns."
        ) from error
    unpredicted = np.asarray(table.isna().any(axis=1) | rows.unusable)
    if unpredicted.any():
        table = _with_room(table)
        table.loc[unpredicted] = None
    if rows.files:
        table.insert(0, "file", pd.Series(rows.files, table.index, dtype=object))  # any bytes
    try:
        table.to_csv(target, index=False, errors="surrogateescape")  # as files are called
    except OSError as error:
        raise InputError(
            f"Output {target} cannot be written: {error.strerror or error}."
        ) from error
    _pass_on([str(each.message) for each in said])
    _tell(np.flatnonzero(unpredicted) + 1, len(table))
    return target


def _predicted(model: Any, rows: inputs.RawRows) -> Any:
    """The champion's table; nothing in rows with missing numbers that its preprocessing refuses."""
    try:
        return model.predict(rows.inputs)
    except Exception:
        known = ~rows.incomplete()
        if known.all() or not known.any():
            raise
        table = _with_room(model.predict(rows.some(known)))
        return table.set_index(np.flatnonzero(known)).reindex(range(len(known)))


def _pass_on(said: list[str]) -> None:
    """What the preprocessing of a table of one's own warns of, each line once.

    By its words: its code travels with the model, where no class of warnings is ours.
    """
    for line in dict.fromkeys(said):
        if line.startswith("Column "):
            print(f"occam: {line}", file=sys.stderr)


def _with_room(table: Any) -> Any:
    """The table, whose whole numbers stay whole where others are missing."""
    return table.astype({name: object for name in table if table[name].dtype.kind in "biu"})


def _tell(rows: np.ndarray[Any, Any], total: int) -> None:
    """Say in one line which rows have no prediction, if any has none."""
    if len(rows):
        listed = ", ".join(map(str, rows[:SHOWN])) + (", ..." if len(rows) > SHOWN else "")
        print(
            f"occam: {len(rows):,} of {total:,} rows have no prediction, as values in them are "
            f"missing, infinite or too large: row {listed} (the first is 1).",
            file=sys.stderr,
        )


def _check_files(source: Path, target: Path) -> None:
    if not source.exists():
        raise InputError(f"Input {str(source)!r} does not exist.")
    if not target.resolve().parent.is_dir():
        raise InputError(f"Folder {str(target.resolve().parent)!r} of the output does not exist.")
    if target.is_dir() or target.resolve() == source.resolve():
        raise InputError(f"Output {str(target)!r} cannot be written: give the name of a new file.")


def _champion(uri: str, pipeline: str) -> Any:
    client = connect(uri)
    with reaching(uri):
        version = registry.version_at(client, pipeline, registry.CHAMPION)
        if version is None:
            raise InputError(
                f"{pipeline!r} has no champion: run `occam search {pipeline}`, "
                f"then `occam promote {pipeline}`."
            )
        registry.check_files(str(version.source), f"the champion of {pipeline!r}")
        with (
            tempfile.TemporaryDirectory() as place,  # MLflow writes to what it loads
            loading(pipeline),
            quietly(),
            standard_error_held_back(),
        ):
            champion = f"models:/{pipeline}@{registry.CHAMPION}"
            return mlflow.pyfunc.load_model(champion, dst_path=place)
