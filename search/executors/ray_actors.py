"""Workers that are Ray actors: on the cluster of RAY_ADDRESS, or on a local one made for this."""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..devices import USABLE, memory, threads
from ..errors import InputError, OccamError
from ..extras import installation
from ..files import written_whole
from ..trials import FinishedTrial, Trial
from ..workers import Worker, WorkerDied
from .in_process import Recipe, ended, resident

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing leaves the machine
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
PASSED_ON = ("KERAS_", "OCCAM_", "TF_", "XLA_", "JAX_")  # our environment that actors need
SECONDS_TO_ANSWER = 5
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # by 0 a local cluster binds to 127.0.0.1


def check_cluster(workers: int, *, gpu: float = 0.0) -> None:
    """Refuse a cluster that is not there, or that lacks what so many actors need.

    A cluster of this machine alone is made for them, where Ray is installed.
    """
    ray = _imported()
    if _given():
        _connect(ray, workers, gpu)
        ray.shutdown()


class Actors:
    """Starts an actor for each slot, with one core and its part of a GPU.

    Raises InputError where Ray is missing or where the cluster lacks what the actors need: Ray
    itself would wait for ever.

    Args:
        gpu: part of a GPU that each actor gets; 0 for none.
    """

    def __init__(self, recipe: Recipe, workers: int, *, gpu: float = 0.0) -> None:
        self._ray = _imported()
        _connect(self._ray, workers, gpu)
        environment = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(PASSED_ON) and name not in threads(1)  # theirs may have other cores
        }
        environment |= {} if _given() else threads(workers)
        environment |= memory(USABLE * gpu) if gpu else {}
        options = {"num_cpus": 1, "num_gpus": gpu, "max_restarts": 0}
        self._make = self._ray.remote(**options)(_Actor)
        self._arguments = (recipe, environment, str(Path.cwd()))

    def start(self, number: int) -> Actor:
        recipe, *others = self._arguments
        left = recipe.deadline - time.monotonic()
        return Actor(self._ray, self._make.remote(recipe, *others, left), recipe.models)

    def wait(self, workers: Sequence[Worker], seconds: float) -> None:
        pending = [each.pending for each in workers if isinstance(each, Actor) and each.pending]
        self._ray.wait(pending, timeout=seconds, fetch_local=True)

    def shutdown(self) -> None:
        self._ray.shutdown()


class Actor:
    """One actor as this process sees it: at most one call to it is under way."""

    epochs = 0  # it says nothing while it trains

    def __init__(self, ray: Any, handle: Any, models: Path) -> None:
        self._ray, self._handle, self._models = ray, handle, models
        self.pending: Any = handle.prepare.remote()
        self._memory, self._training = 0, False

    def send(self, trials: Sequence[Trial]) -> None:
        self._training = True
        self.pending = self._handle.train.remote(list(trials))

    def receive(self) -> list[FinishedTrial | None]:
        if self.pending is None or not self._ray.wait([self.pending], timeout=0)[0]:
            return []
        pending, self.pending = self.pending, None
        try:
            answer: _Said = self._ray.get(pending)
        except self._ray.exceptions.RayActorError as error:
            raise WorkerDied(" ".join(str(error).split())[:200]) from error
        except self._ray.exceptions.RayTaskError as error:
            said = _last_line(error)
            if self._training:
                raise OccamError(f"A worker on Ray failed: {said}") from error
            raise OccamError(f"Workers on Ray cannot start: {said}") from error
        self._memory = answer.memory
        if answer.trials is None:
            return [None]
        return [self._kept(finished, model) for finished, model in answer.trials]

    def memory(self) -> int:
        return self._memory

    def end(self) -> None:
        self._ray.kill(self._handle, no_restart=True)

    def _kept(self, finished: FinishedTrial, model: bytes | None) -> FinishedTrial:
        """With its model in a file of this machine."""
        if model is None or finished.model_path is None:
            return finished
        path = self._models / Path(finished.model_path).name
        with written_whole(path) as part:
            part.write_bytes(model)
        return replace(finished, model_path=str(path))


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What a call to an actor brings back; no trials: it is ready."""

    memory: int
    trials: list[tuple[FinishedTrial, bytes | None]] | None = None


class _Actor:
    """What is at work on the other side; models come back as bytes, since no disk is shared."""

    def __init__(
        self, recipe: Recipe, environment: Mapping[str, str], folder: str, seconds: float
    ) -> None:
        os.environ.update(environment)
        if Path(folder).is_dir():  # relative paths of a pipeline are meant from there
            os.chdir(folder)
            sys.path.append(folder)  # as `entry` of the command line has it
        self._folder = tempfile.TemporaryDirectory(prefix="occam-")
        deadline = time.monotonic() + seconds  # which is no time of the other machine's
        self._recipe = replace(recipe, models=Path(self._folder.name), deadline=deadline)

    def prepare(self) -> _Said:
        self._executor = self._recipe.executor()
        return _Said(memory=resident())

    def train(self, trials: Sequence[Trial]) -> _Said:
        finished = [_with_model(each) for each in ended(self._executor, trials)]
        return _Said(memory=resident(), trials=finished)


def _with_model(finished: FinishedTrial) -> tuple[FinishedTrial, bytes | None]:
    if finished.model_path is None:
        return finished, None
    path = Path(finished.model_path)
    model = path.read_bytes()
    path.unlink()
    return finished, model


def _given() -> bool:
    """Whether a cluster is named; else one of this machine alone is made."""
    return "RAY_ADDRESS" in os.environ


def _imported() -> Any:
    for variable, value in (QUIET | ({} if _given() else LOOPBACK)).items():  # Ray reads them then
        os.environ.setdefault(variable, value)
    try:
        import ray
    except ImportError as error:
        raise InputError(f"--executor ray needs Ray: {installation('ray')}") from error
    return ray


def _connect(ray: Any, workers: int, gpu: float) -> None:
    """Be in touch with the cluster of RAY_ADDRESS, or with one of this machine alone.

    Raises InputError where there is none, or where it lacks what the actors need.
    """
    common = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    try:
        if _given():
            _check_answers(os.environ["RAY_ADDRESS"])
            ray.init(**common)
        else:
            ray.init(address="local", num_cpus=workers, include_dashboard=False, **common)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = os.environ.get("RAY_ADDRESS", "this machine")
        raise InputError(
            f"Ray cannot be reached at {where}: {str(error).splitlines()[0].rstrip('.')}. "
            "Check RAY_ADDRESS, or unset it for a cluster of this machine."
        ) from error
    try:
        _check(ray.cluster_resources(), workers, gpu)
    except InputError:
        ray.shutdown()
        raise


def _check_answers(address: str) -> None:
    """Raise OSError where nothing listens: Ray itself would try it for minutes, line by line."""
    if place := re.fullmatch(r"(?:ray://)?([^:/]+):(\d+)", address):
        socket.create_connection((place[1], int(place[2])), SECONDS_TO_ANSWER).close()


def _check(resources: Mapping[str, float], workers: int, gpu: float) -> None:
    needed = {"CPU": float(workers), "GPU": workers * gpu}
    for kind, wanted in needed.items():
        there = resources.get(kind, 0.0)
        if wanted > there + 1e-6:
            raise InputError(
                f"--workers {workers} need {wanted:g} {kind}s of the Ray cluster, which has "
                f"{there:g}: start its nodes first, or give fewer workers."
            )


def _last_line(error: Any) -> str:
    if isinstance(error.cause, OccamError):
        return str(error.cause)
    return str(error).strip().splitlines()[-1]
