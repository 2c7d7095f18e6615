"""Ask, gate, train, tell: until the budget is spent."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Protocol

from .errors import OccamError
from .failures import Streak, may_pass, unkept
from .stopping import SEARCH_ENDED, was_cut_short
from .studies.sharing import Alone, Sharing
from .trials import FinishedTrial, Trial, TrialState, failed, not_smaller, rejected, same
from .workers import Executor

HOPELESS = 500  # proposals in a row that need no training: the sampler has nothing left to say
PAUSE = 0.5  # seconds between two looks at what other processes do
OnFinish = Callable[[FinishedTrial], None]


class Engine(Protocol):
    """Proposes trials and learns from what became of them."""

    exhausted_because: str  # why `ask` returned nothing

    @property
    def finished(self) -> list[FinishedTrial]: ...

    def ask(self, n: int) -> list[Trial]: ...

    def tell(self, finished: FinishedTrial) -> bool | None:
        """Learn from a trial; false where it is another process's by now."""


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
    on_turn: Callable[[], None] = lambda: None,
    on_idle: Callable[[], None] = lambda: None,
    others: Alone | Sharing | None = None,
) -> list[FinishedTrial]:
    """Search until the budget is spent or nothing is left to try.

    Args:
        on_finish: called with every trial that ends, once the engine knows of it.
        on_end: called with the reason why the search ended.
        on_turn: called whenever trials have ended; may raise, which ends the search.
        on_idle: called each time before it waits for other processes.
        others: processes that share this search; it ends for all when nothing is left to any.

    Raises OccamError where trial after trial fails for the same reason, or the disk is full.
    """
    search = _Search(engine, workers, budget, tuple(on_finish), others or Alone())
    try:
        while True:
            on_turn()
            search.fill()
            if search.running:
                for future in workers.wait(search.running):
                    search.settle(future)
                if search.unkept:
                    raise OccamError(search.unkept)
            elif search.waits(on_idle):
                time.sleep(PAUSE)
            else:
                break
    finally:
        workers.shutdown()
    on_end(search.end)
    return engine.finished


