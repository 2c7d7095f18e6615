"""Where trials run: in this process, or in workers that import Keras once and stay."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .errors import OccamError
from .failures import DIED, may_pass
from .trials import FinishedTrial, Trial, failed

if TYPE_CHECKING:
    from .pipeline import Data
    from .training.fit import OnEpoch
    from .training.trial import Task

TRIALS = 500  # that a worker runs before a fresh one takes its place
GROWTH = 2 * 2**30  # bytes that it may have grown by until then
STARTS = 3  # deaths in a row of workers that had not come to their first trial
CHANGED = (
    "the space or the data of {} are not those that the search began with: run the command again "
    "for what is there now; data() has to give the same rows each time"
)
PATIENCE = 1.0  # seconds between two looks at workers that say nothing


class Executor(Protocol):
    """Runs up to `size` trials at a time, and wants `batch` of them proposed together.

    What becomes of a trial is a value, its failure and the death of its process too.
    """

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
    from .training.population.executor import Population

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
        from .backend import import_keras
        from .devices import limit_memory

        import_keras()
        limit_memory()
        from .data.preparation import prepare, with_row_shape, without_test
        from .loading import load
        from .training.rehearsal import task_fingerprint
        from .training.trial import Task

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


class WorkerDied(Exception):
    """A worker is gone; the message says how."""


class Worker(Protocol):
    """A process that trains what it is sent, here or on another machine.

    `epochs` are those of the trial that it is at, as far as it tells.
    """

    epochs: int

    def send(self, trials: Sequence[Trial]) -> None: ...

    def receive(self) -> list[FinishedTrial | None]:
        """What it has to say by now; None: it is ready. Raises WorkerDied."""

    def memory(self) -> int:
        """Bytes that it holds; 0 where that is not known."""

    def end(self) -> None:
        """Let it go, at once and for good."""


class Kind(Protocol):
    """How workers of one kind are started and waited for."""

    def start(self, number: int) -> Worker: ...

    def wait(self, workers: Sequence[Worker], seconds: float) -> None:
        """Until one of them has something to say, or this time is over."""

    def shutdown(self) -> None: ...


@dataclass
class _Slot:
    number: int
    worker: Worker
    ready: bool = False
    memory: int = 0  # when it was ready
    trials: int = 0  # that it has run
    running: dict[int, tuple[Trial, Future[FinishedTrial]]] = field(default_factory=dict)
    deadline: float = float("inf")
    worn: bool = False


class Pool:
    """`workers` slots, each with a worker that trains `batch` trials at a time.

    A worker that dies takes its own trials with it and no others; a fresh one takes its place, as
    it does after `TRIALS` trials, once it has grown by `GROWTH`, and when it has run out of memory.

    Args:
        timeout: seconds that a trial may take; None: any time. For batches of one.
    """

    def __init__(
        self,
        kind: Kind,
        workers: int,
        *,
        batch: int = 1,
        timeout: float | None = None,
        trials: int = TRIALS,
        growth: int = GROWTH,
    ) -> None:
        self.size, self.batch = workers * batch, batch
        self._kind, self._timeout, self._trials, self._growth = kind, timeout, trials, growth
        self._waiting: deque[tuple[Trial, Future[FinishedTrial]]] = deque()
        self._deaths = 0
        self._slots = [_Slot(number, kind.start(number)) for number in range(workers)]

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        future: Future[FinishedTrial] = Future()
        self._waiting.append((trial, future))
        if len(self._waiting) >= self.batch:
            self._dispatch()
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        futures = list(running)
        while not (done := [future for future in futures if future.done()]):
            self._dispatch()
            deadline = min(slot.deadline for slot in self._slots)
            seconds = max(0.0, min(PATIENCE, deadline - time.monotonic()))
            self._kind.wait([slot.worker for slot in self._slots], seconds)
            for slot in self._slots:
                self._hear(slot)
        return done

    def shutdown(self) -> None:
        for slot in self._slots:
            slot.worker.end()
        self._kind.shutdown()

    def _dispatch(self) -> None:
        for slot in self._slots:
            if not slot.ready or slot.running or not self._waiting:
                continue
            taken = [self._waiting.popleft() for _ in range(min(self.batch, len(self._waiting)))]
            slot.running = {trial.number: (trial, future) for trial, future in taken}
            if self._timeout is not None:
                slot.deadline = time.monotonic() + self._timeout
            slot.worker.send([trial for trial, _ in taken])

    def _hear(self, slot: _Slot) -> None:
        try:
            for news in slot.worker.receive():
                self._take(slot, news)
        except WorkerDied as death:
            self._lose(slot, f"{DIED}: {death}")
            return
        if not slot.running and slot.worn:
            self._replace(slot)
        elif time.monotonic() >= slot.deadline:
            self._lose(slot, f"it took longer than --trial-timeout {self._timeout:g} s")

    def _take(self, slot: _Slot, news: FinishedTrial | None) -> None:
        if news is None:
            slot.ready, slot.memory, self._deaths = True, slot.worker.memory(), 0
            return
        _, future = slot.running.pop(news.number)
        slot.deadline = float("inf")
        slot.trials += 1
        grown = slot.worker.memory() - slot.memory
        slot.worn = slot.worn or slot.trials >= self._trials or grown > self._growth
        slot.worn = slot.worn or may_pass(news)
        future.set_result(news)

    def _lose(self, slot: _Slot, reason: str) -> None:
        """Fail what the worker was at, and start another."""
        if not slot.ready:
            self._deaths += 1
            if self._deaths >= STARTS:
                raise OccamError(
                    f"Workers cannot start, {self._deaths} in a row: {reason}. "
                    "Give fewer --workers, or free memory; what finished is kept."
                )
        for trial, future in slot.running.values():
            future.set_result(failed(trial, reason, epochs=slot.worker.epochs))
        self._replace(slot)

    def _replace(self, slot: _Slot) -> None:
        slot.worker.end()
        self._slots[slot.number] = _Slot(slot.number, self._kind.start(slot.number))
