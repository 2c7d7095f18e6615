"""All that can be checked and decided before the first epoch."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import fingerprint
from .arrays import Array
from .data.baselines import Baseline, baselines, best, described, modest_target
from .data.preparation import Prepared, prepare, with_row_shape
from .data.repeats import repeated
from .devices import Places
from .errors import InputError
from .metrics import Metric, meaning
from .pipeline import Pipeline
from .references import resolved
from .selection import margin_for, rows_to_show, search_target
from .settings import Asked, Settings, sanitised
from .studies.carrying import Depends
from .training.rehearsal import rehearse


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A search that can start."""

    pipeline: Pipeline
    prepared: Prepared
    metric: Metric
    search_target: float
    standard_error: float  # of the metric at the target, on validation rows
    name: str
    depends: Depends
    fit_space: tuple[Any, ...]  # hyperparameters that the space's own `fit` reads
    data_fingerprint: str
    test_rows: str  # their fingerprint, before any preprocessing: whoever searches, they are these
    warning: str  # what so few rows cannot show; empty where they are enough
    trainer: str  # fit or population
    places: Places
    notes: tuple[str, ...]  # what was found in the data, and what needs no search
    baselines: tuple[Baseline, ...] = ()

    @property
    def labels(self) -> Array:
        """Labels of the validation split."""
        return np.asarray(self.prepared.data.validation[1])


def plan(settings: Settings, asked: Asked) -> Plan:
    """Load and check the data of a pipeline, and check its space with them.

    Raises InputError where any of them cannot be used; nothing is trained or written.
    """
    pipeline, measured, places = asked
    prepared = prepare(pipeline)
    pipeline = with_row_shape(replace(pipeline, groups=_groups(pipeline, prepared)), prepared)
    rehearsed = rehearse(pipeline, prepared, measured)
    pipeline, found, notes = _compared(pipeline, prepared, measured, settings.margin)
    data = fingerprint.of_data(prepared.data)
    trainer, why = _trainer(settings, places, pipeline, prepared)
    depends = _depends(settings, pipeline, data, trainer, rehearsed.code)
    labels = np.asarray(prepared.data.validation[1])
    return Plan(
        pipeline=pipeline,
        prepared=prepared,
        metric=measured,
        search_target=search_target(measured, pipeline.target, labels, settings.margin),
        standard_error=measured.standard_error(pipeline.target, labels),
        name=sanitised(settings.name or f"{pipeline.name}-{depends[:8]}"),
        depends=Depends(space=rehearsed.fingerprint, rest=depends),
        fit_space=rehearsed.fit_space,
        data_fingerprint=data,
        test_rows=fingerprint.of_rows(prepared.raw.test),
        warning=_warning(measured, pipeline.target, labels, settings.margin),
        trainer=trainer,
        places=places,
        notes=(
            *pipeline.notes,
            *repeated(prepared.raw),
            meaning(measured, labels, pipeline.classes, outputs=rehearsed.outputs),
            *(*rehearsed.notes, *notes, *why),
            *_luck(measured, pipeline.target, labels, settings),
        ),
        baselines=tuple(found),
    )


def _compared(
    pipeline: Pipeline, prepared: Prepared, measured: Metric, margin: float
) -> tuple[Pipeline, list[Baseline], list[str]]:
    """What needs no search, as values and in words; it sets the target where none is given."""
    found = baselines(prepared.data, measured, chronological=pipeline.chronological)
    notes = []
    if math.isnan(pipeline.target):
        labels = np.asarray(prepared.data.validation[1])
        target = modest_target(found, measured, labels, margin)
        pipeline = replace(pipeline, target=target)
        strongest = best(found, measured)
        asked = search_target(measured, target, labels, margin)
        shown = "a usual one"
        if strongest is not None and measured.reaches(strongest.score, asked):
            shown = f"which the {strongest.name} can be shown to hold"
        elif strongest is not None:
            shown = "the least there is, as nothing can be shown of a baseline"
        notes.append(f"No --target is given: {measured.name} {target:g}, {shown}.")
    return pipeline, found, notes + described(found, measured, pipeline.target)


def _groups(pipeline: Pipeline, prepared: Prepared) -> Array | None:
    if pipeline.groups is None:
        return None
    groups, rows = np.asarray(pipeline.groups).reshape(-1), len(prepared.data.test[1])
    if len(groups) != rows:
        raise InputError(
            f"groups of a Pipeline are those of the test rows, {rows:,}, received {len(groups):,}."
        )
    return groups


def _trainer(
    settings: Settings, places: Places, pipeline: Pipeline, prepared: Prepared
) -> tuple[str, list[str]]:
    """What trains most trials: a population where the default model can be part of one.

    With a line that says why where it cannot.
    """
    if settings.trainer == "fit":
        return "fit", []
    if settings.trainer == "auto" and (not places.here or settings.engine != "optuna"):
        return "fit", []
    problem = _no_population(pipeline, len(np.asarray(prepared.data.train[1])))
    if not problem:
        return "population", []
    if settings.trainer == "population":
        raise InputError(
            f"--trainer population cannot be used for {pipeline.name!r}: {problem}. "
            "Give --trainer fit, or leave it out."
        )
    return "fit", [f"Trained one at a time, by fit: {problem}."]


def _no_population(pipeline: Pipeline, rows: int) -> str:
    """Why the default model of a space cannot be trained in a population; empty where it can."""
    if importlib.util.find_spec("jax") is None:
        return "JAX is not installed"
    from .training.population.errors import Unsupported
    from .training.population.templates import member_of

    try:
        member_of(pipeline, {}, rows)
    except Unsupported as reason:
        return f"there is no population of models with {reason}"
    return ""


def _depends(
    settings: Settings, pipeline: Pipeline, data: str, trainer: str, code: Mapping[str, str]
) -> str:
    name = pipeline.metric
    if ":" in name:
        own = resolved(name, "Metric")
        code = {**code, name: fingerprint.code_of(own)}
        if (error := getattr(own, "standard_error", None)) is not None:
            code[f"{name} standard_error"] = fingerprint.code_of(error)
    return fingerprint.of_values(
        data=data,
        target=pipeline.target,
        metric=pipeline.metric,
        epochs=pipeline.epochs,
        batch_size=pipeline.batch_size,
        margin=settings.margin,
        seed=settings.seed,
        engine=settings.engine,
        sampler=settings.sampler,
        trainer=trainer,
        backend=settings.backend,
        **({"code": code} if code else {}),
    )


def _luck(measured: Metric, target: float, labels: Array, settings: Settings) -> list[str]:
    """A line where so many trials are asked for that the usual margin lets luck through."""
    trials, margin = settings.budget.trials or 0, settings.margin
    enough = margin_for(trials, metric=measured, target=target, labels=labels, margin=margin)
    if not 0 < margin < enough:
        return []
    return [
        f"Among {trials:,} trials some reach by luck on {len(labels):,} validation rows, and fail "
        f"on new data: --margin {enough:g} makes up for it."
    ]


def _warning(measured: Metric, target: float, labels: Any, margin: float) -> str:
    rows = rows_to_show(measured, target, labels, margin)
    if margin == 0:
        return (
            "Warning: without a margin the smallest model that seems to reach the target most "
            "often does not hold it on new data."
        )
    if rows is None:
        return ""
    return (
        f"Warning: {len(labels):,} validation rows are too few to show {measured.name} "
        f"{target:g} with a margin of {margin:g} standard errors: it takes {rows:,} rows, "
        f"a {'lower' if measured.higher_is_better else 'higher'} --target or a lower --margin."
    )