@dataclass
class _Search:
    engine: Engine
    workers: Executor
    budget: Budget
    on_finish: tuple[OnFinish, ...]
    others: Alone | Sharing
    started: float = field(default_factory=time.monotonic)
    end: str = ""
    unkept: str = ""  # why a trial that is trained cannot be told
    exhausted: bool = False
    idle: int = 0  # proposals in a row that needed no training
    smallest: FinishedTrial | None = None
    trained: int = 0
    epochs: int = 0
    known: dict[str, int] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)  # epochs of first tries, by trial
    streak: Streak = field(default_factory=Streak)
    asked: deque[Trial] = field(default_factory=deque)  # not begun: the budget is reserved
    running: dict[Future[FinishedTrial], Trial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = self.engine.finished
        self.others.note(each.number for each in known)
        for finished in known:
            self._note(finished)

    def catch_up(self) -> bool:
        """Take in what other processes have told; whether that may open something."""
        news = self.others.news()
        for finished in news:
            self._note(finished)
        opens = any(each.state is not TrialState.REJECTED for each in news)
        self.exhausted = self.exhausted and not opens
        return opens

    def waits(self, on_idle: Callable[[], None]) -> bool:
        """Whether another process may still bring something, or leave it to this one."""
        if not self.others.shared:
            return False
        while self.asked:  # nobody waits for what this process does not begin
            self._finish(rejected(self.asked.popleft(), f"{SEARCH_ENDED}: {self.end}"))
        on_idle()
        busy = self.others.busy()  # in this order nothing that has just ended is overlooked
        return not self._late() and (self.catch_up() or busy)

    def fill(self) -> None:
        """Keep the workers busy while the budget lasts, a batch of proposals at a time."""
        if self.exhausted and not self.others.left():
            return
        self.idle = 0
        batch, size = self.workers.batch, self.workers.size
        while len(self.running) + batch <= size and not self._spent():
            if not self.asked:
                self.asked += self.engine.ask(self._wanted(batch))
            if not self.asked:
                self.end, self.exhausted = self.engine.exhausted_because, not self.running
                return  # what is under way may still open something
            while self.asked and not self._spent():
                self._begin(self.asked.popleft())
            if self.idle >= HOPELESS:
                self.end = f"{HOPELESS} proposals in a row needed no training"
                self.exhausted = True
                return

    def _begin(self, trial: Trial) -> None:
        """Have a proposal trained, unless it needs no training."""
        if (finished := self._untrained(trial)) is not None:
            self.idle += 1
            self._finish(finished)
            return
        self.idle = 0
        self._submit(self._limited(trial))

    def _submit(self, trial: Trial) -> None:
        self.running[self.workers.submit(trial)] = trial

    def settle(self, future: Future[FinishedTrial]) -> None:
        """Take what a worker brings back; where it lacked memory or a process, try once more."""
        trial, finished = self.running.pop(future), future.result()
        if said := unkept(finished):
            self.unkept = said
            return
        if trial.number in self.lost:
            self._finish(self._second(trial, finished))
            return
        again = self._limited(trial, lost=finished.epochs_spent)
        if not may_pass(finished) or again.epochs <= 0:
            self._finish(finished)
            return
        self.lost[trial.number] = finished.epochs_spent
        self._submit(again)

    def _second(self, trial: Trial, finished: FinishedTrial) -> FinishedTrial:
        """What a second try has brought, with what the first one cost."""
        lost = finished.lost_epochs + self.lost.pop(trial.number)
        if finished.error:
            twice = failed(trial, f"{finished.error} (tried twice)", epochs=finished.epochs)
            finished = replace(twice, seconds=finished.seconds)
        return replace(finished, lost_epochs=lost)

    def _wanted(self, batch: int) -> int:
        """A whole batch, or what the budget leaves of it."""
        if self.budget.trials is None:
            return batch
        return min(batch, self.budget.trials - self.trained - len(self.running))

    def _untrained(self, trial: Trial) -> FinishedTrial | None:
        """What becomes of a proposal that needs no training."""
        trials = self.budget.trials
        if trials is not None and self.others.before(trial.number) >= trials:
            return rejected(trial, "other processes have begun all trials")
        if trial.error is not None:
            return failed(trial, trial.error)
        reason = self._needless(trial)
        return rejected(trial, reason) if reason else None

    def _needless(self, trial: Trial) -> str:
        """Why training a proposal would bring nothing; empty where it may."""
        best = self.smallest
        if best is not None and trial.parameter_count >= best.parameter_count:
            return not_smaller(best)
        begun = trial.initial_epoch or trial.parent  # with weights that the other had not
        twin = None if begun else self.known.get(same(trial))
        return "" if twin is None else f"the same hyperparameters as trial {twin}"

    def _limited(self, trial: Trial, lost: int = 0) -> Trial:
        """As many epochs as are left; what they bring is still judged by all that it may take.

        Args:
            lost: epochs that its first try has just spent.
        """
        if self.budget.epochs is None:
            return trial
        left = self.budget.epochs - self._epochs() - self._reserved() - lost
        if left >= trial.epochs:
            return trial
        horizon = trial.horizon or trial.initial_epoch + trial.epochs
        return replace(trial, epochs=left, horizon=horizon, cut_short=True)

    def _spent(self) -> bool:
        budget, elsewhere = self.budget, self.others.running()
        self.catch_up()  # in this order nothing that has just ended is overlooked
        begun = self.trained + len(self.running) + elsewhere
        if budget.trials is not None and begun >= budget.trials:
            number = budget.trials
            self.end = f"all {number} trials are done" if number > 1 else "its one trial is done"
        elif budget.epochs is not None and self._epochs() + self._reserved() >= budget.epochs:
            self.end = f"all {budget.epochs} epochs are spent"
        elif self._late():
            self.end = f"{budget.seconds:g} seconds are over"
        else:
            return False
        return True

    def _epochs(self) -> int:
        """Those that are spent, also by first tries of what is under way again."""
        return self.epochs + sum(self.lost.values())

    def _reserved(self) -> int:
        """Epochs that the trials under way may still take."""
        return sum(trial.epochs for trial in self.running.values())

    def _late(self) -> bool:
        seconds = self.budget.seconds
        return seconds is not None and time.monotonic() - self.started >= seconds

    def _finish(self, finished: FinishedTrial) -> None:
        finished = replace(finished, ended=time.time())
        if self.engine.tell(finished) is False:
            return
        self._note(finished)
        for callback in self.on_finish:
            callback(finished)
        self.streak.note(finished)

    def _note(self, finished: FinishedTrial) -> None:
        if finished.state is TrialState.REJECTED:
            return
        self.trained += 1
        self.epochs += finished.epochs_spent
        if not was_cut_short(finished.reason):
            self.known.setdefault(same(finished), finished.number)
        best = self.smallest
        if finished.reached and (best is None or finished.parameter_count < best.parameter_count):
            self.smallest = finished
