"""MLflow's store: where it is, and how to reach it quietly."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError, Unreachable, first_line, reason, redacted
from ..files import cache_folder, takes_files, temporary_folder, written_whole
from . import moved

QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",  # what fails is raised, and told in one line
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # its own 7 make a dead server cost four minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
for variable, value in QUIET.items():
    os.environ.setdefault(variable, value)

import mlflow as mlflow  # noqa: E402  # reads these settings while it is imported
import sqlalchemy  # noqa: E402  # after mlflow, which brings it
from filelock import FileLock, Timeout  # noqa: E402
from mlflow.tracking._tracking_service import utils as tracking_utils  # noqa: E402

if os.environ["MLFLOW_LOGGING_LEVEL"] == QUIET["MLFLOW_LOGGING_LEVEL"]:  # else the user's own
    for name in ("mlflow", "alembic"):  # which may have been imported before
        logging.getLogger(name).setLevel(logging.CRITICAL)

FAILURES = (mlflow.exceptions.MlflowException, sqlalchemy.exc.SQLAlchemyError, OSError)
DEFAULT = "MLFLOW_TRACKING_URI"  # environment variable
SECONDS_TO_ANSWER = 3
SECONDS_TO_MAKE = 120  # for another process to have made the tables
_chosen_here: list[str] = []  # MLflow's current store, where it is current by Occam alone


def default_uri() -> str:
    """`MLFLOW_TRACKING_URI`, or a SQLite file in `mlruns/` of the working directory.

    Its path is absolute: MLflow keeps one store an address, whatever folder that was meant from.
    Where it has what an address takes for its own, as `feature%2Fx` has, it has to be relative.
    """
    there = Path("mlruns", "mlflow.db")
    if not {"%", "?"}.intersection(str(there.resolve())):
        there = there.resolve()
    return os.environ.get(DEFAULT) or f"sqlite:///{there.as_posix()}"


def connect(uri: str, *, create: bool = False, write: bool = False) -> mlflow.MlflowClient:
    """A client of this store, which also becomes MLflow's current one.

    Args:
        create: make the folder and the tables of a SQLite store that is not there yet.
        write: refuse a store that can only be read.
    """
    try:
        database = sqlite_file(uri)
        if database is not None and create:
            _make(database)
        if database is not None:
            _check(database, write=write or create)
            if moved.follow(database):
                tracking_utils._artifact_repos_cache.clear()  # MLflow's, of runs' old places
        _make_current(uri)
        client = mlflow.MlflowClient(uri)
        client.search_experiments(max_results=1)
    except ImportError as error:
        raise InputError(
            f"MLflow's store {redacted(uri)!r} needs a driver that is not installed: "
            f"{first_line(error)}. Install it, or give another store with --tracking-uri."
        ) from error
    except (*FAILURES, sqlite3.Error) as error:
        raise InputError(
            f"MLflow's store {redacted(uri)!r} cannot be used: {first_line(error)}. "
            f"Check that it is there{' and writable' * (write or create)}, or give another with "
            "--tracking-uri."
        ) from error
    return client


def _make_current(uri: str) -> None:
    """MLflow's current store; not the environment's, which says what the user's default is."""
    given = os.environ.get(DEFAULT)
    mlflow.set_tracking_uri(uri)
    _chosen_here[:] = [uri]
    os.environ.pop(DEFAULT, None)
    if given is not None:
        os.environ[DEFAULT] = given


@contextmanager
def users_store_kept() -> Iterator[None]:
    """The store that somebody's own run is written to is MLflow's current one again afterwards."""
    before = mlflow.get_tracking_uri()
    known = tracking_utils.is_tracking_uri_set() and before not in _chosen_here
    chosen = mlflow.active_run() is not None or known
    try:
        yield
    finally:
        if chosen:
            _make_current(before)
            _chosen_here.clear()


