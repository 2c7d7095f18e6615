"""Where trials run: in this process, or in spawned processes that import Keras once and stay."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .backend import import_keras
from .pipeline import Data, load
from .trials import FinishedTrial, Trial

if TYPE_CHECKING:
    from .training.trial import OnEpoch, Task


class Executor(Protocol):
    """Runs up to `size` trials at a time, and wants `batch` of them proposed together."""

    size: int
    batch: int

    def submit(self, trial: Trial) -> Future[FinishedTrial]: ...

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        """Those that have ended, once there is one."""

    def shutdown(self) -> None: ...


class InProcess:
    """One trial at a time, here: `submit` returns when it has finished."""

    size = batch = 1

    def __init__(self, task: Task, data: Data, on_epoch: OnEpoch | None = None) -> None:
        self._task, self._data, self._on_epoch = task, data, on_epoch

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        from .training.trial import run_trial

        future: Future[FinishedTrial] = Future()
        future.set_result(run_trial(self._task, trial, self._data, self._on_epoch))
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        return list(running)

    def shutdown(self) -> None:
        """Nothing is left running."""


class Processes:
    """`size` spawned processes; where one dies its trial fails and the others' are run again.

    Args:
        source: what `load` finds the pipeline by.
    """

    batch = 1

    def __init__(self, task: Task, source: str, size: int) -> None:
        self.size = size
        pipeline = task.pipeline
        self._arguments = (
            source,
            task.search_target,
            task.models,
            pipeline.target,
            pipeline.metric,
        )
        self._pool = self._start()

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        try:
            return self._pool.submit(_run_in_worker, trial)
        except BrokenProcessPool:
            self._pool = self._start()
            return self._pool.submit(_run_in_worker, trial)

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        done, _ = wait(list(running), return_when=FIRST_COMPLETED)
        return list(done)

    def shutdown(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.size,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_prepare_worker,
            initargs=(threads(self.size), *self._arguments),
        )


def threads(workers: int) -> dict[str, str]:
    """Environment that shares the cores out among the workers, for each library's own pool."""
    each = str(max(1, (os.cpu_count() or 1) // workers))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    return dict.fromkeys(names, each)


_worker: tuple[Task, Data] | None = None


def _prepare_worker(
    environment: Mapping[str, str],
    source: str,
    search_target: float,
    models: Path,
    target: float,
    metric: str,
) -> None:
    """Make a fresh process ready: the interrupt key is the parent's business."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(environment)
    import_keras()
    from .preparation import prepare, without_test
    from .training.trial import Task

    pipeline = replace(load(source), target=target, metric=metric)
    data = without_test(prepare(pipeline).data)
    _worker = Task(pipeline=pipeline, search_target=search_target, models=models), data


def _run_in_worker(trial: Trial) -> FinishedTrial:
    if _worker is None:
        raise RuntimeError("This process was not prepared to run trials.")
    from .training.trial import run_trial

    return run_trial(_worker[0], trial, _worker[1])
