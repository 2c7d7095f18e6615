"""Optuna studies: how a search keeps its own, and what is read from one made elsewhere."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._storage import JournalOperation  # private; a test pins it

from .earlier import Earlier
from .errors import InputError
from .trials import RECORD, TrialState

if TYPE_CHECKING:
    from .metrics import Metric

FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


def read(source: str, metric: Metric) -> list[Earlier]:
    """The finished trials of a study: a journal or SQLite file or a URL, `#NAME` for one of many.

    An objective that goes the metric's way is taken for the metric itself.
    """
    place, _, name = source.partition("#")
    try:
        storage = _storage(place)
        names = optuna.get_all_study_names(storage)
        chosen = name or (names[0] if len(names) == 1 else "")
        if chosen not in names:
            raise InputError(_unknown(place, name, names))
        study = optuna.load_study(study_name=chosen, storage=storage)
        trials = study.get_trials(deepcopy=False)
    except InputError:
        raise
    except Exception as error:  # whatever a database, a driver or a broken file comes up with
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"--warm-start {place} cannot be read: {problem}.") from error
    finished = [_earlier(study, trial, metric) for trial in trials]
    return [each for each in finished if each is not None]


class _Journal(JournalFileBackend):
    """Optuna's journal file for one process, which the search's own lock makes sure of.

    Optuna locks and syncs at each value that a trial suggests, which takes longer than a small
    trial trains. Here what is written is in the file at once, so that a killed process loses
    nothing; a trial that ends is on the disk, and all before it, before the search goes on.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with Path(self._file_path).open("ab") as file:
            file.write(lines.encode())
            file.flush()
            if any(log["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES for log in logs):
                os.fsync(file.fileno())


def storage_of(storage: Path | str) -> optuna.storages.BaseStorage | str:
    """Optuna's storage for a journal file of ours, or for a URL."""
    if isinstance(storage, str):
        return storage
    storage.parent.mkdir(parents=True, exist_ok=True)
    _mend(storage)
    return optuna.storages.JournalStorage(_Journal(str(storage)))


class _ReadOnly(_Journal):
    """A journal that another process may be writing: what a reader would note down is dropped."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        return None


def reading_only(journal: Path) -> optuna.storages.BaseStorage:
    """The study of a search, also while it runs; nothing can be changed through it."""
    return optuna.storages.JournalStorage(_ReadOnly(str(journal)))


def _mend(journal: Path) -> None:
    """Drop a last line that a killed process wrote by half, and its lock."""
    for lock in journal.parent.glob(f"{journal.name}.lock*"):
        lock.unlink()
    if not journal.exists():
        return
    os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)


def _storage(place: str) -> optuna.storages.BaseStorage:
    """The storage at a place; opening a file that is not there would make it."""
    if "://" in place:
        return optuna.storages.get_storage(place)
    path = Path(place)
    if not path.is_file():
        raise InputError(
            f"--warm-start {place} does not exist: give a KerasTuner project directory, or an "
            "Optuna journal, SQLite file or URL."
        )
    with path.open("rb") as file:
        database = file.read(15) == b"SQLite format 3"
    if database:
        return optuna.storages.get_storage(f"sqlite:///{path.resolve()}")
    backend = JournalFileBackend(str(path), lock_obj=JournalFileOpenLock(str(path)))
    return optuna.storages.JournalStorage(backend)


def _unknown(place: str, name: str, names: list[str]) -> str:
    listed = ", ".join(names)
    if not names:
        return f"--warm-start {place} is no Optuna study: it holds none."
    if name:
        return f"--warm-start {place} has no study {name!r}. Available studies: {listed}."
    return f"--warm-start {place} holds {len(names)} studies ({listed}): add #NAME for one of them."


def _earlier(
    study: optuna.Study, trial: optuna.trial.FrozenTrial, metric: Metric
) -> Earlier | None:
    record = trial.user_attrs.get(RECORD)
    if record is not None:
        trained = record["state"] != TrialState.REJECTED.value and record["score"] is not None
        values = record["hyperparameters"]
        return Earlier(hyperparameters=values, score=record["score"]) if trained else None
    if trial.state not in FINISHED or not trial.params:
        return None
    value = trial.values[0] if trial.values else math.nan
    if not math.isfinite(value):
        return Earlier(hyperparameters=trial.params)
    rising = study.directions[0] is optuna.study.StudyDirection.MAXIMIZE
    same = rising is metric.higher_is_better and _within(metric, value)
    return Earlier(
        hyperparameters=trial.params,
        score=value if same else None,
        rank=-value if rising else value,
    )


def _within(metric: Any, value: float) -> bool:
    low, high = sorted((metric.perfect, metric.worst))
    return bool(low <= value <= high)
