"""Optuna's journal file for one process, which a full or read-only disk does not stop."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._storage import JournalOperation  # private; a test pins it

FULL = "%s cannot be written (%s): training goes on, its records are kept in %s until it can."

logger = logging.getLogger("occam")


class StudyJournal(JournalFileBackend):
    """Optuna's journal file for one process, which the search's own lock makes sure of.

    Optuna locks and syncs at each value that a trial suggests, which takes longer than a small
    trial trains. Here what is written is in the file at once, so that a killed process loses
    nothing; a trial that ends is on the disk, and all before it, before the search goes on.

    What the file does not take waits in a spool in the temporary folder: it is delivered with the
    next line that goes through, or by the next process that opens the journal.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._spool = path, _spool(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        mend(path)
        super().__init__(str(path))
        self._lines = path.read_bytes().count(b"\n")
        self._waiting: list[str] = []

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        told = not self._waiting
        self._waiting += [json.dumps(log, separators=(",", ":")) for log in logs]
        safe = any(log["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES for log in logs)
        try:
            _append(self._path, self._waiting, safe=safe)
        except OSError as error:
            self._keep()
            if told:
                logger.warning(FULL, self._path, error.strerror or error, self._spool)
            return
        if not told:
            self._spool.unlink(missing_ok=True)
            logger.warning("%s can be written again: nothing is missing.", self._path)
        self._lines += len(self._waiting)
        self._waiting = []

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        yield from super().read_logs(log_number_from)
        for line in self._waiting[max(0, log_number_from - self._lines) :]:
            yield json.loads(line)

    def _keep(self) -> None:
        """Where it can be, elsewhere on the disk; in memory in any case."""
        with suppress(OSError):
            text = "".join(f"{line}\n" for line in [str(self._path.stat().st_size), *self._waiting])
            part = self._spool.with_suffix(".part")
            part.write_text(text, encoding="utf-8")
            part.replace(self._spool)


def mend(path: Path) -> None:
    """Drop a last line that a killed process wrote by half, and its lock; deliver its spool."""
    for lock in path.parent.glob(f"{path.name}.lock*"):
        lock.unlink()
    if path.exists():
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
    spool = _spool(path)
    if path.exists() and spool.exists():
        size, *lines = spool.read_text(encoding="utf-8").splitlines()
        os.truncate(path, int(size))  # what was delivered by half is delivered again
        _append(path, lines, safe=True)
    spool.unlink(missing_ok=True)  # without its journal it belongs to a study that is gone


def _append(path: Path, lines: list[str], *, safe: bool) -> None:
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


def _spool(path: Path) -> Path:
    """Where what a journal does not take is kept: another folder, often another disk."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir(), f"occam-{os.getuid()}-{name}.journal")
