"""What a search is asked for, checked before any data is read."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import devices, engines
from .devices import Places
from .errors import InputError
from .loading import load, task_name
from .loop import Budget
from .metrics import Metric, metric
from .options import EXECUTORS, MOST_ERRORS, TRAINERS, TRIALS
from .pipeline import Pipeline

LONGEST_NAME = 200  # bytes: a file system takes 255, and a study set aside adds the time
TEXTS = {"metric", "engine", "sampler", "storage", "name", "warm_start", "tracking_uri"}
WHOLE = {"trials", "epochs", "workers", "trials_per_gpu"}
NUMBERS = {"target", "margin"}
SECONDS = {"timeout", "trial_timeout"}


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

    @property
    def budget(self) -> Budget:
        """What the search may spend: so many trials where nothing is said of any limit."""
        said = (self.trials, self.epochs, self.timeout) != (None, None, None)
        trials = self.trials if said else TRIALS
        return Budget(trials=trials, epochs=self.epochs, seconds=self.timeout)

    @property
    def source(self) -> str | None:
        """What `load` finds the pipeline by, from any folder; None for one made in Python."""
        given = self.pipeline
        if isinstance(given, Pipeline):
            return None
        return str(Path(given).resolve()) if given.endswith(".py") else given


class Asked(NamedTuple):
    """What is to be searched, by what it is judged, and where."""

    pipeline: Pipeline
    metric: Metric
    places: Places


def check(settings: Settings) -> None:
    """Raise InputError where an option is none, or has a value that it cannot have.

    What the command line checks while it is parsed may come from Python as well.
    """
    given = {name: value for name, value in vars(settings).items() if value is not None}
    for name in TEXTS & given.keys():
        _check_text(name, given[name])
    for name in WHOLE & given.keys():
        _check_whole(name, given[name])
    for name in NUMBERS & given.keys():
        _check_number(name, given[name])
    for name in SECONDS & given.keys():
        _check_seconds(name, given[name])
    _check_choice("trainer", settings.trainer, TRAINERS)
    _check_choice("executor", settings.executor, EXECUTORS)
    engines.check(settings.engine, settings.sampler)
    _check_whole("seed", settings.seed, range(2**32), "from 0 to 2^32 - 1")
    if not 0 <= settings.margin <= MOST_ERRORS:
        raise InputError(f"margin must be from 0 to {MOST_ERRORS}, received {settings.margin!r}.")


def asked_for(settings: Settings) -> Asked:
    """The pipeline that is named, with the metric, the target and the places that are given.

    Raises InputError where it cannot be loaded or one of the values cannot be used.
    """
    check(settings)
    places = _places(settings)
    pipeline = _pipeline(settings)
    measured = metric(pipeline.metric)
    if settings.target is not None or not math.isnan(pipeline.target):
        measured.check_target(pipeline.target)
    return Asked(pipeline, measured, places)


def _pipeline(settings: Settings) -> Pipeline:
    given = settings.pipeline
    pipeline = given if isinstance(given, Pipeline) else load(given)
    _check_text("name of a Pipeline", pipeline.name)
    _check_registered(pipeline.name)
    _check_classes(pipeline.classes)
    _check_whole("epochs of a Pipeline", pipeline.epochs)
    _check_whole("batch_size of a Pipeline", pipeline.batch_size)
    _check_number("target of a Pipeline", pipeline.target)
    return replace(
        pipeline,
        classes=tuple(map(str, pipeline.classes)),
        metric=pipeline.metric if settings.metric is None else settings.metric,
        target=float(pipeline.target if settings.target is None else settings.target),
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


def sanitised(name: str) -> str:
    """Letters, digits, dots, dashes and underscores: a name becomes a folder."""
    clean = as_folder(name)
    if not clean:
        raise InputError(f"--name {name!r} has no letter or digit: give one that has.")
    if (long := len(os.fsencode(clean))) > LONGEST_NAME:
        raise InputError(f"--name takes {long} bytes: give one of at most {LONGEST_NAME}.")
    return task_name(clean) if "." in clean else clean  # as other commands look it up


def as_folder(name: str) -> str:
    """A name as it is kept, whatever it was given as; empty where nothing of it can be."""
    return re.sub(r"[^\w.-]", "-", name).strip(".-")


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise InputError(f"{name} must be {' or '.join(choices)}, received {value!r}.")


def _check_text(name: str, value: Any) -> None:
    if not (isinstance(value, str) and value.strip() and value.isprintable()):
        raise InputError(f"{name} must be text, received {value!r}.")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):  # NumPy's, too
        raise InputError(f"{name} must be a number, received {value!r}.")


def _check_seconds(name: str, value: Any) -> None:
    _check_number(name, value)
    if not 0 < value < math.inf:
        raise InputError(f"{name} must be above 0, received {value!r}.")


def _check_whole(
    name: str,
    value: Any,
    allowed: range = range(1, 10**18),
    which: str = "from 1 to 10^18 - 1",
) -> None:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and value in allowed):
        raise InputError(f"{name} must be a whole number {which}, received {value!r}.")


def _check_classes(classes: Any) -> None:
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise InputError(f"classes of a Pipeline must be a list of names, received {classes!r}.")


def _check_registered(name: str) -> None:
    """The name of a pipeline is that of its experiment and of its registered model."""
    if re.search(r"[/:]", name) or ("'" in name and '"' in name):
        raise InputError(
            f"name of a Pipeline {name!r} cannot be a registered model's: give one without "
            "slash, colon and two kinds of quotes."
        )
