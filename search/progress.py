"""Shows a search at work: a bar on a terminal, a line for each new best elsewhere."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from .failures import cause
from .figures import figure
from .trials import FinishedTrial, TrialState

if TYPE_CHECKING:
    from .loop import Budget
    from .screen import Screen

PERIOD = 20.0  # seconds between two signs of life where there is no bar
WORDS = 66  # characters of all that stands beside the bar


class SearchProgress:
    """Trials done, best so far, epochs, each reason to fail once; as a context manager."""

    def __init__(self, screen: Screen, budget: Budget) -> None:
        self._screen = screen
        self._best: FinishedTrial | None = None
        self._trained = self._epochs = 0
        self._spoken = time.monotonic()
        self._told: set[str] = set()  # why trials have failed
        self._limit = "" if budget.epochs is None else f" of {budget.epochs:,}"
        until = "" if budget.seconds is None else f"of {timedelta(seconds=round(budget.seconds))}"
        free = screen.width - WORDS - len(self._limit) - len(until)
        self._bar = Progress(
            BarColumn(bar_width=max(4, min(24, free))),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            "trials",
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            *([until] if until else []),
            _Words("best"),
            _Words("epochs"),
            console=screen,
            disable=not screen.is_watched,
        )
        self._task = self._bar.add_task("search", total=budget.trials, best="", epochs="")

    def __enter__(self) -> SearchProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def recall(self, finished: FinishedTrial) -> None:
        """Take in a trial of an earlier run of the same search."""
        if finished.state is TrialState.REJECTED:
            return
        self._trained += 1
        self._epochs += finished.epochs_spent
        if finished.reached and (
            self._best is None or finished.parameter_count < self._best.parameter_count
        ):
            self._best = finished

    def finish(self, finished: FinishedTrial) -> None:
        """Take in a trial that has just ended."""
        previous = self._best
        self.recall(finished)
        self._refresh()
        if finished.error and (why := cause(finished.error)) not in self._told:
            self._told.add(why)
            self.say(f"trial {finished.number} failed: {finished.error}")
        if self._screen.is_terminal:
            return
        if self._best is not previous:
            self.say(f"trial {finished.number}: new best, {self._words()}")
        else:
            self._give_sign(f"{self._epochs:,} epochs")

    def epoch(self, epochs: int, score: float) -> None:
        """Take in one epoch of the trial under way."""
        self._bar.update(self._task, epochs=f"epoch {epochs}, {figure(score)}")
        if not self._screen.is_terminal:
            self._give_sign(f"another at epoch {epochs} with {figure(score)}")

    def end(self, reason: str) -> None:
        """Say why the search ended."""
        self.say(f"Search ended: {reason}.")

    def say(self, line: str) -> None:
        """One line, above the bar."""
        self._spoken = time.monotonic()
        self._screen.say(line)

    def _give_sign(self, news: str) -> None:
        """A line where there was none for a while."""
        if time.monotonic() - self._spoken > PERIOD:
            trials = "1 trial" if self._trained == 1 else f"{self._trained:,} trials"
            self.say(f"{trials} done, {news}; best: {self._words()}")

    def _refresh(self) -> None:
        self._bar.update(
            self._task,
            completed=self._trained,
            best=f"best {self._words()}",
            epochs=f"{self._epochs:,}{self._limit} epochs",
        )

    def _words(self) -> str:
        if self._best is None or self._best.score is None:
            return "none yet"
        return f"{self._best.parameter_count:,} parameters at {figure(self._best.score)}"


class _Words(ProgressColumn):
    """A field of the task, cut off where the terminal is narrow: trials and time stay whole."""

    def __init__(self, field: str) -> None:
        self._field = field
        super().__init__()

    def render(self, task: Task) -> Text:
        return Text(task.fields[self._field], no_wrap=True, overflow="ellipsis")
