"""Opens a search: its engine with all that is known already, and the lock that keeps it alone."""

from __future__ import annotations

import importlib
import importlib.util
import math
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from .errors import InputError
from .files import takes_files, written_whole
from .nests import rows
from .studies import STUDIES, STUDY
from .studies.carrying import carry_over, depends, resume, set_aside
from .studies.earlier import METRIC, teach
from .studies.warm_start import read as read_warm_start

if TYPE_CHECKING:
    from .devices import Places
    from .plan import Plan
    from .screen import Screen
    from .settings import Asked, Settings
    from .studies.carrying import Depends
    from .studies.earlier import Earlier

IDENTITY = "identity"  # of a study: its trials' numbers mean nothing beside another's
BAR = "search target"  # by which all trials of a study were judged
_OTHER = (
    "Search {!r} was made with other data, or with another target, metric, seed, margin, engine, "
    "sampler, trainer, backend, batch size, number of epochs or code of own layers, losses or "
    "metrics: give this one another --name, or start it anew with --fresh."
)

_ANOTHER_SPACE = (
    "The space of search {!r} has changed, and trials are carried over only without --storage: "
    "give this one another --name."
)


def check(settings: Settings, asked: Asked, uri: str) -> list[Earlier]:
    """Refuse what cannot be used, before any data is read.

    Returns what `--warm-start` knows.
    """
    from .runs.experiments import usable
    from .runs.store import connect, sqlite_file

    _check_writable(STUDIES)
    warm = settings.warm_start
    earlier = read_warm_start(warm, asked.metric) if warm else []
    database = sqlite_file(uri)
    if database is None or database.exists():
        usable(connect(uri, write=True), uri, asked.pipeline.name)
    else:
        _check_writable(database.parent)
    if settings.storage is not None:
        _check_storage(settings.storage, settings.engine)
    if settings.executor == "ray":
        _check_cluster(asked.places)
    return earlier


def check_planned(settings: Settings, planned: Plan, uri: str) -> None:
    """Refuse what cannot be gone on with, and a store or a storage that cannot be made."""
    from .runs.store import connect, sqlite_file
    from .studies.storage import storage_of

    if not settings.fresh:
        _check_same(settings, planned, depends(STUDIES / planned.name))
    if settings.storage is not None:
        storage_of(settings.storage)
    if sqlite_file(uri) is not None:
        connect(uri, create=True)


def _check_writable(folder: Path) -> None:
    if not takes_files(folder):
        raise InputError(f"Cannot write to {folder}: start the search in a folder of your own.")


def _check_same(settings: Settings, planned: Plan, before: Depends | None) -> None:
    """Refuse to go on with what was begun with other data, or as another search."""
    now = planned.depends
    if before is None or before == now:
        return
    if before.rest != now.rest:
        raise InputError(_OTHER.format(planned.name))
    if settings.storage:
        raise InputError(_ANOTHER_SPACE.format(planned.name))


def _check_cluster(places: Places) -> None:
    from .devices import share
    from .executors.ray_actors import check_cluster

    gpu = share(places.workers, places.gpus, places.trials_per_gpu)
    check_cluster(places.workers, gpu=gpu)


def _check_storage(url: str, engine: str) -> None:
    if engine != "optuna":
        raise InputError(
            f"--storage names a storage of Optuna: leave it out with --engine {engine}."
        )
    from .studies.storage import check_reachable

    check_reachable(url)


def open_engine(
    settings: Settings, planned: Plan, folder: Path, screen: Screen, earlier: list[Earlier]
) -> Any:
    """The engine of this search, with all that it knows from earlier runs and other studies."""
    module = importlib.import_module(f".engines.{settings.engine.replace('-', '_')}", __package__)

    def make(place: Path) -> Any:
        return module.Engine(
            planned.pipeline,
            name=planned.name,
            storage=settings.storage or place / STUDY,
            sampler=settings.sampler,
            seed=settings.seed,
            metric=planned.metric,
            search_target=planned.search_target,
            inputs=planned.prepared.data.train[0],
            fit_space=planned.fit_space,
            **_more(settings, planned, folder, screen),
        )

    if settings.fresh:
        _set_aside(settings, planned.name, folder)
    if not settings.storage and (folder / IDENTITY).exists() and not (folder / STUDY).exists():
        set_aside(folder)  # it is of a study in a database, or its own study is lost
    resume(folder)
    now, before = planned.depends, depends(folder)
    _check_same(settings, planned, before)
    if before is not None and before.space != now.space:
        finished, kept = module.records(folder / STUDY, planned.name)
        screen.say(carry_over(folder, finished, kept, make, now))
    engine = make(folder)
    with leaving(engine), engine.others.alone("opening"):
        _prepare(engine, settings, planned, screen, earlier)
        _keep(folder, engine.recall(IDENTITY))
        now.write(folder)
    return engine


