"""Failures of trials: which of them a second try can help, and when they end a search."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import OccamError
from .trials import FinishedTrial, TrialState

DIED = "the worker process died"
DISK = re.compile(r"\[Errno (5|28|30|122)\]|No space left on device|Disk quota exceeded")
IN_A_ROW = 10  # trials that fail for one reason, after which no other is tried
PASSING = re.compile(
    rf"{DIED}|MemoryError|ResourceExhausted|RESOURCE_EXHAUSTED|OutOfMemory|out of memory|"
    r"Unable to allocate|Cannot allocate memory|bad_alloc",
    re.IGNORECASE,
)


def may_pass(finished: FinishedTrial) -> bool:
    """Whether a trial failed for want of memory or of its process, not by its own configuration."""
    return finished.state is TrialState.FAIL and bool(PASSING.search(finished.error or ""))


def unkept(finished: FinishedTrial) -> str:
    """What is said where no disk took what a trial had to keep; empty where one did."""
    if not finished.error or not DISK.search(finished.error):
        return ""
    return (
        f"The search stopped: what trial {finished.number} was to keep could not be written "
        f"({finished.error.rstrip('.')}). What finished before is kept: make room for it, or make "
        "the place writable, and the same command goes on."
    )


def cause(error: str) -> str:
    """What is the same in two failures of one kind: the message without its numbers."""
    return re.sub(r"\d+(\.\d+)?", "#", error)


@dataclass
class Streak:
    """Trials in a row that failed for the same reason."""

    cause: str = ""
    length: int = 0

    def note(self, finished: FinishedTrial) -> None:
        """Take in a trial that was begun; raises OccamError where it is one failure too many."""
        if finished.state is TrialState.REJECTED:
            return
        failed = finished.state is TrialState.FAIL
        now = cause(finished.error or "") if failed else ""
        self.length = self.length + 1 if failed and now == self.cause else int(failed)
        self.cause = now
        if self.length >= IN_A_ROW:
            raise OccamError(
                f"The search stopped: {self.length} trials in a row failed for the same reason: "
                f"{(finished.error or '').rstrip('.')}. What finished before is kept: the same "
                "command goes on once the reason is gone, --fresh starts anew."
            )
