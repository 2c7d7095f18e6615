"""Reads a Keras model as a member of a template: the layer graph, and what of it is run-time.

Two models share a template where they differ only in widths and in run-time numbers: which of the
usual optimizers, its learning rate and other numbers, dropout rates and penalties.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
from keras.src.models.functional import Functional  # of a model that is a graph; private

from ...arrays import Array
from ...models.backbones import parted
from ...models.graphs import calls, graph
from ...own_objects import unreadable
from . import initial, losses, optimizers
from .errors import Unsupported
from .exactness import fixed
from .kinds import Described, Kind
from .nodes import Node
from .options import check_methods, check_weights, checked_kind
from .reshaping import read_moves
from .signature import Signature


@dataclass(frozen=True)
class Template:
    """What members of one compiled program have in common; equal templates are equal values."""

    nodes: tuple[Node, ...]
    loss: str
    batch_size: int
    signature: Signature


@dataclass(frozen=True, kw_only=True)
class Member:
    """One model of a template."""

    template: Template
    described: tuple[Described, ...]
    shapes: tuple[tuple[int, ...], ...]  # space of each node's first input
    features: tuple[int, ...]  # of each model input
    optimizer: Mapping[str, float]
    schedule: optimizers.Schedule | None = field(compare=False)  # of the learning rate
    loss_weight: float
    layers: tuple[Any, ...] = field(compare=False)  # Keras layers that have weights to train

    @cached_property
    def widths(self) -> tuple[dict[str, int], ...]:
        """Of each node."""
        return tuple(dict(each.widths) for each in self.described)

    @property
    def penalized(self) -> bool:
        """Whether any of its weights has a penalty."""
        return any(any(pair) for each in self.described for pair in each.penalties.values())

    def get_weights(self) -> list[Array]:
        """Those of its Keras layers, layer by layer."""
        return [values for layer in self.layers for values in layer.get_weights()]

    def set_weights(self, weights: Iterable[Array]) -> None:
        """Give its Keras layers these, in the same order."""
        values = iter(weights)
        for layer in self.layers:
            layer.set_weights([next(values) for _ in layer.weights])


def lower(model: Any, batch_size: int) -> Member:
    """The model as a member of its template.

    Raises Unsupported where a part of it has no counterpart here, or cannot be read.
    """
    try:
        return _lowered(model, batch_size)
    except Unsupported:
        raise
    except Exception as error:  # of a part of the user's own, which says of itself what it likes
        raise Unsupported(f"parts that cannot be read ({unreadable(error)})") from error


def _lowered(model: Any, batch_size: int) -> Member:
    functional, backbone = _functional(model), ""
    if (parts := parted(model)) is not None:  # only the head is trained
        if not parts.is_known:
            raise Unsupported("frozen layers whose weights are drawn at random")
        functional, backbone = parts.head, parts.identity
    with warnings.catch_warnings(action="ignore"):  # of saving: nothing is saved
        nodes, described, shapes, layers = _graph(functional)
    if not any(each.trainable for part in described for each in part.weights):
        raise Unsupported("nothing to train")
    loss = losses.describe(model.loss)
    losses.check_end(loss, dict(nodes[-1].static).get("activation"))
    return Member(
        template=Template(nodes, loss, batch_size, Signature.of(functional, backbone)),
        described=described,
        shapes=shapes,
        features=tuple(_features(tensor) for tensor in functional.inputs),
        optimizer=optimizers.describe(model.optimizer),
        schedule=optimizers.schedule(model.optimizer),
        loss_weight=_loss_weight(model),
        layers=layers,
    )


def _functional(model: Any) -> Any:
    """The graph of a model that is trained as Keras does."""
    if type(model) not in (keras.Sequential, keras.Model, Functional):
        raise Unsupported(f"a model of class {type(model).__name__}")
    check_methods(model)
    functional = graph(model)
    if functional is None or len(functional.outputs) != 1:
        raise Unsupported("an input known only when they are called, or with several outputs")
    _features(functional.outputs[0])
    return functional


def _loss_weight(model: Any) -> float:
    weight = model._compile_loss._user_loss_weights if model._compile_loss else None
    if weight is not None and not isinstance(weight, int | float):
        raise Unsupported("a loss weight an output")
    return 1.0 if weight is None else float(weight)


def _graph(functional: Any) -> tuple[Any, ...]:
    """All layer calls in an order in which each finds its inputs."""
    known = {id(tensor): -1 - index for index, tensor in enumerate(functional.inputs)}
    nodes: list[Node] = []
    described: list[Described] = []
    shapes: list[tuple[int, ...]] = []
    layers: list[Any] = []
    for call in _calls(functional):
        layer = call.operation
        if any(layer is each for each in layers) and layer.weights:
            raise Unsupported("a layer that is called twice")
        kind = checked_kind(layer)
        _check_inputs(call, kind)
        tensor = call.input_tensors[0]
        each = _described(layer, kind, tensor)
        nodes.append(
            Node(
                layer=type(layer).__name__,
                static=tuple(sorted(each.static.items())),
                inputs=tuple(known[id(source)] for source in call.input_tensors),
                weights=each.weights,
            )
        )
        described.append(each)
        shapes.append(tuple(tensor.shape[1:-1]))
        layers.append(layer)
        known[id(call.outputs[0])] = len(nodes) - 1
    if not nodes or known.get(id(functional.outputs[0])) != len(nodes) - 1:
        raise Unsupported("a model whose output is not its last layer")
    read_moves(nodes, described, shapes)
    widths = [each.widths for each in described]
    features = [_features(tensor) for tensor in functional.inputs]
    weighted = tuple(layer for layer, each in zip(layers, described, strict=True) if each.weights)
    return fixed(nodes, widths, shapes, features), tuple(described), tuple(shapes), weighted


def _calls(functional: Any) -> list[Any]:
    found = []
    for call in calls(functional):
        given = call.arguments.kwargs.values()
        options = [each for each in given if each is not None and each is not False]
        if options or len(call.arguments.args) != 1 or len(call.outputs) != 1:
            checked_kind(call.operation)  # it may be none that is known
            name = type(call.operation).__name__
            raise Unsupported(f"{name} called with options or several outputs")
        found.append(call)
    return found


def _check_inputs(call: Any, kind: Kind) -> None:
    """Several inputs are for layers that merge them; feature by feature, if these are as many."""
    shapes = {tuple(tensor.shape) for tensor in call.input_tensors}
    name = type(call.operation).__name__
    if len(call.input_tensors) > 1 and not kind.merges:
        raise Unsupported(f"{name} with several inputs")
    if kind.feature_by_feature and len(shapes) > 1:
        raise Unsupported(f"{name} of inputs of different shapes")


def _described(layer: Any, kind: Kind, tensor: Any) -> Described:
    _features(tensor)  # refuses those that are not known
    config, last = layer.get_config(), len(tensor.shape) - 1
    if config.get("axis") in (last, [last]):
        config["axis"] = -1
    learned = kind.learned(layer)
    described = kind.describe({**config, **learned})
    if not learned:
        check_weights(layer, described)
    for each in described.weights:
        initial.check(described.initializers[each.name])
    return described


def _features(tensor: Any) -> int:
    if None in tensor.shape[1:] or len(tensor.shape) < 2:
        raise Unsupported(f"inputs or outputs of shape {tensor.shape}")
    return int(tensor.shape[-1])
