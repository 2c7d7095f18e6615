"""Training in this process: the search's own, or a worker's, on whatever machine that is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OccamError
from ..trials import FinishedTrial, Trial
from ..workers import Executor

if TYPE_CHECKING:
    from ..data import Data
    from ..training.fit import OnEpoch
    from ..training.trial import Task

CHANGED = (
    "the space or the data of {} are not those that the search began with: run the command again "
    "for what is there now; data() has to give the same rows each time"
)


class InProcess:
    """One trial at a time, here: `submit` returns when it has finished."""

    size = batch = 1

    def __init__(self, task: Task, data: Data, on_epoch: OnEpoch | None = None) -> None:
        self._task, self._data, self._on_epoch = task, data, on_epoch

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        from ..training.trial import run_trial

        future: Future[FinishedTrial] = Future()
        future.set_result(run_trial(self._task, trial, self._data, self._on_epoch))
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        return list(running)

    def shutdown(self) -> None:
        """Nothing is left running, and nothing kept that was for trials alone."""
        from ..training.features import forget

        forget()


def local(
    task: Task,
    data: Data,
    trainer: str,
    on_epoch: OnEpoch,
    notice: Callable[[str], None] = lambda text: None,
) -> Executor:
    """The executor that trains in this process, by `fit` or by populations."""
    if trainer != "population":
        return InProcess(task, data, on_epoch)
    from ..training.population.executor import Population

    return Population(task, data, on_epoch, notice=notice)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a worker needs to become ready, wherever it is.

    Args:
        source: what `load` finds the pipeline by.
        task: fingerprint of its space and its data, as they were when the search began.
        deadline: by this machine's `time.monotonic`, when the search's time is up.
    """

    source: str
    task: str
    target: float
    metric: str
    search_target: float
    models: Path
    trainer: str
    deadline: float

    def executor(self, tell: Callable[[int], None] = lambda epochs: None) -> Executor:
        """Load the pipeline and its data: what trains in this process from now on.

        Raises OccamError where they are others than those that the search began with.

        Args:
            tell: called with the epochs that a trial has trained, after each.
        """
        from ..backend import import_keras
        from ..devices import limit_memory

        import_keras()
        limit_memory()
        from ..data.preparation import prepare, with_row_shape, without_test
        from ..loading import load
        from ..training.rehearsal import task_fingerprint
        from ..training.trial import Task

        pipeline = replace(load(self.source), target=self.target, metric=self.metric)
        prepared = prepare(pipeline)
        pipeline = with_row_shape(pipeline, prepared)
        if task_fingerprint(pipeline, prepared) != self.task:
            raise OccamError(CHANGED.format(self.source))
        task = Task(pipeline=pipeline, search_target=self.search_target, models=self.models)
        data = without_test(prepared.data)

        def on_epoch(epochs: int, score: float) -> bool:
            tell(epochs)
            return time.monotonic() > self.deadline

        return local(task, data, self.trainer, on_epoch)


def ended(executor: Executor, trials: Iterable[Trial]) -> Iterator[FinishedTrial]:
    """What becomes of these trials, each as soon as it has ended."""
    running = {executor.submit(trial) for trial in trials}
    while running:
        for future in executor.wait(running):
            running.discard(future)
            yield future.result()


def resident(process: int | str = "self") -> int:
    """Bytes that a process holds in memory; 0 where that is not known, as but on Linux."""
    try:
        pages = Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
