"""The interrupt key and a polite kill end a search in an orderly way, whenever they come."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

HANGUP = getattr(signal, "SIGHUP", None)  # of a terminal; Windows has none


class Interrupted(KeyboardInterrupt):
    """What a signal raises.

    Where a KeyboardInterrupt itself leaves an `exec` of text, as of dataclasses and named tuples
    while modules are imported, Python notes that it was not caught: `python -m` then ends by the
    signal, whatever the exit code would have been.
    """


def ignore() -> None:
    """Let no signal change the exit code any more: all that there was to do is done."""
    for number in (signal.SIGINT, signal.SIGTERM, HANGUP):
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


class Interrupts:
    """Raises Interrupted at a signal, and again at `check` where that was swallowed.

    Python drops an exception that a signal raises within a finalizer or a callback of C code, and
    prints it: the search would go on as if nothing had been asked of it.

    Args:
        patient: raise at `check` alone, or at a second signal: while TensorFlow is imported, an
            exception may end in a segmentation fault.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self._asked, self._patient = False, patient

    def check(self) -> None:
        """Raise Interrupted where a signal has come."""
        if self._asked:
            raise Interrupted

    @contextmanager
    def listening(self) -> Iterator[Interrupts]:
        """Take the signals over; in a thread that cannot, leave them as they are."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        wanted = [signal.SIGINT, signal.SIGTERM]
        if HANGUP is not None and signal.getsignal(HANGUP) is not signal.SIG_IGN:  # as by `nohup`
            wanted.append(HANGUP)
        before = {number: signal.signal(number, self._note) for number in wanted}
        report = sys.unraisablehook
        sys.unraisablehook = lambda dropped: None if self._is_own(dropped) else report(dropped)
        try:
            yield self
        finally:
            sys.unraisablehook = report
            for number, handler in before.items():
                signal.signal(number, handler)

    def _is_own(self, dropped: sys.UnraisableHookArgs) -> bool:
        """Whether Python would print an interrupt that is raised again at `check`."""
        return self._asked and isinstance(dropped.exc_value, Interrupted)

    def _note(self, number: int, frame: FrameType | None) -> None:
        waits, self._asked = self._patient and not self._asked, True
        if not waits:
            raise Interrupted