@contextmanager
def registering(uri: str) -> Iterator[None]:
    """One process at a time of this machine, in the registry of this store."""
    database = sqlite_file(uri)
    if database is not None:
        lock = database.with_name(f".{database.name}.registry.lock")
    else:
        folder = cache_folder() if takes_files(cache_folder()) else temporary_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = folder / f"{hashlib.sha256(uri.encode()).hexdigest()[:16]}.registry.lock"
    with FileLock(lock):
        yield


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Say in one line that MLflow failed while it was being written or read."""
    try:
        yield
    except FAILURES as error:
        raise Unreachable(
            f"MLflow's store {redacted(uri)!r} failed: {reason(error)}. "
            "What was trained is kept: run the same command again once the store works."
        ) from error


@contextmanager
def loading(pipeline: str) -> Iterator[None]:
    """Say in one line why a packed model cannot be loaded here.

    Raises InputError where another Python or another backend is needed.
    """
    try:
        yield
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"The model of {pipeline!r} cannot be loaded: {first_line(error).rstrip('.')}."
        ) from error


def answers(uri: str) -> bool:
    """Whether a store can be reached at this moment, found out within seconds."""
    database = sqlite_file(uri)
    try:
        if database is not None:
            _check(database, write=True, seconds=1)
        elif uri.startswith(("http://", "https://")):
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=SECONDS_TO_ANSWER).close()
    except urllib.error.HTTPError:  # an answer, whatever it says
        return True
    except (OSError, sqlite3.Error, InputError):
        return False
    return True


@contextmanager
def quietly() -> Iterator[None]:
    """Without the warnings that MLflow raises about its own type hints and examples."""
    with warnings.catch_warnings(action="ignore"):
        yield


def sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite store; None for any other store.

    Raises InputError where an address of SQLite names no file.
    """
    if not uri.startswith(("sqlite:", "sqlite+")):
        return None
    try:
        named = sqlalchemy.engine.make_url(uri).database
    except sqlalchemy.exc.ArgumentError:
        named = None
    if named in (None, "", ":memory:"):
        raise InputError(
            f"MLflow's store {uri!r} names no file that could keep anything: give one as "
            "sqlite:///mlruns/mlflow.db with --tracking-uri."
        )
    return Path(str(named))


def _make(database: Path) -> None:
    """Make a database with MLflow's tables, aside: one that is cut off cannot be used any more."""
    database.parent.mkdir(parents=True, exist_ok=True)
    if database.exists():
        return
    lock = database.with_name(f".{database.name}.lock")
    lock.touch()  # or fail at once: a FileLock tries again and again
    try:
        held = FileLock(lock, timeout=SECONDS_TO_MAKE).acquire()
    except Timeout as error:
        raise InputError(
            f"Another process has been making {database} for {SECONDS_TO_MAKE} s: end it, or give "
            "another store with --tracking-uri."
        ) from error
    with held:
        if database.exists():
            return
        with written_whole(database) as part:
            part.unlink(missing_ok=True)
            with _unsynced(part):
                store = mlflow.MlflowClient(f"sqlite:///{part.as_posix()}")._tracking_client.store
                store.engine.dispose()
            with part.open("rb+") as file:
                os.fsync(file.fileno())


@contextmanager
def _unsynced(part: Path) -> Iterator[None]:
    """Have SQLite wait for no disk at each of MLflow's hundreds of migrations of this file."""

    def relax(connection: Any, record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            _, _, file = connection.execute("PRAGMA database_list").fetchone()
            if Path(file).name == part.name:
                connection.execute("PRAGMA synchronous = OFF")

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", relax)
    try:
        yield
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "connect", relax)


def _check(database: Path, *, write: bool, seconds: float = 20) -> None:
    """Fail at once on a file that is no database to use: MLflow retries that for minutes."""
    if database.exists() and not database.is_file():
        raise InputError(
            f"MLflow's store {database} is no file: give another with --tracking-uri, as "
            "sqlite:///mlruns/mlflow.db."
        )
    if not database.is_file():
        raise InputError(f"No search yet: {database} does not exist. Run `occam search PIPELINE`.")
    if write and not (os.access(database, os.W_OK) and os.access(database.parent, os.W_OK)):
        raise InputError(
            f"MLflow's store {database} can only be read: have it made writable, or give another "
            "with --tracking-uri."
        )
    with closing(sqlite3.connect(database, timeout=seconds)) as connection:
        connection.execute("BEGIN IMMEDIATE" if write else "SELECT 1 FROM sqlite_master")
