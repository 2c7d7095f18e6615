"""The parameter count of a model: every weight that is deployed, known before any training."""

from __future__ import annotations

import math
import sys
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import keras


@dataclass(frozen=True)
class Count:
    """Weights of a model; moving statistics count in `total`, the optimizer's state nowhere."""

    total: int
    trainable: int


def count_build(build: Callable[[], keras.Model], inputs: Any) -> Count:
    """Count the weights of the model that `build` makes, without allocating them where possible.

    Args:
        build: is called once more, with weights, where the model cannot be made without values.
        inputs: rows that a model is built on where it does not know its input shape.
    """
    try:
        with unallocated():
            model = build()
        if model.built:
            return count(model, inputs)
    except Exception:  # a build that needs real values: it is built for real below
        pass
    return count(build(), inputs)


def count(model: keras.Model, inputs: Any) -> Count:
    """Count the weights of a model; one row of `inputs` builds it where it is not built yet."""
    if not model.built:
        model(first_rows(inputs, 1))
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    return Count(total=int(model.count_params()), trainable=int(trainable))


def activations(model: Any) -> int:
    """Numbers that the layers of a model put out for one row; 0 where that is not known unbuilt."""
    outputs = [getattr(layer, "output", None) for layer in getattr(model, "layers", [])]
    shapes = [each.shape[1:] for each in keras.tree.flatten(outputs) if hasattr(each, "shape")]
    return sum(math.prod(shape) for shape in shapes if None not in shape)


def first_rows(inputs: Any, rows: int) -> Any:
    """The first rows of an array or a data frame, or of any nest of them."""
    if isinstance(inputs, dict):
        return {name: first_rows(value, rows) for name, value in inputs.items()}
    if isinstance(inputs, list | tuple):
        return type(inputs)(first_rows(value, rows) for value in inputs)
    return inputs[:rows]


@contextmanager
def unallocated() -> Iterator[None]:
    """Variables made in here know their shape and hold nothing: most of a build's time is theirs.

    `_initialize_with_initializer` is private to Keras; a test pins it.
    """
    _know_protocols()

    def skip(variable: keras.Variable, initializer: Any) -> None:
        variable._value = None

    with _initialized_by(skip), _untracked():
        yield


@contextmanager
def undrawn() -> Iterator[None]:
    """Variables made in here are zero where they would be drawn: they are given values later.

    JAX would compile a program for each shape that it draws, which takes longer than all else.
    """
    original = keras.Variable._initialize_with_initializer

    def zero(variable: keras.Variable, initializer: Any) -> None:
        drawn = hasattr(initializer, "seed")
        original(variable, keras.initializers.Zeros() if drawn else initializer)

    with _initialized_by(zero):
        yield


@contextmanager
def _initialized_by(initialize: Callable[[keras.Variable, Any], None]) -> Iterator[None]:
    original = keras.Variable._initialize_with_initializer
    keras.Variable._initialize_with_initializer = initialize
    try:
        yield
    finally:
        keras.Variable._initialize_with_initializer = original


@contextmanager
def _untracked() -> Iterator[None]:
    """On TensorFlow each attribute is tracked for checkpoints: a third of a build, for nothing.

    `KerasAutoTrackable` is private to Keras; a test pins it.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    from keras.src.backend.tensorflow.trackable import KerasAutoTrackable

    original = KerasAutoTrackable.__setattr__
    KerasAutoTrackable.__setattr__ = object.__setattr__
    try:
        yield
    finally:
        KerasAutoTrackable.__setattr__ = original


@cache
def _know_protocols() -> None:
    """Let Python 3.11 look up a protocol's attributes once, as 3.12 does.

    TensorFlow asks by `isinstance` whether the name of an initializer or of an activation is a
    tensor, and 3.11 collects the protocol's attributes anew each time: a third of a build.
    """
    if sys.version_info < (3, 12):
        typing._get_protocol_attrs = cache(typing._get_protocol_attrs)  # type: ignore[attr-defined]
