"""Short names for what a search depends on: change any of it and it is another search."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    import keras_tuner

    from .pipeline import Data


def of_data(data: Data) -> str:
    """Fingerprint of all rows of the three splits, as the models take them."""
    return of_rows([data.train, data.validation, data.test])


def of_rows(rows: Any) -> str:
    """Fingerprint of arrays or data frames, or of any nest of them."""
    digest = hashlib.blake2b(digest_size=8)
    for leaf in keras.tree.flatten(rows):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes() if array.dtype != object else repr(array.tolist()).encode())
    return digest.hexdigest()


def of_space(hp: keras_tuner.HyperParameters, model: keras.Model) -> str:
    """Fingerprint of the hyperparameters that the default build reads, and of what it builds."""
    read = [f"{type(each).__name__} {each.get_config()}" for each in hp.space]
    layers = [type(layer).__name__ for layer in getattr(model, "layers", [])]
    shapes = [list(weight.shape) for weight in model.weights]
    return of_values(read=read, layers=layers, shapes=shapes)


def of_values(**values: Any) -> str:
    """Fingerprint of plain values."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
