"""Inputs of models: an array, a data frame, or a list, tuple or dictionary of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from .arrays import Array


def rows(inputs: Any) -> int:
    """Number of examples."""
    return len(keras.tree.flatten(inputs)[0])


def first_rows(inputs: Any, count: int) -> Any:
    """The same structure with so many examples, where there are as many."""
    return keras.tree.map_structure(lambda leaf: leaf[:count], inputs)


def arrays(inputs: Any) -> Any:
    """The same structure with arrays at its leaves, floats as precise as Keras computes."""
    return keras.tree.map_structure(_array, inputs)


def in_chunks(function: Callable[[Any], Any], inputs: Any, count: int) -> Any:
    """What a function gives for all examples, so many a call: an array, (rows, ...), or several."""

    def cut(start: int) -> Any:
        return keras.tree.map_structure(lambda leaf: leaf[start : start + count], inputs)

    parts = [function(cut(start)) for start in range(0, rows(inputs), count)]
    return keras.tree.map_structure(lambda *each: np.concatenate(each), *parts)


def _array(values: Any) -> Array:
    values = np.asarray(values)
    floating = values.dtype.kind == "f"
    return np.asarray(values, dtype=keras.config.floatx()) if floating else values
