"""The engines: a file each, with a class `Engine`; the samplers of each, without importing it."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from ..errors import InputError

SAMPLERS = {"optuna": ".samplers", "keras-tuner": ".oracles"}  # has `names`, default first, `check`


def names() -> list[str]:
    """The engines that there are."""
    return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__))


def samplers(engine: str) -> list[str]:
    """The samplers of an engine that have a name, its default first."""
    listed: list[str] = _samplers(engine).names()
    return listed


def check(engine: str, sampler: str | None = None) -> None:
    """Refuse an engine that there is none of, and a sampler that it does not have."""
    if engine not in names():
        raise InputError(f"Unknown engine {engine!r}. Available engines: {', '.join(names())}.")
    if sampler is not None:
        _samplers(engine).check(sampler)


def _samplers(engine: str) -> Any:
    package = (__package__ or "").rpartition(".")[0]
    return importlib.import_module(SAMPLERS[engine], package)
