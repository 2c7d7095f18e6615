"""Chooses the library that Keras computes with, and its devices, before Keras is imported."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from .errors import InputError

LIBRARIES = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}


def use_backend(name: str, *, gpus: str = "all", seed: int | None = None) -> None:
    """Make Keras compute with this backend on these GPUs, in this process and its children.

    Args:
        gpus: "all", "none", or device numbers such as "0,1".
        seed: of Python's string hashes in child processes.
    """
    _check(name)
    os.environ["KERAS_BACKEND"] = name
    if gpus != "all":
        os.environ["CUDA_VISIBLE_DEVICES"] = "" if gpus == "none" else gpus
    if seed is not None:
        os.environ["PYTHONHASHSEED"] = str(seed)
    for variable, value in _defaults(name).items():
        os.environ.setdefault(variable, value)


def _check(name: str) -> None:
    if name not in LIBRARIES:
        raise InputError(f"Unknown backend {name!r}. Available backends: {', '.join(LIBRARIES)}.")
    if importlib.util.find_spec(LIBRARIES[name]) is None:
        raise InputError(f"Backend {name!r} is not installed: pip install 'occam[{name}]'.")
    if "keras" in sys.modules and (current := sys.modules["keras"].backend.backend()) != name:
        raise InputError(
            f"Backend {name!r} cannot be used: Keras already runs on {current!r} in this process. "
            "Start a new process."
        )


def _defaults(name: str) -> dict[str, str]:
    """What a user's own environment may override."""
    common = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    if name != "jax":
        return common
    return common | {
        "JAX_COMPILATION_CACHE_DIR": str(_cache_folder() / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "occam"
