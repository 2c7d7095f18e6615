"""Training and validation rows as the compiled programs take them, on the device once."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from .errors import Unsupported
from .places import everywhere
from .stem import Stem


class Dataset:
    """Rows for all programs of a search.

    Args:
        train: (inputs, labels); inputs may be an array or a structure of arrays, as the model's.
        validation: inputs only.
    """

    def __init__(self, train: tuple[Any, Any], validation: Any) -> None:
        self._rows = [_numbers(each) for each in keras.tree.flatten(train[0])]
        self._inputs = [everywhere(each) for each in self._rows]
        self._moments: dict[Stem, Any] = {}
        self._labels = everywhere(_numbers(train[1]))
        self._validation = [_numbers(each) for each in keras.tree.flatten(validation)]
        self._chunked: dict[int, list[Any]] = {}
        self.rows = len(self._labels)
        self.validation_rows = len(self._validation[0])

    def arrays(self, at_once: int, stem: Stem | None) -> dict[str, Any]:
        """What a program is given; validation rows in chunks of equal size, the last one padded."""
        if stem is not None and stem not in self._moments:
            self._moments[stem] = everywhere(stem.moments(self._rows[0]))
        chunks = math.ceil(self.validation_rows / at_once)
        at_once = math.ceil(self.validation_rows / chunks)
        if at_once not in self._chunked:
            self._chunked[at_once] = [
                everywhere(_chunks(each, chunks, at_once)) for each in self._validation
            ]
        return {
            "inputs": self._inputs,
            "labels": self._labels,
            "validation": self._chunked[at_once],
            "moments": (0.0,) if stem is None else self._moments[stem],
        }


def _chunks(values: Any, chunks: int, at_once: int) -> Any:
    missing = chunks * at_once - len(values)
    padded = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
    return padded.reshape(chunks, at_once, *values.shape[1:])


def _numbers(values: Any) -> Any:
    values = np.asarray(values)
    if values.dtype.kind not in "fiub":
        raise Unsupported(f"inputs of type {values.dtype}")
    return values.astype("float32" if values.dtype.kind == "f" else "int32")
