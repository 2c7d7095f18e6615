"""Ask, gate, train, tell: until the budget is spent."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from .failures import Streak, may_pass
from .trials import FinishedTrial, Trial, TrialState, failed, not_smaller, rejected
from .workers import Executor

HOPELESS = 500  # proposals in a row that need no training: the sampler has nothing left to say
OnFinish = Callable[[FinishedTrial], None]


class Engine(Protocol):
    """Proposes trials and learns from what became of them."""

    exhausted_because: str  # why `ask` returned nothing

    @property
    def finished(self) -> list[FinishedTrial]: ...

    def ask(self, n: int) -> list[Trial]: ...

    def tell(self, finished: FinishedTrial) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a search may spend in all; whichever comes first ends it. None: no limit.

    Trials are those that were trained or failed; epochs are those of every model trained; seconds
    are this process's own.
    """

    trials: int | None = None
    epochs: int | None = None
    seconds: float | None = None


def run(
    engine: Engine,
    workers: Executor,
    *,
    budget: Budget,
    on_finish: Iterable[OnFinish] = (),
    on_end: Callable[[str], None] = lambda reason: None,
) -> list[FinishedTrial]:
    """Search until the budget is spent or nothing is left to try.

    Args:
        on_finish: called with every trial that ends, once the engine knows of it.
        on_end: called with the reason why the search ended.

    Raises OccamError where trial after trial fails for the same reason.
    """
    search = _Search(engine, budget, tuple(on_finish))
    running: dict[Future[FinishedTrial], Trial] = {}
    try:
        while True:
            search.fill(workers, running)
            if not running:
                break
            for future in workers.wait(running):
                search.settle(workers, running, future)
    finally:
        workers.shutdown()
    on_end(search.end)
    return engine.finished


@dataclass
class _Search:
    engine: Engine
    budget: Budget
    on_finish: tuple[OnFinish, ...]
    started: float = field(default_factory=time.monotonic)
    end: str = ""
    smallest: FinishedTrial | None = None
    trained: int = 0
    epochs: int = 0
    known: dict[str, int] = field(default_factory=dict)
    retried: set[int] = field(default_factory=set)
    streak: Streak = field(default_factory=Streak)
    asked: deque[Trial] = field(default_factory=deque)  # not begun: the budget is reserved

    def __post_init__(self) -> None:
        for finished in self.engine.finished:
            self._note(finished)

    def fill(self, workers: Executor, running: dict[Future[FinishedTrial], Trial]) -> None:
        """Keep the workers busy while the budget lasts, a batch of proposals at a time."""
        idle = 0  # proposals in a row that needed no training
        while len(running) + workers.batch <= workers.size:
            reserved = sum(trial.epoch_budget or 0 for trial in running.values())
            if self._spent(len(running), reserved):
                return
            if not self.asked:
                self.asked += self.engine.ask(self._wanted(workers.batch, len(running)))
            if not self.asked:
                self.end = self.engine.exhausted_because
                return
            while self.asked and not self._spent(len(running), reserved):
                trial = self.asked.popleft()
                if self._settled_at_once(trial):
                    idle += 1
                    continue
                idle = 0
                limited = self._limited(trial, reserved)
                reserved += limited.epoch_budget or 0
                running[workers.submit(limited)] = limited
            if idle >= HOPELESS:
                self.end = f"{HOPELESS} proposals in a row needed no training"
                return

    def settle(
        self,
        workers: Executor,
        running: dict[Future[FinishedTrial], Trial],
        future: Future[FinishedTrial],
    ) -> None:
        """Take what a worker brings back; where it lacked memory or a process, try once more."""
        trial, finished = running.pop(future), future.result()
        if may_pass(finished) and trial.number not in self.retried:
            self.retried.add(trial.number)
            self.epochs += finished.epochs
            running[workers.submit(trial)] = trial
            return
        if trial.number in self.retried and finished.error:
            finished = failed(trial, f"{finished.error} (tried twice)", epochs=finished.epochs)
        self._finish(finished)

    def _wanted(self, batch: int, running: int) -> int:
        """A whole batch, or what the budget leaves of it."""
        if self.budget.trials is None:
            return batch
        return min(batch, self.budget.trials - self.trained - running)

    def _settled_at_once(self, trial: Trial) -> bool:
        """Whether a proposal needs no training, and has been told so."""
        if trial.error is not None:
            self._finish(failed(trial, trial.error))
            return True
        if reason := self._reject(trial):
            self._finish(rejected(trial, reason))
            return True
        return False

    def _reject(self, trial: Trial) -> str:
        best = self.smallest
        if best is not None and trial.parameter_count >= best.parameter_count:
            return not_smaller(best)
        twin = None if trial.initial_epoch else self.known.get(_key(trial))
        return "" if twin is None else f"the same hyperparameters as trial {twin}"

    def _limited(self, trial: Trial, reserved: int) -> Trial:
        """A run and its confirmation, as far as the epochs left allow."""
        both = 2 * trial.epochs + trial.initial_epoch  # it is confirmed from its first epoch on
        if self.budget.epochs is not None:
            both = min(both, self.budget.epochs - self.epochs - reserved)
        return replace(trial, epochs=min(trial.epochs, both), epoch_budget=both)

    def _spent(self, running: int, reserved: int) -> bool:
        budget = self.budget
        if budget.trials is not None and self.trained + running >= budget.trials:
            self.end = f"all {budget.trials} trials are done"
        elif budget.epochs is not None and self.epochs + reserved >= budget.epochs:
            self.end = f"all {budget.epochs} epochs are spent"
        elif budget.seconds is not None and time.monotonic() - self.started >= budget.seconds:
            self.end = f"{budget.seconds:g} seconds are over"
        else:
            return False
        return True

    def _finish(self, finished: FinishedTrial) -> None:
        self.engine.tell(finished)
        self._note(finished)
        for callback in self.on_finish:
            callback(finished)
        self.streak.note(finished)

    def _note(self, finished: FinishedTrial) -> None:
        if finished.state is TrialState.REJECTED:
            return
        self.trained += 1
        self.epochs += finished.epochs
        self.known.setdefault(_key(finished), finished.number)
        best = self.smallest
        if finished.reached and (best is None or finished.parameter_count < best.parameter_count):
            self.smallest = finished


def _key(trial: Trial | FinishedTrial) -> str:
    return json.dumps(dict(trial.hyperparameters), sort_keys=True, default=str)
