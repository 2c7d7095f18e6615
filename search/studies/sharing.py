"""What the processes that share one study need to know of each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import written_whole
from ..trials import IMPORTED, RECORD, FinishedTrial, TrialState, unpacked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .database_storage import StudyDatabase
    from .leases import Leases


class Sharing:
    """A search of several processes, seen from one of them.

    Args:
        study: Optuna's, in that database.
        models: folder of this process's own for the models that reach.
    """

    def __init__(self, study: Any, database: StudyDatabase, leases: Leases, models: Path) -> None:
        self._study, self._database = study, database
        self.leases, self._models = leases, models
        self._noted: set[int] = set()
        self._told: list[int] = []

    def left_behind(self) -> list[Any]:
        """Trials under way whose process is gone: this one has taken them over.

        To be called while no other process proposes trials.
        """
        self._database.settle()
        running = {str(trial.number): trial for trial in self._running()}
        orphaned = sorted(self.leases.orphaned(set(running)), key=int)
        taken = [running[item] for item in orphaned if self.leases.take(item)]
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
        elsewhere = self.leases.elsewhere()
        return sum(str(trial.number) in elsewhere for trial in self._running())

    def busy(self) -> bool:
        """Whether another process is at a trial, has one to record, or has left one behind."""
        if any(item.isdigit() for item in self.leases.elsewhere()):
            return True
        return not all(self.leases.holds(trial.number) for trial in self._running())

    def left(self) -> bool:
        """Whether a process that is gone has left trials behind."""
        return bool(self.leases.orphaned({str(trial.number) for trial in self._running()}))

    def before(self, number: int) -> int:
        """Trials with a lower number that are trained, or are going to be."""
        rejected = TrialState.REJECTED.value
        return sum(
            record is None or record["state"] != rejected
            for each, record in self._records()
            if each < number
        )

    def tell(self, finished: FinishedTrial) -> bool:
        """Make ready to record a trial; false where another process has taken it over."""
        if not self.leases.holds(finished.number):
            return False
        if finished.model_path is not None:
            self.leases.keep(finished.number, Path(finished.model_path).read_bytes())
        self._told.append(finished.number)
        self.note([finished.number])
        return True

    def release(self) -> None:
        """Let go of what is told and recorded."""
        self.leases.release(self._told)
        self._told = []

    def localised(self, finished: FinishedTrial) -> FinishedTrial:
        """A trial with its model in a file of this process's own."""
        if finished.model_path is None:
            return finished
        path = self._models / Path(finished.model_path).name
        if not path.exists():
            content = self.leases.model(finished.number)
            with written_whole(path) as part:
                part.write_bytes(content)
        return replace(finished, model_path=str(path))

    def _running(self) -> list[Any]:
        trials = self._study.get_trials(deepcopy=False)
        return [each for each in trials if each.state.name == "RUNNING"]

    def _records(self) -> list[tuple[int, Mapping[str, Any] | None]]:
        """Of each trial of this search that was begun; None: it has not ended."""
        return [
            (each.number, each.user_attrs.get(RECORD))
            for each in self._study.get_trials(deepcopy=False)
            if each.state.name != "WAITING" and IMPORTED not in each.user_attrs
        ]
