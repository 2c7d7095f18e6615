"""Loads and preprocesses a pipeline's data, and refuses what cannot be trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import InputError, in_one_line
from ..metrics import metric
from ..pipeline import Data, Pipeline
from .batches import in_arrays
from .checks import check_data

if TYPE_CHECKING:
    from ..pipeline import Split


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
    return Prepared(raw=raw, data=data)


def without_test(data: Data) -> Data:
    """What a search gets: the test split stays behind."""
    nothing: Split = (None, None)
    return replace(data, test=nothing)


def _step(pipeline: Pipeline, name: str, step: Callable[[], Any]) -> Data:
    try:
        data = step()
    except InputError:
        raise
    except Exception as error:
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
