"""Workers that train nothing: real processes that do at once what a trial's `do` says."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from occam.search.trials import FinishedTrial, Trial, TrialState, failed, finish

SHOWN = (
    *("CUDA_VISIBLE_DEVICES", "XLA_PYTHON_CLIENT_MEM_FRACTION", "OCCAM_GPU_SHARE"),
    *("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "NPROC"),
)


def trial(number: int, do: str = "train") -> Trial:
    return Trial(
        number=number,
        hyperparameters={"do": do},
        parameter_count=number,
        trainable_parameter_count=number,
        epochs=1,
        seed=number,
    )


@dataclass(frozen=True, kw_only=True)
class Doing:
    """A recipe for such workers; what cannot start says so."""

    models: Path = Path()
    broken: str = ""
    deadline: float = math.inf

    def executor(self, tell: Callable[[int], None] = lambda epochs: None) -> _Executor:
        if self.broken == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.broken:
            raise ValueError(self.broken)
        return _Executor(self.models, tell)


class _Executor:
    size = batch = 1

    def __init__(self, models: Path, tell: Callable[[int], None]) -> None:
        self.models, self.tell = models, tell

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        future: Future[FinishedTrial] = Future()
        future.set_result(self._do(trial, str(trial.hyperparameters["do"])))
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        return list(running)

    def shutdown(self) -> None:
        """Nothing is left running."""

    def _end(self, do: str) -> None:
        if do == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if do == "crash":
            os.abort()
        if do == "break":
            raise OSError("no disk")

    def _do(self, trial: Trial, do: str) -> FinishedTrial:
        self._end(do)
        for epochs in range(do.count("epoch")):
            self.tell(epochs + 1)
        if "hang" in do:
            time.sleep(600)
        if do == "memory":
            return failed(trial, "MemoryError: Unable to allocate 9 GiB")
        if do == "grow":
            self.held = b"x" * 2**27
        if do == "reach":
            path = self.models / f"trial-{trial.number}.keras"
            path.write_bytes(b"a model")
            return finish(trial, TrialState.COMPLETE, reached=True, model_path=str(path))
        shown = {name: os.environ.get(name, "") for name in SHOWN}
        words = {"pid": str(os.getpid()), **shown}
        return finish(trial, TrialState.COMPLETE, reason=repr(words))
