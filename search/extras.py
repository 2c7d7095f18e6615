"""How to install what an extra of the project needs."""

from __future__ import annotations

import importlib.metadata
import shlex
import sys

from packaging.requirements import Requirement

PROJECT = "occam"


def installation(extra: str) -> str:
    """The command that brings an extra's packages into the Python that runs, each by its own name.

    Another project is called as this one where packages are looked up, and `pip` may be that of
    another Python.
    """
    needed = map(Requirement, importlib.metadata.requires(PROJECT) or ())
    packages = [
        f"{each.name}{_bracketed(each)}{each.specifier}" for each in needed if _is_of(each, extra)
    ]
    return shlex.join([sys.executable, "-m", "pip", "install", *packages])


def _is_of(needed: Requirement, extra: str) -> bool:
    """Whether only this extra asks for it, here."""
    marker = needed.marker
    return bool(marker and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""}))


def _bracketed(needed: Requirement) -> str:
    return f"[{','.join(sorted(needed.extras))}]" if needed.extras else ""
