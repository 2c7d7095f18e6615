"""Chooses where the trials of a search run: here, in processes of this machine, or on Ray."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.preparation import without_test
from ..devices import environments, share
from ..training.rehearsal import task_fingerprint
from ..training.trial import Task
from ..workers import Executor, Kind, Pool
from .in_process import Recipe, local

if TYPE_CHECKING:
    from ..plan import Plan
    from ..progress import SearchProgress


def executor(
    plan: Plan, source: str, models: Path, *, seconds: float | None, progress: SearchProgress
) -> Executor:
    """The executor of a search.

    Args:
        source: what `load` finds the pipeline by.
        models: folder for the models that reach.
        seconds: that this run may take; None: no limit.
    """
    deadline = time.monotonic() + (seconds or math.inf)
    if not plan.places.here:
        return _pool(plan, source, models, deadline)

    def on_epoch(epochs: int, score: float) -> bool:
        progress.epoch(epochs, score)
        return time.monotonic() > deadline

    task = Task(pipeline=plan.pipeline, search_target=plan.search_target, models=models)
    data = without_test(plan.prepared.data)
    return local(task, data, plan.trainer, on_epoch, progress.say)


def _pool(plan: Plan, source: str, models: Path, deadline: float) -> Executor:
    recipe = Recipe(
        source=source,
        task=task_fingerprint(plan.pipeline, plan.prepared),
        target=plan.pipeline.target,
        metric=plan.pipeline.metric,
        search_target=plan.search_target,
        models=models,
        trainer=plan.trainer,
        deadline=deadline,
    )
    places = plan.places
    return Pool(_kind(plan, recipe), places.workers, batch=_batch(plan), timeout=places.timeout)


def _kind(plan: Plan, recipe: Recipe) -> Kind:
    places = plan.places
    if places.executor == "ray":
        from .ray_actors import Actors

        gpu = share(places.workers, places.gpus, places.trials_per_gpu)
        return Actors(recipe, places.workers, gpu=gpu)
    from .processes import Processes

    given = environments(places.workers, places.gpus, places.trials_per_gpu)
    return Processes(recipe, given)


def _batch(plan: Plan) -> int:
    if plan.trainer != "population":
        return 1
    from ..training.population.executor import BATCH

    return BATCH
