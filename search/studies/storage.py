"""Where the Optuna study of a search is kept: a journal file, or a database that many share."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import optuna
import sqlalchemy
from optuna.storages.journal import JournalFileBackend

from ..errors import InputError, in_one_line, redacted
from ..extras import installation
from .database_storage import StudyDatabase
from .journal_storage import StudyJournal
from .leases import Leases
from .outages import silence
from .sharing import Alone, Sharing

Made = TypeVar("Made")
ATTEMPTS = 5  # to make a database's tables
LIBPQ = ("psycopg", "psycopg2")  # drivers that take what PostgreSQL's own library takes


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


def others(
    study: optuna.Study, storage: optuna.storages.BaseStorage, models: Path
) -> Sharing | Alone:
    """The processes that share a study of a database; a journal is one process's own."""
    if not isinstance(storage, StudyDatabase):
        trials = study.get_trials(deepcopy=False)
        return Alone([each for each in trials if each.state is optuna.trial.TrialState.RUNNING])
    leases = _patiently(lambda: Leases(storage.engine, study.study_name))
    _patiently(leases.attend)
    return Sharing(study, storage, leases, models)


def set_study_aside(url: str, name: str) -> None:
    """Move a study of a database away, under a name that says when.

    Raises InputError where other processes are at work on it.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # its lines are not for our users
    storage = _database(url)
    if name not in optuna.get_all_study_names(storage):
        return
    leases = _patiently(lambda: Leases(storage.engine, name))
    try:
        _refuse_if_busy(leases, name)
        aside = f"{name}.{time.strftime('%Y%m%d-%H%M%S')}"
        optuna.copy_study(
            from_study_name=name, from_storage=storage, to_storage=storage, to_study_name=aside
        )
        optuna.delete_study(study_name=name, storage=storage)
        leases.forget()
    finally:
        leases.close()


def _refuse_if_busy(leases: Leases, name: str) -> None:
    if leases.busy():
        raise InputError(
            f"Search {name!r} is running in other processes: end them before --fresh, "
            "or give this one another --name."
        )


def check_reachable(url: str) -> None:
    """Refuse an address that leads nowhere; nothing is made there.

    Raises InputError where there is no such database, nor a folder that could hold it.
    """

    def reach() -> None:
        address = sqlalchemy.make_url(url)
        file = Path(str(address.database)) if address.get_backend_name() == "sqlite" else None
        if file is not None and not file.exists():
            if not os.access(file.parent, os.W_OK):
                raise FileNotFoundError(f"{file.parent} is no folder that can be written to")
            return
        engine = sqlalchemy.create_engine(address, connect_args=_patience(address))
        engine.connect().close()
        engine.dispose()

    _of_address(url, reach)


def _database(url: str) -> StudyDatabase:
    def connect() -> StudyDatabase:
        arguments = {"pool_pre_ping": True, "connect_args": _patience(sqlalchemy.make_url(url))}
        return StudyDatabase(url, engine_kwargs=arguments)

    made = _of_address(url, lambda: _patiently(connect))
    if made.engine.dialect.name == "postgresql":
        _limit_transactions(made.engine)
    return made


def _patience(address: sqlalchemy.URL) -> dict[str, Any]:
    """How long a driver waits, but for what the address itself says of it.

    TCP waits two hours for the answer of a server that has vanished without a word. Here a call
    fails after a third of a lease, so that there is time to try it again.
    """
    if address.get_backend_name() == "sqlite":
        return {"timeout": 60}
    if address.get_driver_name() not in LIBPQ:
        return {}
    seconds = max(2, round(silence() / 3))  # libpq takes 1 for 2
    waits = {"connect_timeout": seconds, "tcp_user_timeout": 1000 * seconds}
    waits |= {"keepalives_idle": seconds // 2, "keepalives_interval": seconds // 2}
    return {name: wait for name, wait in waits.items() if name not in address.query}


def _limit_transactions(database: sqlalchemy.Engine) -> None:
    """A process that is frozen within a transaction holds up the others no longer than a lease."""

    @sqlalchemy.event.listens_for(database, "connect")
    def limit(connection: Any, record: Any) -> None:
        with connection.cursor() as cursor:
            seconds = max(1, round(silence()))
            cursor.execute(f"SET idle_in_transaction_session_timeout = '{seconds}s'")
        connection.commit()

    database.dispose()  # what was opened before has no limit


def _of_address(url: str, make: Callable[[], Made]) -> Made:
    """What is made of the address of a database, or in one line what is wrong with that."""
    if re.fullmatch(r"sqlite(\+\w+)?://(/|/:memory:)?", url):
        raise InputError(
            f"--storage {url} is the memory of one process, where nothing is kept or shared: name "
            "a file, as sqlite:////tmp/study.db, or a server."
        )
    try:
        return make()
    except ImportError as error:
        raise InputError(
            f"--storage {redacted(url)} needs a driver that is not installed: that of your "
            f"database, or for postgresql+psycopg:// {installation('postgresql')}"
        ) from error
    except Exception as error:  # whatever a database, a driver or an address comes up with
        problem = redacted(in_one_line(error))[:300]
        raise InputError(
            f"--storage {redacted(url)} cannot be used: {problem.rstrip('.')}. "
            "Give the URL of a database that is there, as postgresql+psycopg://user@host/name."
        ) from error


def _patiently(make: Callable[[], Made]) -> Made:
    """Try again where another process makes the same tables at this moment."""
    for _ in range(ATTEMPTS - 1):
        try:
            return make()
        except (optuna.exceptions.OptunaError, sqlalchemy.exc.DatabaseError):
            time.sleep(random.uniform(0.1, 1.0))
    return make()
