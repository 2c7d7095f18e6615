"""Optuna's journal file for one process, which a full or read-only disk does not stop."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._storage import JournalOperation  # private; a test pins it

from ..errors import InputError
from ..journal import DAMAGED, Lines


class StudyJournal(JournalFileBackend):
    """Optuna's journal file for one process, which the search's own lock makes sure of.

    Optuna locks and syncs at each value that a trial suggests, which takes longer than a small
    trial trains. Here what is written is in the file at once, so that a killed process loses
    nothing; a trial that ends is on the disk, and all before it, before the search goes on.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        for lock in path.parent.glob(f"{path.name}.lock*"):  # a killed process's
            lock.unlink()
        self._lines = Lines(path)
        self._lines.mend()
        super().__init__(str(path))
        self._written = path.read_bytes().count(b"\n")

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = [json.dumps(log, separators=(",", ":")) for log in logs]
        safe = any(log["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES for log in logs)
        self._written += self._lines.append(lines, safe=safe)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        try:
            yield from super().read_logs(log_number_from)
        except ValueError as error:
            raise InputError(DAMAGED.format(self._file_path)) from error
        for line in self._lines.waiting[max(0, log_number_from - self._written) :]:
            yield json.loads(line)
