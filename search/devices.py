"""Which cores and GPUs each worker gets, by the environment that it finds before Keras is there."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import InputError

SHARE = "OCCAM_GPU_SHARE"  # of a GPU's memory, for the library that takes it by a call alone
USABLE = 0.9  # of a GPU's memory; the rest is the driver's and the libraries' own


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where the trials of a search run.

    Args:
        gpus: that are visible, as CUDA names them.
        timeout: seconds that a trial may take.
        executor: local or ray.
    """

    workers: int = 1
    gpus: tuple[str, ...] = ()
    trials_per_gpu: int | None = None
    timeout: float | None = None
    executor: str = "local"

    @property
    def here(self) -> bool:
        """Whether trials run in this process: one that hangs can be ended in another only."""
        single = self.workers == 1 and self.trials_per_gpu is None and self.timeout is None
        return single and self.executor == "local"


def cores() -> int:
    """Cores that this process may use: fewer than the machine has in a container or a batch job."""
    from joblib import cpu_count

    return int(cpu_count())


def visible_gpus(gpus: str) -> list[str]:
    """The GPUs that `--gpus` leaves, as CUDA names them; none where there is no driver.

    Args:
        gpus: "all", "none", or device numbers such as "0,1".
    """
    if gpus == "none":
        return []
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES") if gpus == "all" else gpus
    if chosen is not None:
        return [each.strip() for each in chosen.split(",") if each.strip() not in ("", "-1")]
    return [str(number) for number in range(_installed())]


def check_installed(gpus: str) -> None:
    """Refuse numbers of GPUs that this machine does not have, or has once alone."""
    if gpus in ("all", "none"):
        return
    numbers, there = [int(each) for each in gpus.split(",")], _installed()
    if len(set(numbers)) < len(numbers):
        raise InputError(f"--gpus {gpus} names a GPU twice: name each once.")
    if max(numbers) >= there:
        known = f"numbers from 0 to {there - 1}" if there else "none, or leave it out"
        raise InputError(f"--gpus {gpus}: nvidia-smi lists {there} GPUs here. Give {known}.")


def workers(wanted: int | None, gpus: Sequence[str], trials_per_gpu: int | None) -> int:
    """How many workers there are: as asked for, or as many as there are places on the GPUs.

    Raises InputError where they do not fit.
    """
    if trials_per_gpu is None:
        return wanted or 1
    if not gpus:
        raise InputError(
            f"--trials-per-gpu {trials_per_gpu} needs a GPU, and none is visible: "
            "leave it out, or see --gpus."
        )
    places = len(gpus) * trials_per_gpu
    if wanted is not None and wanted > places:
        raise InputError(
            f"--workers {wanted} do not fit on {len(gpus)} GPU(s) with --trials-per-gpu "
            f"{trials_per_gpu}: give at most {places}, or more trials a GPU."
        )
    return wanted or places


def share(workers: int, gpus: Sequence[str], trials_per_gpu: int | None) -> float:
    """The part of a GPU that each worker gets; 0 without GPUs."""
    if not gpus:
        return 0.0
    return 1 / (trials_per_gpu or math.ceil(workers / len(gpus)))


def environments(
    workers: int, gpus: Sequence[str] = (), trials_per_gpu: int | None = None
) -> list[dict[str, str]]:
    """For each worker its cores, its GPU and its part of that GPU's memory.

    TensorFlow takes memory as it grows (`TF_FORCE_GPU_ALLOW_GROWTH`, which is always set), JAX up
    to `XLA_PYTHON_CLIENT_MEM_FRACTION`; PyTorch is told by a call, see `limit_memory`.
    """
    part = USABLE * share(workers, gpus, trials_per_gpu)
    made = []
    for number in range(workers):
        environment = threads(workers)
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
            environment |= memory(part)
        made.append(environment)
    return made


def memory(part: float) -> dict[str, str]:
    """Environment of a process that may take this part of its GPU's memory."""
    return {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{part:.3f}", SHARE: f"{part:.3f}"}


def threads(workers: int) -> dict[str, str]:
    """Environment that shares the cores out among the workers, for each library's own pool.

    NPROC is what JAX sizes its pool by, and each of its devices on a processor is a core.
    """
    each = str(max(1, cores() // workers))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "NPROC")
    more = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "JAX_NUM_CPU_DEVICES")
    return dict.fromkeys((*names, *more), each)


def limit_memory() -> None:
    """Hold PyTorch to this process's part of its GPU; to be called once Keras is imported."""
    if SHARE not in os.environ or os.environ.get("KERAS_BACKEND") != "torch":
        return
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(float(os.environ[SHARE]))


def _installed() -> int:
    """GPUs of this machine, as the driver's own tool lists them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 0
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
