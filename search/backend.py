"""Chooses the library that Keras computes with, and its devices, before Keras is imported."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from threadpoolctl import threadpool_limits

from .devices import cores, threads
from .errors import InputError
from .extras import installation
from .files import cache_folder, takes_files
from .options import BACKENDS


def use_backend(name: str, *, gpus: str = "all") -> None:
    """Make Keras compute with this backend on these GPUs, in this process and its children.

    Raises InputError where that cannot be. What the user's environment already says about logging
    and memory stays.

    Args:
        gpus: "all", "none", or device numbers such as "0,1".
    """
    _check(name, gpus)
    os.environ["KERAS_BACKEND"] = name
    if gpus != "all":
        os.environ["CUDA_VISIBLE_DEVICES"] = "" if gpus == "none" else gpus
    if gpus == "none":
        os.environ["JAX_PLATFORMS"] = "cpu"
    for variable, value in _defaults().items():
        os.environ.setdefault(variable, value)
    if (threads_of_numpy := os.environ.get("OPENBLAS_NUM_THREADS", "")).isdigit():
        threadpool_limits(int(threads_of_numpy), user_api="blas")  # it may be imported already
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of each model's tracing


def installed() -> str:
    """A backend that is there: TensorFlow where it is one of them."""
    found = (name for name in BACKENDS if importlib.util.find_spec(name) is not None)
    return next(found, BACKENDS[0])


def one_core() -> None:
    """Make TensorFlow compute with one thread, in this process, before it is imported."""
    for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[variable] = "1"


def import_keras() -> None:
    """Import Keras, and hold back what its backend writes to the terminal while it starts.

    TensorFlow, where it is installed, is imported with it: on other backends Keras does so as soon
    as a layer is described or saved.
    """
    with standard_error_held_back():
        importlib.import_module("keras")
        with suppress(ImportError):
            importlib.import_module("tensorflow")


@contextmanager
def standard_error_held_back() -> Iterator[None]:
    """By its file descriptor: TensorFlow's libraries write there, whatever its log level says."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:  # not an interrupt, which these lines do not explain
            held.seek(0)
            os.write(terminal, held.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


def _check(name: str, gpus: str) -> None:
    if name not in BACKENDS:
        raise InputError(
            f"Unknown backend {name!r}, from --backend or KERAS_BACKEND. Available backends: "
            f"{', '.join(BACKENDS)}."
        )
    if importlib.util.find_spec(name) is None:
        other = installed()
        instead = f", or set KERAS_BACKEND={other}" if importlib.util.find_spec(other) else ""
        raise InputError(f"Backend {name!r} is not installed: {installation(name)}{instead}")
    if "keras" in sys.modules and (current := sys.modules["keras"].config.backend()) != name:
        raise InputError(
            f"Backend {name!r} cannot be used: Keras already runs on {current!r} in this process. "
            "Start a new process."
        )
    if not re.fullmatch(r"all|none|\d+(,\d+)*", gpus):
        raise InputError(
            f"GPUs {gpus!r} are not understood: give all, none, or device numbers such as 0,1."
        )


def _defaults() -> dict[str, str]:
    common = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    spread = {"JAX_NUM_CPU_DEVICES": str(cores())}  # each core trains its own part of a population
    if cores() < (os.cpu_count() or 1):  # by themselves libraries count all cores of the machine
        spread = threads(1)
    return common | spread | _compilation_cache()  # which JAX compiles on every backend


def _compilation_cache() -> dict[str, str]:
    """JAX compiles every new shape for a second or more: shapes seen in any process are kept.

    Where nothing can be kept, as without a home, JAX would warn of it at every search.
    """
    kept = cache_folder() / "xla"
    if not takes_files(kept):
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(kept),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "JAX_COMPILATION_CACHE_MAX_SIZE": str(2**30),
    }
