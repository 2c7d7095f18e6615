"""Finds the smallest model that is accurate enough; knows no task and no architecture."""

from __future__ import annotations

from typing import Any

from .files import give_home

give_home()


def __getattr__(name: str) -> Any:
    """`occam.search.run`, imported when it is first asked for: Keras need not be there before."""
    if name == "run":
        from .api import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
