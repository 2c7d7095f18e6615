"""Loads and preprocesses a pipeline's data, and refuses what cannot be trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import InputError, in_one_line
from ..metrics import metric
from ..nests import arrays, first_rows
from ..pipeline import Pipeline
from . import Data
from .batches import in_arrays
from .checks import check_data

if TYPE_CHECKING:
    from . import Split


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A pipeline's data as it came, and as its models take it."""

    raw: Data
    data: Data


def prepare(pipeline: Pipeline) -> Prepared:
    """Run the pipeline's data and preprocessing steps.

    Raises InputError where a step fails or what it returns cannot be trained on.
    """
    measured = metric(pipeline.metric)
    raw = in_arrays(_step(pipeline, "data", pipeline.data), ordered=pipeline.chronological)
    preprocessing = pipeline.preprocessing
    data = _step(pipeline, "preprocessing", lambda: preprocessing(raw)) if preprocessing else raw
    check_data(data, measured)
    return Prepared(raw=raw, data=_plain(data))


def with_row_shape(pipeline: Pipeline, prepared: Prepared) -> Pipeline:
    """The pipeline with the shape of its rows, by which a model is built that does not name it."""
    row = arrays(first_rows(prepared.data.train[0], 1))
    plain = isinstance(row, np.ndarray) and row.dtype.kind in "fiub"
    return replace(pipeline, row_shape=row.shape[1:] if plain else None)


def without_test(data: Data) -> Data:
    """What a search gets: the test split stays behind."""
    nothing: Split = (None, None)
    return replace(data, test=nothing)


def _plain(data: Data) -> Data:
    """The same splits, with data frames as floats whose numbers NumPy would take for objects.

    It does so with those that may be missing (Int64), and with truths beside numbers, which
    `get_dummies` makes.
    """
    import keras

    train, validation, test = (
        keras.tree.map_structure(_floats, split)
        for split in (data.train, data.validation, data.test)
    )
    return replace(data, train=train, validation=validation, test=test)


def _floats(values: Any) -> Any:
    if not hasattr(values, "dtypes") or np.asarray(values[:1]).dtype != object:
        return values
    numbers = all(getattr(each, "kind", "O") in "biuf" for each in np.ravel(values.dtypes))
    return values.astype(float) if numbers else values


def _step(pipeline: Pipeline, name: str, step: Callable[[], Any]) -> Data:
    try:
        data = step()
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        problem = in_one_line(error)
        raise InputError(
            f"The {name} step of pipeline {pipeline.name!r} failed: {problem}."
        ) from error
    if not isinstance(data, Data):
        received = type(data).__name__
        raise InputError(
            f"The {name} step of pipeline {pipeline.name!r} must return Data, received {received}."
        )
    return data
