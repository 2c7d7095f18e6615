"""Runs trials in workers that import Keras once and stay, of whatever kind these are."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from .errors import OccamError
from .failures import DIED, may_pass
from .trials import FinishedTrial, Trial, failed

TRIALS = 500  # that a worker runs before a fresh one takes its place
GROWTH = 2 * 2**30  # bytes that it may have grown by until then
STARTS = 3  # deaths in a row of workers that had not come to their first trial
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
    began: float = 0.0  # what is running
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
            slot.began = time.monotonic()
            if self._timeout is not None:
                slot.deadline = slot.began + self._timeout
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
            lost = failed(trial, reason, epochs=slot.worker.epochs)
            share = (time.monotonic() - slot.began) / len(slot.running)
            future.set_result(replace(lost, seconds=share))
        self._replace(slot)

    def _replace(self, slot: _Slot) -> None:
        slot.worker.end()
        self._slots[slot.number] = _Slot(slot.number, self._kind.start(slot.number))
