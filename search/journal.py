"""Files of lines, whole whenever their writer is killed, which a full disk does not stop."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import InputError
from .files import temporary_folder, written_whole

DAMAGED = (
    "{} has a line that cannot be read: bring it back from a copy, or begin the search anew with "
    "--fresh."
)
FULL = "%s cannot be written (%s): training goes on, its records are kept in %s until it can."

Event = dict[str, Any]

logger = logging.getLogger("occam")


class Lines:
    """A file of lines for one process, which the search's own lock makes sure of.

    What the file does not take waits in a spool in the temporary folder: it is delivered with the
    next line that goes through, or by the next process that opens the file.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._spool = path, _spool(path)
        self.waiting: list[str] = []

    def mend(self) -> None:
        """Drop a last line that a killed process wrote by half, and deliver its spool."""
        path, spool = self._path, self._spool
        if path.exists():
            os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
        if path.exists() and spool.exists():
            size, digest, *lines = spool.read_text(encoding="utf-8").splitlines()
            if digest == _digest(path, int(size)):  # else it belongs to a search that is gone
                os.truncate(path, int(size))  # what was delivered by half is delivered again
                _append(path, lines, safe=True)
        spool.unlink(missing_ok=True)

    def append(self, lines: Sequence[str], *, safe: bool) -> int:
        """Write lines behind those that wait; how many have gone through.

        Args:
            safe: whether they have to be on the disk before this returns, and all before them.
        """
        told = not self.waiting
        self.waiting += lines
        before = self._size()
        try:
            _append(self._path, self.waiting, safe=safe)
        except OSError as error:
            self._keep()
            if told:
                logger.warning(FULL, self._path, error.strerror or error, self._spool)
            return 0
        except BaseException:  # an interrupt: what has gone through is not written again
            if self._size() > before:
                self.waiting = []
            raise
        if not told:
            self._spool.unlink(missing_ok=True)
            logger.warning("%s can be written again: nothing is missing.", self._path)
        written, self.waiting = len(self.waiting), []
        return written

    def _size(self) -> int:
        return self._path.stat().st_size if self._path.exists() else 0

    def _keep(self) -> None:
        """Where it can be, elsewhere on the disk; in memory in any case."""
        with suppress(OSError):
            size = self._path.stat().st_size
            lines = [str(size), _digest(self._path, size), *self.waiting]
            self._spool.parent.mkdir(mode=0o700, exist_ok=True)
            with written_whole(self._spool) as part:
                part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


class Journal:
    """Events in the order in which they happened, one a line, as JSON."""

    def __init__(self, path: Path) -> None:
        self._path, self._lines = path, Lines(path)

    def read(self) -> list[Event]:
        """All events; what a killed process wrote by half is mended first.

        Raises InputError where a line is damaged.
        """
        self._lines.mend()
        if not self._path.exists():
            return []
        try:
            return [json.loads(line) for line in self._path.read_bytes().splitlines()]
        except ValueError as error:
            raise InputError(DAMAGED.format(self._path)) from error

    def append(self, event: Event, *, safe: bool = True) -> None:
        """Write one event; `safe` as `Lines` has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._lines.append([json.dumps(event, separators=(",", ":"))], safe=safe)


def _append(path: Path, lines: Sequence[str], *, safe: bool) -> None:
    """All lines or none."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        data = "".join(f"{line}\n" for line in lines).encode()
        try:
            if file.write(data) != len(data):
                raise OSError("no space is left on the disk")
            if safe:
                os.fsync(file.fileno())
        except OSError:
            os.truncate(path, size)
            raise


def _digest(path: Path, size: int) -> str:
    """Of the beginning of a file, by which its own spool knows it."""
    with path.open("rb") as file:
        return hashlib.sha256(file.read(size)).hexdigest()


def _spool(path: Path) -> Path:
    """Where what a file does not take is kept: another folder, often another disk.

    Nobody else can write there, so that nothing of theirs is taken for this search's.
    """
    folder = temporary_folder()
    if folder.exists() and folder.stat().st_uid != os.getuid():
        folder = path.resolve().parent
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return folder / f"{name}.journal"
