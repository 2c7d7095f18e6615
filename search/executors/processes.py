"""Workers that are processes of this machine: spawned, so that no library is forked."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import connection
from types import ModuleType
from typing import Any

from ..errors import OccamError, in_one_line
from ..trials import FinishedTrial, Trial
from ..workers import Worker, WorkerDied
from .in_process import Recipe, ended, resident

_spawn = multiprocessing.get_context("spawn")


class Processes:
    """Starts a process for each slot, with the cores and the GPU that are the slot's own."""

    def __init__(self, recipe: Recipe, environments: Sequence[Mapping[str, str]]) -> None:
        self._recipe, self._environments = recipe, environments

    def start(self, number: int) -> Process:
        return Process(self._recipe, self._environments[number])

    def wait(self, workers: Sequence[Worker], seconds: float) -> None:
        news = [each.news for each in workers if isinstance(each, Process)]
        connection.wait(news, timeout=seconds)

    def shutdown(self) -> None:
        """Nothing is left once the workers have ended."""


class Process:
    """One spawned process; it ends by itself when this one is gone."""

    def __init__(self, recipe: Recipe, environment: Mapping[str, str]) -> None:
        self.epochs = 0
        self.news, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=_serve, args=(theirs, recipe, environment))
        with _without_main():
            self._process.start()
        theirs.close()

    def send(self, trials: Sequence[Trial]) -> None:
        with suppress(OSError):  # it is dead, which is found when it is listened to
            self.news.send(trials)

    def receive(self) -> list[FinishedTrial | None]:
        heard: list[FinishedTrial | None] = []
        alive = True
        try:
            while self.news.poll():
                message = _understood(self.news.recv())
                self.epochs = message if isinstance(message, int) else 0
                if not isinstance(message, int):
                    heard.append(message)
        except (EOFError, OSError):
            alive = False
        if heard or (alive and self._process.exitcode is None):  # it is heard out first
            return heard
        self._process.join(timeout=5)
        raise WorkerDied(_how(self._process.exitcode))

    def memory(self) -> int:
        return resident(self._process.pid or "none")

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.news.close()


@contextmanager
def _without_main() -> Iterator[None]:
    """A spawned process runs the script that started the search anew: it would search as well."""
    own = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = own


def _understood(message: Any) -> FinishedTrial | int | None:
    if isinstance(message, str):
        raise OccamError(f"Workers cannot start: {message}")
    return message if isinstance(message, FinishedTrial | int) else None


def _how(code: int | None) -> str:
    """What an exit code says, in words."""
    if code is None:
        return "it closed its connection"
    if code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    hint = ", as the system does when memory runs out" if -code == signal.SIGKILL else ""
    return f"signal {-code} ({name}){hint}"


def _serve(parent: connection.Connection, recipe: Recipe, environment: Mapping[str, str]) -> None:
    """Train what the parent sends; the interrupt key is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update(environment)
    try:
        executor = recipe.executor(tell=parent.send)
    except Exception as error:
        parent.send(str(error) if isinstance(error, OccamError) else in_one_line(error))
        return
    parent.send(None)
    while True:
        try:
            trials = parent.recv()
        except (EOFError, OSError):
            return
        for finished in ended(executor, trials):
            parent.send(finished)


def _end_with_parent() -> None:
    """Nobody else may train this trial while an orphan still does."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
