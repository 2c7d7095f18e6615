"""All that can be checked and decided before the first epoch."""

from __future__ import annotations

import importlib.util
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import devices, engines, fingerprint
from .data.baselines import Baseline, baselines, best, described, modest_target
from .data.preparation import Prepared, prepare
from .devices import Places
from .errors import InputError
from .metrics import Array, Metric, meaning, metric
from .models.rehearsal import rehearse
from .options import MOST_ERRORS
from .pipeline import Pipeline, load, task_name
from .references import resolved
from .selection import rows_to_show, search_target
from .studies.carrying import Depends

LONGEST_NAME = 200  # bytes: a file system takes 255, and a study set aside adds the time


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What `occam search` was asked for."""

    pipeline: str | Pipeline
    target: float | None = None
    metric: str | None = None
    trials: int | None = None
    epochs: int | None = None
    timeout: float | None = None
    engine: str = "optuna"
    sampler: str = "level-set"
    trainer: str = "auto"
    backend: str = "tensorflow"
    workers: int | None = None  # 1, or as many as there are places on the GPUs
    gpus: str = "all"
    trials_per_gpu: int | None = None
    trial_timeout: float | None = None
    executor: str = "local"
    storage: str | None = None
    margin: float = 2.0
    seed: int = 0
    name: str | None = None
    warm_start: str | None = None  # a KerasTuner project or an Optuna study
    fresh: bool = False
    tracking_uri: str | None = None
    quiet: bool = False

    @property
    def source(self) -> str | None:
        """What `load` finds the pipeline by, from any folder; None for one made in Python."""
        given = self.pipeline
        if isinstance(given, Pipeline):
            return None
        return str(Path(given).resolve()) if given.endswith(".py") else given


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
    warning: str  # what so few rows cannot show; empty where they are enough
    trainer: str  # fit or population
    places: Places
    notes: tuple[str, ...]  # what was found in the data, and what needs no search
    baselines: tuple[Baseline, ...] = ()

    @property
    def labels(self) -> Array:
        """Labels of the validation split."""
        return np.asarray(self.prepared.data.validation[1])


def plan(settings: Settings) -> Plan:
    """Load and check the pipeline, its data and its space.

    Raises InputError where any of them cannot be used; nothing is trained or written.
    """
    engines.check(settings.engine, settings.sampler)
    _check_numbers(settings)
    places = _places(settings)
    given = settings.pipeline
    pipeline = given if isinstance(given, Pipeline) else load(given)
    _check_registered(pipeline.name)
    _check_whole("epochs of a Pipeline", pipeline.epochs)
    _check_whole("batch_size of a Pipeline", pipeline.batch_size)
    _check_number("target of a Pipeline", pipeline.target)
    pipeline = replace(pipeline, classes=tuple(map(str, pipeline.classes)))
    if settings.metric is not None:
        pipeline = replace(pipeline, metric=settings.metric)
    measured = metric(pipeline.metric)
    if settings.target is not None:
        pipeline = replace(pipeline, target=settings.target)
    if settings.target is not None or not math.isnan(pipeline.target):
        measured.check_target(pipeline.target)
    prepared = prepare(pipeline)
    pipeline = replace(pipeline, groups=_groups(pipeline, prepared))
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
        name=_sanitised(settings.name or f"{pipeline.name}-{depends[:8]}"),
        depends=Depends(space=rehearsed.fingerprint, rest=depends),
        fit_space=rehearsed.fit_space,
        data_fingerprint=data,
        warning=_warning(measured, pipeline.target, labels, settings.margin),
        trainer=trainer,
        places=places,
        notes=(
            *pipeline.notes,
            meaning(measured, labels, pipeline.classes),
            *(*rehearsed.notes, *notes, *why),
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
        shown = f"which the {strongest.name} can be shown to hold" if strongest else "a usual one"
        notes.append(f"No --target is given: {measured.name} {target:g}, {shown}.")
    return pipeline, found, notes + described(found, measured, pipeline.target)


def _check_numbers(settings: Settings) -> None:
    """What the command line checks while it is parsed may come from Python as well."""
    for name in ("trials", "epochs", "workers", "trials_per_gpu"):
        if getattr(settings, name) is not None:
            _check_whole(name, getattr(settings, name))
    _check_whole("seed", settings.seed, range(2**32), "from 0 to 2^32 - 1")
    for name in ("target", "timeout", "trial_timeout", "margin"):
        if getattr(settings, name) is not None:
            _check_number(name, getattr(settings, name))
    for name in ("timeout", "trial_timeout"):
        value = getattr(settings, name)
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{name} must be above 0, received {value!r}.")
    if not 0 <= settings.margin <= MOST_ERRORS:
        raise InputError(f"margin must be from 0 to {MOST_ERRORS}, received {settings.margin!r}.")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{name} must be a number, received {value!r}.")


def _check_whole(
    name: str,
    value: Any,
    allowed: range = range(1, 10**18),
    which: str = "from 1 to 10^18 - 1",
) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and value in allowed):
        raise InputError(f"{name} must be a whole number {which}, received {value!r}.")


def _groups(pipeline: Pipeline, prepared: Prepared) -> Array | None:
    if pipeline.groups is None:
        return None
    groups, rows = np.asarray(pipeline.groups).reshape(-1), len(prepared.data.test[1])
    if len(groups) != rows:
        raise InputError(
            f"groups of a Pipeline are those of the test rows, {rows:,}, received {len(groups):,}."
        )
    return groups


def _check_registered(name: str) -> None:
    """The name of a pipeline is that of its experiment and of its registered model."""
    if not name.strip() or re.search(r"[/:]", name) or ("'" in name and '"' in name):
        raise InputError(
            f"name of a Pipeline {name!r} cannot be a registered model's: give one without "
            "slash, colon and two kinds of quotes."
        )


def _places(settings: Settings) -> Places:
    """Where trials run, checked against what is there."""
    devices.check_installed(settings.gpus)
    gpus = devices.visible_gpus(settings.gpus)
    places = Places(
        workers=devices.workers(settings.workers, gpus, settings.trials_per_gpu),
        gpus=tuple(gpus),
        trials_per_gpu=settings.trials_per_gpu,
        timeout=settings.trial_timeout,
        executor=settings.executor,
    )
    if places.here:
        return places
    if isinstance(settings.pipeline, Pipeline):
        raise InputError(
            "A space in this process can be searched in this process alone: for several workers, "
            "a time limit for trials or Ray put `pipeline = Pipeline(...)` into a file and give "
            "its path."
        )
    if settings.trial_timeout is not None and settings.trainer == "population":
        raise InputError(
            "--trial-timeout is for trials that are trained one at a time: give --trainer fit."
        )
    return places


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


def _sanitised(name: str) -> str:
    """Letters, digits, dots, dashes and underscores: a name becomes a folder."""
    clean = re.sub(r"[^\w.-]", "-", name).strip(".-")
    if not clean:
        raise InputError(f"--name {name!r} has no letter or digit: give one that has.")
    if (long := len(os.fsencode(clean))) > LONGEST_NAME:
        raise InputError(f"--name takes {long} bytes: give one of at most {LONGEST_NAME}.")
    return task_name(clean) if "." in clean else clean  # as other commands look it up


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
        "a lower --target or a lower --margin."
    )
