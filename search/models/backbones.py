"""A model in two parts: a backbone of frozen layers, which no training changes, and its head.

What a backbone makes of a row is the same in each epoch of each trial: it can be computed once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from keras.src.backend.common.masking import get_keras_mask  # private, as is the next

from ..counting import PLAIN, holds_nothing
from ..fingerprint import of_rows, of_values, plain
from .graphs import calls, graph, is_readable

NUMBERS = 4096  # that a backbone may give for a row, where the row has fewer


@dataclass(frozen=True, kw_only=True)
class Parted:
    """A model in two: together they compute what it does.

    Args:
        backbone: from the model's inputs to features; it is the same in training.
        head: from the features to the model's outputs: of its own layers, compiled as it is.
        told: what the backbone is made of, but for its weights.
    """

    backbone: keras.Model
    head: keras.Model
    told: list[Any]

    @property
    def is_quiet(self) -> bool:
        """Whether part of the backbone is called with `training=False`.

        The `fit` of Keras 3.15 does not heed that: it has dropout drop inside of such a model.
        """
        return any(_is_quiet(call) for call in calls(self.backbone))

    @property
    def is_known(self) -> bool:
        """Whether all weights of the backbone have values: those to be drawn may have none."""
        return not any(holds_nothing(each) for each in self.backbone.weights)

    @cached_property
    def identity(self) -> str:
        """The same for backbones that compute the same: their calls, settings and weights."""
        weights = [keras.ops.convert_to_numpy(each.value) for each in self.backbone.weights]
        return of_values(calls=self.told, weights=of_rows(weights))


def parted(model: keras.Model) -> Parted | None:
    """The backbone and the head of a compiled model; None where it has no frozen layers in front.

    None too where the frozen layers give more numbers for a row than they take, or do not say all
    that they are made of.
    """
    if not is_readable(model) or not getattr(model, "inputs", None):
        return None
    whole = graph(model)
    fixed = {id(tensor) for tensor in whole.inputs}
    features: dict[int, Any] = {}
    frozen = False
    for call in calls(whole):
        if _is_fixed(call) and all(id(each) in fixed for each in call.input_tensors):
            fixed |= {id(each) for each in call.outputs}
            frozen = frozen or _is_frozen(call.operation)
        else:
            features |= {id(each): each for each in call.input_tensors if id(each) in fixed}
    ends = any(id(tensor) in fixed for tensor in whole.outputs)
    if ends or not frozen or not _is_small(whole.inputs, [*features.values()]):
        return None
    given = [*features.values()] if len(features) > 1 else next(iter(features.values()))
    backbone = keras.Model(whole._inputs_struct, given)
    try:
        told = list(_told(backbone))
    except _UntoldError:
        return None
    head = _compiled(keras.Model(given, whole._outputs_struct), model)
    return Parted(backbone=backbone, head=head, told=told)


def _is_fixed(call: Any) -> bool:
    """Whether what an operation gives depends on what it takes alone, in training as elsewhere."""
    operation = call.operation
    if not type(operation).__module__.startswith("keras."):
        return False  # what training does to it is not known
    if any(get_keras_mask(each) is not None for each in call.outputs):
        return False  # it goes with the tensor, and not with its values
    if not isinstance(operation, keras.Layer):
        return True
    if "regularization" in type(operation).__module__:
        return False  # also where nothing is dropped: features are the same with any rate
    quiet, parts = _is_quiet(call), operation._flatten_layers()
    return all(_stays(each) and (quiet or not each._seed_generators) for each in parts)


def _is_quiet(call: Any) -> bool:
    return call.arguments.kwargs.get("training") is False


def _stays(layer: Any) -> bool:
    """Whether no training changes a layer, whose own layers are asked apart."""
    if isinstance(layer, keras.layers.Lambda) or layer.activity_regularizer is not None:
        return False
    own = [
        *layer._trainable_variables,
        *layer._non_trainable_variables,
    ]  # private: none of a part's
    return not (own and layer.trainable) or hasattr(layer, "adapt")


def _is_frozen(operation: Any) -> bool:
    layers = operation._flatten_layers() if isinstance(operation, keras.Layer) else []
    return any(each.weights and not hasattr(each, "adapt") for each in layers)


def _is_small(taken: Sequence[Any], given: Sequence[Any]) -> bool:
    """Whether features take no more memory than the rows that they are of, or little."""
    if any(None in each.shape[1:] or each.dtype == "string" for each in given):
        return False
    known = [each for each in taken if None not in each.shape[1:]]
    return _numbers(given) <= max(NUMBERS, _numbers(known))


def _numbers(tensors: Sequence[Any]) -> int:
    return sum(math.prod(each.shape[1:]) for each in tensors)


def _compiled(head: keras.Model, model: keras.Model) -> keras.Model:
    """With the model's own optimizer: its state is the model's, too."""
    head.compile(**{**model._compile_config.config, "optimizer": model.optimizer})
    return head


class _UntoldError(Exception):
    """Something of a model cannot be told from others."""


def _told(model: Any) -> Iterator[Any]:
    """Each call of a model: what is called, on what, and how; so of each model in it.

    Raises _UntoldError where one of them does not say all that it is made of.
    """
    numbers = {id(tensor): index for index, tensor in enumerate(model.inputs)}

    def known(each: Any) -> Any:
        if isinstance(each, keras.KerasTensor):
            return [numbers[id(each)]]
        if isinstance(each, slice) or each is ...:
            return repr(each)
        if keras.ops.is_tensor(each):
            return keras.ops.convert_to_numpy(each)
        if isinstance(each, (*PLAIN, np.ndarray, np.generic)):
            return each
        raise _UntoldError

    for call in calls(model):
        operation, given = call.operation, (call.arguments.args, call.arguments.kwargs)
        inside = is_readable(operation) and getattr(operation, "inputs", None)
        yield [
            type(operation).__name__,
            list(_told(graph(operation))) if inside else _configuration(operation),
            plain(keras.tree.map_structure(known, given)),
        ]
        numbers |= {id(each): len(numbers) + place for place, each in enumerate(call.outputs)}
    yield [numbers[id(each)] for each in model.outputs]


def _configuration(operation: Any) -> Any:
    try:
        config = operation.get_config()
    except Exception as error:
        raise _UntoldError from error
    if "__lambda__" in str(config):  # whose code is all that is known of it
        raise _UntoldError
    return plain(config)
