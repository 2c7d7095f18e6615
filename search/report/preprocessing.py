"""Names what a pipeline does to raw rows, which travels with the model."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any


def steps(transform: Any) -> Iterator[str]:
    """Names of a preprocessing's steps: of functions, and of scikit-learn's classes one by one."""
    owner = transform.__self__ if inspect.ismethod(transform) else transform
    parts = getattr(owner, "steps", None) or getattr(owner, "transformers", None)
    if isinstance(parts, list):
        for part in parts:
            yield from steps(part[1])
    elif (function := getattr(owner, "func", None)) is not None:
        yield from steps(function)
    elif owner is not None and not isinstance(owner, str):  # "passthrough" and "drop" are no steps
        yield getattr(owner, "__name__", type(owner).__name__)
