"""Who is at which trial, where several processes share a search: leases in the study's database.

A lease is a row that its owner keeps changing. Nobody's clock is compared with another's: who wants
a lease watches its row for a while, and takes it if nothing has changed, by an UPDATE of the very
row that was seen, which one process alone can win. An owner on this machine that is gone is known
at once. A process that takes part has a lease of its own as long as it does, so that it is seen
between two trials too.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, and_

from ..errors import OccamError
from .outages import outlasting, silence

BEATS = 6  # signs of life in that time
POLL = 0.05  # seconds between two looks at a lease that another process has
PROCESS = "process "  # begins the item that a process itself is

_metadata = MetaData()
_leases = Table(
    "occam_leases",
    _metadata,
    Column("search", String(255), primary_key=True),
    Column("item", String(64), primary_key=True),
    Column("owner", String(255), nullable=False),
    Column("beat", Integer, nullable=False),
)
_models = Table(
    "occam_models",
    _metadata,
    Column("search", String(255), primary_key=True),
    Column("trial", Integer, primary_key=True),
    Column("content", LargeBinary(2**31 - 1), nullable=False),  # a LONGBLOB where it matters
)

Seen = tuple[str, int]  # owner and beat


class Leases:
    """The leases of one search, and the models that its trials left in the same database.

    Args:
        database: any that SQLAlchemy knows.
    """

    def __init__(self, database: sqlalchemy.Engine, search: str) -> None:
        self._search = search
        self._seconds = silence()
        self._database = database
        self._owner = f"{_this_process()}/{uuid.uuid4().hex}"
        self._watched: dict[str, tuple[Seen | None, float]] = {}
        _metadata.create_all(self._database)
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)
        self._heart.start()

    def attend(self) -> None:
        """Let others know that this process is at work, whether at a trial or not."""
        self._insert(self._itself)

    def take(self, item: object) -> bool:
        """Become the owner of what nobody has, or whose owner is dead; false where that fails."""
        row = self._row(item)
        if row is None:
            return self._insert(str(item))
        if row[0] == self._owner:
            return True
        if not self._dead(str(item), row):
            return False
        where = and_(self._at(item), _leases.c.owner == row[0], _leases.c.beat == row[1])
        return self._changed(_leases.update().where(where).values(owner=self._owner, beat=0))

    def orphaned(self, items: set[str]) -> set[str]:
        """Those of these that nobody is at: their owner is dead, or they never got one.

        What has no owner yet is watched as long as one that is silent.
        """
        rows = self._rows()
        return {item for item in items if self._dead(item, rows.get(item))}

    def elsewhere(self) -> set[str]:
        """What other processes are at that are alive."""
        others = {
            item: row
            for item, row in self._rows().items()
            if row[0] != self._owner and not item.startswith(PROCESS)
        }
        return {item for item, row in others.items() if not self._dead(item, row)}

    def busy(self) -> bool:
        """Whether another process is at work on this search.

        One of this machine is known at once; of others this waits for a sign of life.
        """
        before = self._of_others()
        if any(item.startswith(PROCESS) and _alive(row[0]) for item, row in before.items()):
            return True
        ends = time.monotonic() + 2 * self._seconds / BEATS
        while before and time.monotonic() < ends:
            time.sleep(POLL)
            if self._of_others().items() - before.items():  # beaten, taken over or new
                return True
        return False

    def holds(self, item: object) -> bool:
        """Whether this process is still the owner, as it must be to bring a result."""
        row = self._row(item)
        return row is not None and row[0] == self._owner

    def release(self, items: Iterable[object]) -> None:
        """Give back what this process has of these."""
        names = [str(item) for item in items]
        if names:
            self._changed(_leases.delete().where(self._mine, _leases.c.item.in_(names)))

    @contextmanager
    def alone(self, item: str) -> Iterator[None]:
        """Do what only one process may do at a time; waits until it is this one's turn."""
        while not self.take(item):
            time.sleep(random.uniform(0.5, 1.5) * POLL)  # not in step with others
        try:
            yield
        finally:
            self.release([item])

    def keep(self, trial: int, content: bytes) -> None:
        """Leave a trial's model where the other processes find it."""
        row = {"search": self._search, "trial": trial, "content": content}
        where = and_(_models.c.search == self._search, _models.c.trial == trial)

        def kept() -> None:
            with self._database.begin() as connection:
                connection.execute(_models.delete().where(where))
                connection.execute(_models.insert().values(**row))

        outlasting(kept)

    def model(self, trial: int) -> bytes:
        """A model that any of the processes has left."""
        where = and_(_models.c.search == self._search, _models.c.trial == trial)
        found = self._read(sqlalchemy.select(_models.c.content).where(where))
        if not found:
            raise OccamError(f"The model of trial {trial} is neither here nor in the database.")
        return bytes(found[0][0])

    def forget(self) -> None:
        """Drop what is kept of a search that starts anew."""
        self._changed(_leases.delete().where(_leases.c.search == self._search))
        self._changed(_models.delete().where(_models.c.search == self._search))

    def close(self) -> None:
        """Give no more sign of life: what this process is still at, others may take."""
        self._ended.set()
        self._heart.join()
        with suppress(sqlalchemy.exc.SQLAlchemyError):  # its row is that of a silent owner then
            self._change(_leases.delete().where(self._mine, _leases.c.item == self._itself))

    @property
    def _itself(self) -> str:
        return PROCESS + self._owner.rpartition("/")[2]

    @property
    def _mine(self) -> sqlalchemy.ColumnElement[bool]:
        return and_(_leases.c.search == self._search, _leases.c.owner == self._owner)

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds / BEATS):
            with suppress(sqlalchemy.exc.SQLAlchemyError):  # the next beat may come through
                self._change(_leases.update().where(self._mine).values(beat=_leases.c.beat + 1))

    def _row(self, item: object) -> Seen | None:
        query = sqlalchemy.select(_leases.c.owner, _leases.c.beat).where(self._at(item))
        found = self._read(query)
        return (found[0][0], found[0][1]) if found else None

    def _rows(self) -> dict[str, Seen]:
        query = sqlalchemy.select(_leases.c.item, _leases.c.owner, _leases.c.beat)
        found = self._read(query.where(_leases.c.search == self._search))
        return {item: (owner, beat) for item, owner, beat in found}

    def _read(self, query: sqlalchemy.Select[Any]) -> Sequence[Any]:
        def read() -> Sequence[Any]:
            with self._database.connect() as connection:
                return connection.execute(query).all()

        return outlasting(read)

    def _of_others(self) -> dict[str, Seen]:
        """Leases of processes that may be alive, but for this one and what it has left behind."""
        own = f"{_this_process()}/"
        return {
            item: row
            for item, row in self._rows().items()
            if not row[0].startswith(own) and not _gone(row[0])
        }

    def _dead(self, item: str, row: Seen | None) -> bool:
        """Whether the owner has been silent for too long, as far as this process has watched."""
        if row is not None and _gone(row[0]):
            return True
        watched = self._watched.get(item)
        if watched is None or watched[0] != row:
            self._watched[item] = row, time.monotonic()
            return False
        return time.monotonic() - watched[1] > self._seconds

    def _insert(self, item: str) -> bool:
        row = {"search": self._search, "item": item, "owner": self._owner, "beat": 0}
        try:
            self._changed(_leases.insert().values(**row))
        except sqlalchemy.exc.IntegrityError:  # another was faster
            return self.holds(item)  # or this one itself, whose answer was lost
        return True

    def _changed(self, statement: sqlalchemy.sql.dml.UpdateBase) -> bool:
        return outlasting(lambda: self._change(statement))

    def _change(self, statement: sqlalchemy.sql.dml.UpdateBase) -> bool:
        with self._database.begin() as connection:
            return connection.execute(statement).rowcount == 1

    def _at(self, item: object) -> sqlalchemy.ColumnElement[bool]:
        return and_(_leases.c.search == self._search, _leases.c.item == str(item))


def _this_process() -> str:
    """A name that no other process has, of this machine or of another."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def _machine() -> str:
    """This boot of this machine, or of this container on it; empty where that cannot be told."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}:{Path('/proc/self/ns/pid').readlink()}"
    return ""


def _started(pid: int) -> str:
    """When a process was started, which tells it from an earlier one of its number."""
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *_, started = stat.rpartition(")")[2].split()[:20]
        return "" if state == "Z" else started
    return ""


def _gone(owner: str) -> bool:
    """Whether an owner was a process of this machine that is no more."""
    return _here(owner) and not _alive(owner)


def _alive(owner: str) -> bool:
    """Whether an owner is a process of this machine."""
    _, pid, started, _ = owner.rsplit("/", 3)
    return _here(owner) and _started(int(pid)) == started


def _here(owner: str) -> bool:
    machine = owner.rsplit("/", 3)[0]
    return bool(machine) and machine == _machine()
