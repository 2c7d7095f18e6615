"""Optuna studies: how a search keeps its own, and what is read from one made elsewhere."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import optuna
import sqlalchemy
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from .earlier import Earlier
from .errors import InputError, redacted
from .leases import Leases
from .sharing import Sharing
from .study_database import StudyDatabase
from .study_journal import StudyJournal
from .trials import RECORD, TrialState

if TYPE_CHECKING:
    from .metrics import Metric

Made = TypeVar("Made")
ATTEMPTS = 5  # to make a database's tables
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


def storage_of(storage: Path | str) -> optuna.storages.BaseStorage:
    """Optuna's storage for a journal file of ours, or for a URL.

    Raises InputError where there is no such storage.
    """
    if isinstance(storage, str):
        return _database(storage)
    return optuna.storages.JournalStorage(StudyJournal(storage))


class _ReadOnly(JournalFileBackend):
    """A journal that another process may be writing: what a reader would note down is dropped."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        return None


def reading_only(journal: Path) -> optuna.storages.BaseStorage:
    """The study of a search, also while it runs; nothing can be changed through it."""
    return optuna.storages.JournalStorage(_ReadOnly(str(journal)))


def shared(
    study: optuna.Study, storage: optuna.storages.BaseStorage, models: Path
) -> Sharing | None:
    """How processes share a study of a database; None for a journal, which one has alone."""
    if not isinstance(storage, StudyDatabase):
        return None
    leases = _patiently(lambda: Leases(storage.engine, study.study_name))
    return Sharing(study, storage, leases, models)


def set_study_aside(url: str, name: str) -> None:
    """Move a study of a database away, under a name that says when.

    Raises InputError where other processes are at work on it.
    """
    storage = _database(url)
    if name not in optuna.get_all_study_names(storage):
        return
    leases = _patiently(lambda: Leases(storage.engine, name))
    if leases.busy():
        raise InputError(
            f"Search {name!r} is running in other processes: end them before --fresh, "
            "or give this one another --name."
        )
    aside = f"{name}.{time.strftime('%Y%m%d-%H%M%S')}"
    optuna.copy_study(
        from_study_name=name, from_storage=storage, to_storage=storage, to_study_name=aside
    )
    optuna.delete_study(study_name=name, storage=storage)
    leases.forget()
    leases.close()


def _database(url: str) -> StudyDatabase:
    try:
        arguments: dict[str, Any] = {"pool_pre_ping": True}
        if url.startswith("sqlite"):
            arguments["connect_args"] = {"timeout": 60}
        return _patiently(lambda: StudyDatabase(url, engine_kwargs=arguments))
    except ImportError as error:
        raise InputError(
            f"--storage {redacted(url)} needs a driver that is not installed: "
            "pip install -e '.[postgresql]' for postgresql+psycopg://, or that of your database."
        ) from error
    except Exception as error:  # whatever a database, a driver or an address comes up with
        problem = redacted(" ".join(f"{type(error).__name__}: {error}".split()))[:300]
        raise InputError(
            f"--storage {redacted(url)} cannot be used: {problem.rstrip('.')}. "
            "Give the URL of a database that is there, as postgresql://user:password@host/name."
        ) from error


def _patiently(make: Callable[[], Made]) -> Made:
    """Try again where another process makes the same tables at this moment."""
    for _ in range(ATTEMPTS - 1):
        try:
            return make()
        except (optuna.exceptions.OptunaError, sqlalchemy.exc.DatabaseError):
            time.sleep(random.uniform(0.1, 1.0))
    return make()


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
