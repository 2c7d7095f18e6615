"""What the backbones of a search's models make of its rows: computed once, and kept."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import keras
import numpy as np

from ..models.backbones import Parted, parted
from ..models.evaluation import outputs
from ..nests import arrays, first_rows, rows
from .users_fit import keeps_step

BYTES = 2**30  # of all features that are kept, or as many as the rows themselves have
FEWEST = 3  # that are kept: of rows to train with, to validate, and on which units are judged
CHECKED, TOLERANCE = 8, 1e-4  # rows on which a backbone has to give in training what it gives else

_kept: OrderedDict[tuple[str, tuple[int, ...]], tuple[Any, Any]] = OrderedDict()


def features_of(parted: Parted, inputs: Any) -> Any:
    """What the backbone makes of all rows, as its head takes it: an array, or a list of several.

    None where that is too much to be kept, or where the backbone does something else in training.
    The same rows are recognized as the same objects.
    """
    leaves = keras.tree.flatten(inputs)
    key = parted.identity, tuple(map(id, leaves))
    if key not in _kept:
        fits = _bytes(parted, rows(inputs)) <= max(BYTES, _size(inputs))
        _kept[key] = leaves, _computed(parted, inputs) if fits else None
    _kept.move_to_end(key)
    found = _kept[key][1]
    while len(_kept) > FEWEST and sum(_size(each) for _, each in _kept.values()) > BYTES:
        _kept.popitem(last=False)
    return found


def forget() -> None:
    """Keep no features any longer: a search is over, and its process may go on."""
    _kept.clear()


def without_backbone(model: keras.Model, *inputs: Any) -> tuple[keras.Model, tuple[Any, ...]]:
    """What of a model is trained, and what that takes for the model's inputs.

    The model itself, and its inputs, where it has no backbone whose features are kept.
    """
    parts = parted(model) if keeps_step(model) else None
    found = tuple(features_of(parts, each) for each in inputs) if parts else ()
    if parts is None or any(each is None for each in found):
        return model, inputs
    return parts.head, found


def _computed(parted: Parted, inputs: Any) -> Any:
    backbone, some = parted.backbone, arrays(first_rows(inputs, CHECKED))
    training = backbone(some, training=None if parted.is_quiet else True)
    if backbone.losses or not _are_equal(training, outputs(backbone, some)):
        return None
    return outputs(backbone, inputs)


def _are_equal(some: Any, others: Any) -> bool:
    pairs = zip(keras.tree.flatten(some), keras.tree.flatten(others), strict=True)
    return all(
        np.allclose(keras.ops.convert_to_numpy(one), other, rtol=TOLERANCE, atol=TOLERANCE)
        for one, other in pairs
    )


def _bytes(parted: Parted, count: int) -> int:
    tensors = parted.head.inputs
    sizes = (np.prod(each.shape[1:]) * np.dtype(each.dtype).itemsize for each in tensors)
    return int(sum(sizes)) * count


def _size(nest: Any) -> int:
    return sum(np.asarray(leaf).nbytes for leaf in keras.tree.flatten(nest) if leaf is not None)
