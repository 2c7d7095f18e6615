"""What data a search has seen, as MLflow datasets with a digest over every row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..fingerprint import of_rows
from .store import mlflow, quietly

if TYPE_CHECKING:
    from ..pipeline import Data, Split


def datasets(data: Data, *, name: str) -> list[mlflow.entities.DatasetInput]:
    """The train and the validation split for a run's inputs; the test split is not looked at."""
    return [
        _dataset(data.train, name=f"{name} train", context="training"),
        _dataset(data.validation, name=f"{name} validation", context="validation"),
    ]


def _dataset(split: Split, *, name: str, context: str) -> mlflow.entities.DatasetInput:
    inputs, labels = split
    marks = {"name": name, "digest": of_rows(split)}  # MLflow's own stops after 10,000 rows
    with quietly():
        if isinstance(inputs, pd.DataFrame):
            dataset = mlflow.data.from_pandas(inputs, **marks)
        else:
            nested = isinstance(inputs, dict | list | tuple)
            features: Any = dict(_leaves(inputs)) if nested else np.asarray(inputs)
            dataset = mlflow.data.from_numpy(features, targets=np.asarray(labels), **marks)
    tag = mlflow.entities.InputTag("mlflow.data.context", context)
    return mlflow.entities.DatasetInput(dataset._to_mlflow_entity(), tags=[tag])


def _leaves(values: Any, name: str = "input") -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    if isinstance(values, pd.DataFrame):
        values = {str(column): values[column] for column in values}
    if isinstance(values, Mapping):
        for inner, each in values.items():
            yield from _leaves(each, f"{name}.{inner}")
    elif isinstance(values, list | tuple):
        for inner, each in enumerate(values):
            yield from _leaves(each, f"{name}.{inner}")
    else:
        yield name, np.asarray(values)
