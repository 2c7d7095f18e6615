"""What a model takes and gives, a row: and which arrays of a data set those are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ...arrays import Array
from .errors import Unsupported

AUTOMATIC = re.compile(r"(input_layer|keras_tensor)(_\d+)?(CLONE)?")  # other names in every model
NUMBERS = re.compile("float32|u?int(8|16|32|64)|bool")


@dataclass(frozen=True, kw_only=True)
class ModelInput:
    """One input of a model: its name, None where the user gave it none; shape and type of a row."""

    name: str | None
    shape: tuple[int, ...]
    dtype: str

    def rows(self, values: Any) -> Array:
        """An array in the rank and the type that Keras would give it."""
        values = np.asarray(values)
        if values.dtype.kind not in "fiub":
            raise Unsupported(f"inputs of type {values.dtype}")
        shape = values.shape[1:]
        if shape == (*self.shape, 1):
            values = values[..., 0]
        elif (*shape, 1) == self.shape:
            values = values[..., None]
        elif shape != self.shape:
            raise Unsupported(f"inputs of shape {self.shape}, for rows of shape {shape}")
        typed: Array = values.astype(self.dtype, copy=False)
        return typed if self.dtype == "float32" else typed.astype("int32", copy=False)


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The inputs of a model, and the shape of its output.

    Args:
        keyed: whether the model takes a dictionary of its inputs, and nothing else.
        backbone: whose features it takes in place of the rows, by its identity; empty: of none.
    """

    inputs: tuple[ModelInput, ...]
    keyed: bool
    output: tuple[int, ...]
    backbone: str = ""

    @classmethod
    def of(cls, functional: Any, backbone: str = "") -> Signature:
        """That of a Keras model with one output."""
        struct = functional._inputs_struct
        keyed = isinstance(struct, dict)
        named = sorted(struct.items()) if keyed else [(None, tensor) for tensor in _listed(struct)]
        if not all(hasattr(tensor, "shape") for _, tensor in named):
            raise Unsupported("inputs inside of each other")
        return cls(
            inputs=tuple(_input(key, tensor) for key, tensor in named),
            keyed=keyed,
            output=tuple(functional.outputs[0].shape[1:]),
            backbone=backbone,
        )

    def rows(self, given: Any) -> list[Array]:
        """The arrays of a data set in the order of the model's inputs.

        Raises Unsupported where it is not certain which those are.
        """
        names = [each.name for each in self.inputs]
        if isinstance(given, Mapping):
            if not given.keys() >= set(names) or (self.keyed and len(given) != len(names)):
                raise Unsupported("inputs of other names than those of the data")
            leaves = [given[name] for name in names]
        elif self.keyed:
            raise Unsupported("named inputs, for data without names")
        else:
            leaves = _listed(given)
        if len(leaves) != len(names) or any(keras.tree.is_nested(each) for each in leaves):
            raise Unsupported(f"{len(names)} inputs, for data of another number of them")
        return [each.rows(leaf) for each, leaf in zip(self.inputs, leaves, strict=True)]


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) else [given]


def _input(key: Any, tensor: Any) -> ModelInput:
    if not NUMBERS.fullmatch(tensor.dtype):
        raise Unsupported(f"inputs of type {tensor.dtype}")
    automatic = key is None and AUTOMATIC.fullmatch(tensor.name)
    name = None if automatic else key or tensor.name
    return ModelInput(name=name, shape=tuple(tensor.shape[1:]), dtype=tensor.dtype)
