"""What of a model, a layer or a weight is not read here has to be as Keras makes it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

import keras

from .errors import Unsupported
from .kinds import NO_PENALTY, Described, Kind, penalty
from .recurrent import KINDS

NEUTRAL = frozenset({"name", "dtype", "trainable", "data_format", "zero_output_for_mask"})
ACTIVATIONS = frozenset({"activation", "recurrent_activation"})
OF_WEIGHTS = ("_initializer", "_regularizer")  # read with the weights
REPLACEABLE = frozenset(  # methods that a training is made of
    {"call", "fit", "train_step", "compute_loss", "make_train_function", "stateless_compute_loss"}
)


def check_methods(owner: Any) -> None:
    """Refuse a model or a layer that was given a method of its own."""
    if replaced := REPLACEABLE & vars(owner).keys():
        raise Unsupported(f"a {min(replaced)} of its own")


def checked_kind(layer: Any) -> Kind:
    """What a layer is to a population, where all of its options are known."""
    parts = [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        parts += [layer.forward_layer, layer.backward_layer]
    for part in parts:
        if (kind := KINDS.get(type(part))) is None:
            raise Unsupported(_unknown(part))
        check_methods(part)
        _check_options(part, kind)
    return KINDS[type(layer)]


def _unknown(operation: Any) -> str:
    name = type(operation).__name__
    if name == "NotEqual":
        return "masks"
    if isinstance(operation, keras.layers.Layer):
        return f"layer {name}"
    return f"an operation outside a layer, {name}"


def check_weights(layer: Any, described: Described) -> None:
    """Refuse a layer with other weights than described, or that were changed once it was built."""
    name, weights = type(layer).__name__, layer.weights
    if len(described.weights) != len(weights):
        raise Unsupported(f"{name} with weights that are not known here")
    for each, weight in zip(described.weights, weights, strict=True):
        if each.trainable != weight.trainable or weight.constraint is not None:
            raise Unsupported(f"{name} with a {each.name} that is frozen, or not as usual")
        own = weight.regularizer and keras.regularizers.serialize(weight.regularizer)
        if penalty(own) != described.penalties.get(each.name, NO_PENALTY):
            raise Unsupported(f"{name} with a {each.name} whose penalty was changed")


def _check_options(layer: Any, kind: Kind) -> None:
    """Whatever is not read here has to have Keras's default value."""
    if not layer.trainable:
        raise Unsupported(f"a {type(layer).__name__} that is frozen")
    if (kept := layer.dtype_policy.name) != "float32":
        raise Unsupported(f"a {type(layer).__name__} in {kept}")
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise Unsupported(f"{layer.name} with channels first")
    defaults, config = _parameters(layer.__class__), layer.get_config()
    _check_activations(layer, config)
    for name, value in config.items():
        if name in kind.reads or name in NEUTRAL:
            continue
        if name.endswith(OF_WEIGHTS) and name != "activity_regularizer":
            continue
        default = defaults[name].default if name in defaults else False
        if value != default and not (value is None and default is False):
            raise Unsupported(f"{type(layer).__name__}({name}={value})")


def _check_activations(layer: Any, config: Mapping[str, Any]) -> None:
    """A function of the user's own has only its name in a configuration, as Keras's have."""
    for name in ACTIVATIONS & config.keys():
        if getattr(layer, name) is not keras.activations.get(config[name]):
            found = config[name]
            called = found.get("class_name") if isinstance(found, Mapping) else found
            raise Unsupported(f"an activation of its own, {called}")


@cache
def _parameters(kind: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(kind.__init__).parameters
