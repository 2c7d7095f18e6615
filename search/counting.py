"""The parameter count of a model: every weight that is deployed, known before any training."""

from __future__ import annotations

import math
import sys
import typing
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras

from .nests import first_rows

INITIALIZE = keras.Variable._initialize  # private, as is the next
DRAW = keras.Variable._initialize_with_initializer
PLAIN = (str, int, float, bool, type(None))  # values that no variable can be


@dataclass(frozen=True)
class Count:
    """Weights of a model; moving statistics count in `total`, the optimizer's state nowhere."""

    total: int
    trainable: int


def count_build(
    build: Callable[[], keras.Model], inputs: Any, *, with_weights: bool = False
) -> Count:
    """Count the weights of the model that `build` makes, without allocating them where possible.

    Args:
        build: is called once more, with weights, where the model cannot be made without values.
        inputs: rows that a model is built on where it does not know its input shape.
        with_weights: it is known that it cannot.
    """
    if with_weights:
        return count(build(), inputs)
    with suppress(Exception):  # a build that needs real values: it is built for real below
        with unallocated():
            model = build()
        if model.built:
            return count(model, inputs)
    return count(build(), inputs)


def count(model: keras.Model, inputs: Any) -> Count:
    """Count the weights of a model; one row of `inputs` builds it where it is not built yet."""
    if not model.built:
        model(first_rows(inputs, 1))
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return Count(total=int(model.count_params()), trainable=int(trainable))


def activations(model: Any) -> int:
    """Numbers that the layers of a model put out for one row, those of models in it among them.

    0 where that is not known unbuilt.
    """
    layers = getattr(model, "layers", [])
    outputs = [getattr(layer, "output", None) for layer in layers]
    shapes = [each.shape[1:] for each in keras.tree.flatten(outputs) if hasattr(each, "shape")]
    own: int = sum(math.prod(shape) for shape in shapes if None not in shape)
    return own + sum(activations(layer) for layer in layers if isinstance(layer, keras.Model))


@contextmanager
def unallocated() -> Iterator[None]:
    """Variables made in here know their shape and hold nothing: most of a build's time is theirs.

    Those that are given a value, as learning rates are, keep it. What is replaced meanwhile is
    private to Keras; tests pin it.
    """
    _know_protocols()

    def skip(variable: keras.Variable, initializer: Any) -> None:
        variable._value, variable.drawn_by = _nothing(variable), initializer

    def keep(variable: keras.Variable, value: Any) -> None:
        variable._value = value

    finalized = keras.layers.Normalization.finalize_state

    def finalize(layer: Any) -> None:
        if not any(holds_nothing(each) for each in layer.weights[:2]):
            finalized(layer)  # mean and variance; a layer that is only built is adapted next

    from keras.src.utils.tracking import Tracker

    tracked = Tracker.track

    def track(tracker: Any, attribute: Any) -> Any:
        # Keras asks of every text and number whether it is a layer or a variable.
        return attribute if type(attribute) in PLAIN else tracked(tracker, attribute)

    with ExitStack() as replaced:
        replaced.enter_context(_replaced(keras.Variable, "_initialize_with_initializer", skip))
        replaced.enter_context(_replaced(keras.Variable, "_initialize", keep))
        replaced.enter_context(_replaced(keras.Variable, "_direct_assign", keep))
        replaced.enter_context(_replaced(Tracker, "track", track))
        replaced.enter_context(_replaced(keras.layers.Normalization, "finalize_state", finalize))
        if keras.backend.backend() == "tensorflow":  # which tracks all attributes for checkpoints
            from keras.src.backend.tensorflow.trackable import KerasAutoTrackable

            setting = object.__setattr__
            replaced.enter_context(_replaced(KerasAutoTrackable, "__setattr__", setting))
        yield


def allocate(model: keras.Model) -> None:
    """Allocate weights of a model that were made by `unallocated`, and have outlived it.

    So do those of layers that a space keeps, as a base that it loads once: the first build that
    has them may have been one to be counted. In such a build they stay as they are.
    """
    if keras.Variable._initialize is not INITIALIZE:
        return
    for variable in model.variables:
        if not holds_nothing(variable):
            if not isinstance(variable._value, _values()):
                INITIALIZE(variable, variable._value)
        elif hasattr(variable, "drawn_by"):
            DRAW(variable, variable.drawn_by)


def _values() -> Any:
    """What holds the values of variables, where an assigned tensor does not."""
    if keras.backend.backend() == "tensorflow":
        return sys.modules["tensorflow"].Variable
    return sys.modules["torch"].nn.Parameter if keras.backend.backend() == "torch" else object


def holds_nothing(variable: keras.Variable) -> bool:
    """Whether a variable was made by `unallocated`, and was given no value since."""
    value = variable._value
    return value is None or getattr(getattr(value, "device", None), "type", "") == "meta"


def _nothing(variable: keras.Variable) -> Any:
    """None; on torch, whose layers read their weights as soon as they are built, a meta tensor."""
    if keras.backend.backend() != "torch":
        return None
    import torch
    from keras.src.backend.torch.core import to_torch_dtype

    dtype = to_torch_dtype(variable.dtype)
    value = torch.empty(tuple(variable.shape), dtype=dtype, device="meta")
    return torch.nn.Parameter(value, requires_grad=bool(variable.trainable))


@contextmanager
def undrawn() -> Iterator[None]:
    """Variables made in here are zero where they would be drawn: they are given values later.

    JAX would compile a program for each shape that it draws, which takes longer than all else.
    """
    original = keras.Variable._initialize_with_initializer

    def zero(variable: keras.Variable, initializer: Any) -> None:
        drawn = hasattr(initializer, "seed")
        original(variable, keras.initializers.Zeros() if drawn else initializer)

    with _replaced(keras.Variable, "_initialize_with_initializer", zero):
        yield


@contextmanager
def _replaced(owner: type, name: str, replacement: Callable[..., Any]) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, original)


@cache
def _know_protocols() -> None:
    """Let Python 3.11 look up a protocol's attributes once, as 3.12 does.

    TensorFlow asks by `isinstance` whether the name of an initializer or of an activation is a
    tensor, and 3.11 collects the protocol's attributes anew each time: a third of a build.
    """
    if sys.version_info < (3, 12):
        typing._get_protocol_attrs = cache(typing._get_protocol_attrs)  # type: ignore[attr-defined]
