"""A file of JSON lines: what is in it stays readable, whenever its writer is killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Event = dict[str, Any]


class Journal:
    """Events in the order in which they happened, one a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Event]:
        """All events; a last line that was written by half is dropped from the file."""
        if not self._path.exists():
            return []
        text = self._path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            os.truncate(self._path, len(whole))
        return [json.loads(line) for line in whole.splitlines()]

    def append(self, event: Event, *, safe: bool = True) -> None:
        """Write one event.

        Args:
            safe: whether it has to be on the disk before this returns, and all before it.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
            file.flush()
            if safe:
                os.fsync(file.fileno())
