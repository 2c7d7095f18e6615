"""With what a search is run: command line, versions and settings, as MLflow stores them."""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGES = ("occam", "keras", "keras-tuner", "optuna", "mlflow", "scikit-learn", "numpy")
VERSION = "version."  # prefix of the tags that hold those of packages
DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-macos"),
    "jax": ("jax",),
    "torch": ("torch",),
}


def facts(backend: str | None) -> dict[str, str]:
    """Tags that tell a later reader how to run the search again."""
    packages = [*PACKAGES, *([distribution(backend)] if backend in DISTRIBUTIONS else [])]
    versions = {name: version(name) for name in packages}
    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "python": platform.python_version(),
        **{f"{VERSION}{name}": found for name, found in versions.items() if found},
    }


def record(tags: Mapping[str, str], data: str) -> dict[str, object]:
    """What a report says of the tags that `facts` gives.

    Args:
        data: fingerprint of the data.
    """
    versions = {"python": tags.get("python", "")}
    versions |= {name[len(VERSION) :]: tags[name] for name in tags if name.startswith(VERSION)}
    return {"command": tags.get("command", ""), "data": data, "versions": versions}


def distribution(backend: str) -> str:
    """The package that the library Keras computes with was installed from."""
    return next((name for name in DISTRIBUTIONS[backend] if version(name)), backend)


def version(package: str) -> str:
    """The installed version of a package; empty where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def flat(settings: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Settings without None, nested ones as "rows.train"."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value