@contextmanager
def leaving(engine: Any) -> Iterator[None]:
    """Where what is done with an engine fails, give the other processes no more sign of life."""
    try:
        yield
    except BaseException:
        engine.others.close()
        raise


def _prepare(
    engine: Any, settings: Settings, planned: Plan, screen: Screen, earlier: list[Earlier]
) -> None:
    """Check that the study is this search's, and teach it what other projects know."""
    rest, space = planned.depends.rest, planned.depends.space
    if engine.recall("fingerprint", rest) != rest:  # a database, with no folder here
        raise InputError(_OTHER.format(planned.name))
    if engine.others.shared and engine.recall("space", space) != space:
        raise InputError(_ANOTHER_SPACE.format(planned.name))
    if not math.isclose(engine.recall(BAR, planned.search_target), planned.search_target):
        raise InputError(_OTHER.format(planned.name))
    if engine.recall(BAR) is None:
        engine.remember(BAR, planned.search_target)
    if engine.recall("fingerprint") is None:
        engine.remember("fingerprint", rest)
        engine.remember("space", space)
        engine.remember(METRIC, planned.metric.name)
    if engine.recall(IDENTITY) is None:
        engine.remember(IDENTITY, uuid.uuid4().hex)
    if earlier and settings.warm_start != engine.recall("warm start"):
        said = teach(engine, earlier, planned.metric, planned.search_target)
        engine.remember("warm start", settings.warm_start)
        screen.say(f"Warm start from {settings.warm_start}: {said}.")


def _keep(folder: Path, identity: str) -> None:
    """Set models aside that are of another study: one of a database, begun anew elsewhere."""
    kept = folder / IDENTITY
    before = kept.read_text(encoding="utf-8") if kept.exists() else ""  # empty: of a full disk
    if before == identity:
        return
    if before:
        set_aside(folder)
    with written_whole(kept) as part:
        part.write_text(identity, encoding="utf-8")


def _set_aside(settings: Settings, name: str, folder: Path) -> None:
    """First what may be refused: other processes of this machine may be using the folder, too."""
    if settings.storage and settings.engine == "optuna":
        from .studies.storage import set_study_aside

        set_study_aside(settings.storage, name)
    if folder.exists():
        set_aside(folder)


def _more(settings: Settings, planned: Plan, folder: Path, screen: Screen) -> dict[str, Any]:
    """What Optuna's engine is told besides: its models' folder, and what populations know."""
    if settings.engine != "optuna":
        return {}
    more: dict[str, Any] = {"models": folder / "models"}
    if importlib.util.find_spec("jax") is None:
        return more
    more["narrows"] = _narrows(planned, screen)
    if planned.trainer == "fit":
        return more
    from .training.population.templates import Templates

    rows_there = rows(planned.prepared.data.train[0])
    return more | {"template": Templates(planned.pipeline, rows_there)}


def _narrows(planned: Plan, screen: Screen) -> Callable[..., bool]:
    """Whether a model can begin with units of another; JAX is imported when that is first asked."""

    @cache
    def narrows() -> Callable[..., bool]:
        from .training.population.templates import Narrows

        return Narrows(planned.pipeline, rows(planned.prepared.data.train[0]), screen.say)

    return lambda wide, narrow: narrows()(wide, narrow)


@contextmanager
def locked(planned: Plan, storage: str | None) -> Iterator[None]:
    """One process a search, where its study is a file; in a database several share it."""
    name = planned.name
    lock = FileLock(STUDIES / f".{name}.lock")  # which no search is called
    try:
        STUDIES.mkdir(parents=True, exist_ok=True)
        if storage is None:
            lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"Search {name!r} is already running in another process: wait for it, give this one "
            "another --name, or have several processes share it by --storage URL."
        ) from error
    except OSError as error:
        raise InputError(f"Cannot write to {STUDIES}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()
