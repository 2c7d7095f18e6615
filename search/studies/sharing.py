"""What a process needs to know of the others that work on its search, where there are any."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import written_whole
from ..trials import IMPORTED, RECORD, FinishedTrial, TrialState, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from .database_storage import StudyDatabase
    from .leases import Leases


class Alone:
    """Nobody: the search is this process's own.

    Args:
        running: trials that were under way when the process that had it before ended.
    """

    shared = False

    def __init__(self, running: Sequence[Any] = ()) -> None:
        self._running = list(running)

    def alone(self, item: str) -> AbstractContextManager[None]:
        return nullcontext()

    def left_behind(self) -> list[Any]:
        left, self._running = self._running, []
        return left

    def news(self) -> list[FinishedTrial]:
        return []

    def note(self, numbers: Iterable[int]) -> None:
        """They need not be told."""

    def running(self) -> int:
        return 0

    def elsewhere(self) -> set[str]:
        return set()

    def busy(self) -> bool:
        return False

    def left(self) -> bool:
        return False

    def before(self, number: int) -> int:
        return 0

    def take(self, number: int) -> bool:
        return True

    def claim(self, number: int) -> bool:
        return True

    def holds(self, number: int) -> bool:
        return True

    def tell(self, finished: FinishedTrial) -> bool:
        return True

    def release(self) -> None:
        """Nobody waits for it."""

    def localised(self, finished: FinishedTrial) -> FinishedTrial:
        return finished

    def close(self) -> None:
        """Nothing was opened."""


class Sharing:
    """The other processes of a search whose study is in a database.

    Args:
        study: Optuna's, in that database.
        models: folder of this process's own for the models that reach.
    """

    shared = True

    def __init__(self, study: Any, database: StudyDatabase, leases: Leases, models: Path) -> None:
        self._study, self._database = study, database
        self._leases, self._models = leases, models
        self._noted: set[int] = set()
        self._told: list[int] = []

    def alone(self, item: str) -> AbstractContextManager[None]:
        """Do what one of the processes may do at a time; waits until it is this one's turn."""
        return self._leases.alone(item)

    def left_behind(self) -> list[Any]:
        """Trials under way whose process is gone: this one has taken them over.

        To be called while no other process proposes trials.
        """
        self._database.settle()
        running = {str(trial.number): trial for trial in self._running()}
        orphaned = sorted(self._leases.orphaned(set(running)), key=int)
        taken = [running[item] for item in orphaned if self._leases.take(item)]
        self._database.unsettle(taken)
        return taken

    def news(self) -> list[FinishedTrial]:
        """What other processes have told since this was last asked."""
        told = [
            unpacked(record)
            for number, record in self._records()
            if number not in self._noted and record
        ]
        self.note(each.number for each in told)
        return told

    def note(self, numbers: Iterable[int]) -> None:
        """These trials are known here."""
        self._noted.update(numbers)

    def running(self) -> int:
        """Trials that other processes are at."""
        elsewhere = self.elsewhere()
        return sum(str(trial.number) in elsewhere for trial in self._untold())

    def elsewhere(self) -> set[str]:
        """What other processes are at that are alive: numbers of trials, and other items."""
        return self._leases.elsewhere()

    def busy(self) -> bool:
        """Whether another process is at a trial, has one to record, or has left one behind."""
        if any(item.isdigit() for item in self.elsewhere()):
            return True
        return not all(self._leases.holds(trial.number) for trial in self._untold())

    def left(self) -> bool:
        """Whether a process that is gone has left trials behind."""
        return bool(self._leases.orphaned({str(trial.number) for trial in self._untold()}))

    def before(self, number: int) -> int:
        """Trials with a lower number that are trained, or are going to be."""
        rejected = TrialState.REJECTED.value
        return sum(
            record is None or record["state"] != rejected
            for each, record in self._records()
            if each < number
        )

    def take(self, number: int) -> bool:
        """Become the owner of a trial that this process has proposed."""
        return self._leases.take(number)

    def claim(self, number: int) -> bool:
        """Become the one who records a trial that was told; false where another process does."""
        if not self.take(number):
            return False
        self._told.append(number)
        return True

    def holds(self, number: int) -> bool:
        """Whether a trial is still this process's, to tell or to record."""
        return self._leases.holds(number)

    def tell(self, finished: FinishedTrial) -> bool:
        """Make ready to record a trial; false where another process has taken it over."""
        if not self.holds(finished.number):
            return False
        if finished.model_path is not None:
            self._leases.keep(finished.number, Path(finished.model_path).read_bytes())
        self._told.append(finished.number)
        return True

    def release(self) -> None:
        """Let go of what is told and recorded."""
        self._leases.release(self._told)
        self._told = []

    def localised(self, finished: FinishedTrial) -> FinishedTrial:
        """A trial with its model in a file of this process's own."""
        if finished.model_path is None:
            return finished
        path = self._models / Path(finished.model_path).name
        if not path.exists():
            content = self._leases.model(finished.number)
            with written_whole(path) as part:
                part.write_bytes(content)
        return replace(finished, model_path=str(path))

    def close(self) -> None:
        """Give no more sign of life: what this process is still at, others may take."""
        self._leases.close()

    def _running(self) -> list[Any]:
        trials = self._study.get_trials(deepcopy=False)
        return [each for each in trials if each.state.name == "RUNNING"]

    def _untold(self) -> list[Any]:
        """Without what was recorded by a process that died before it had told Optuna."""
        return [trial for trial in self._running() if RECORD not in trial.user_attrs]

    def _records(self) -> list[tuple[int, Mapping[str, Any] | None]]:
        """Of each trial of this search that was begun; None: it has not ended."""
        return [
            (each.number, each.user_attrs.get(RECORD))
            for each in self._study.get_trials(deepcopy=False)
            if each.state.name != "WAITING" and IMPORTED not in each.user_attrs
        ]
