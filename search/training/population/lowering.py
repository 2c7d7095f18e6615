"""Reads a Keras model as a member of a template: the layer graph, and what of it is run-time.

Two models share a template where they differ only in widths and in run-time numbers: which of the
usual optimizers, its learning rate and other numbers, dropout rates and penalties.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

import keras

from . import initial, losses, optimizers
from .errors import Unsupported
from .kinds import Described, Kind, Weight
from .recurrent import KINDS

NEUTRAL = frozenset({"name", "dtype", "trainable", "data_format", "zero_output_for_mask"})
ALTERNATIVES = ("_initializer", "_regularizer")  # read with the weights


@dataclass(frozen=True)
class Node:
    """One layer call of a template; inputs are numbers of earlier nodes, or -1 - n for input n."""

    layer: str
    static: tuple[tuple[str, Any], ...]
    inputs: tuple[int, ...]
    weights: tuple[Weight, ...]
    exact: tuple[tuple[str, int], ...] = ()  # widths that may not be padded


@dataclass(frozen=True)
class Template:
    """What members of one compiled program have in common; equal templates are equal values."""

    nodes: tuple[Node, ...]
    loss: str
    batch_size: int


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
    layers: tuple[Any, ...] = field(compare=False)  # Keras layers, for their weights

    @cached_property
    def widths(self) -> tuple[dict[str, int], ...]:
        """Of each node."""
        return tuple(dict(each.widths) for each in self.described)

    @property
    def penalized(self) -> bool:
        """Whether any of its weights has a penalty."""
        return any(any(pair) for each in self.described for pair in each.penalties.values())


def kind_of(node: Node) -> Kind:
    """What the node's layer computes."""
    return BY_NAME[node.layer]


def lower(model: Any, batch_size: int) -> Member:
    """The model as a member of its template.

    Raises Unsupported where a part of it has no counterpart here.
    """
    if type(model) is keras.Sequential:
        loss, optimizer, functional = model.loss, model.optimizer, model._functional
    elif type(model) is keras.Model or type(model).__name__ == "Functional":
        loss, optimizer, functional = model.loss, model.optimizer, model
    else:
        raise Unsupported(f"a model of class {type(model).__name__}")
    if functional is None or len(functional.outputs) != 1:
        raise Unsupported("a model without a known input, or with several outputs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of configurations that cannot be saved: none is
        nodes, described, shapes, layers = _graph(functional)
    weight = model._compile_loss._user_loss_weights if model._compile_loss else None
    if weight is not None and not isinstance(weight, int | float):
        raise Unsupported("a loss weight an output")
    return Member(
        template=Template(nodes, losses.describe(loss), batch_size),
        described=described,
        shapes=shapes,
        features=tuple(_features(tensor) for tensor in functional.inputs),
        optimizer=optimizers.describe(optimizer),
        schedule=optimizers.schedule(optimizer),
        loss_weight=1.0 if weight is None else float(weight),
        layers=layers,
    )


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
        kind = _kind(layer)
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
    return _exact(nodes, described), tuple(described), tuple(shapes), tuple(layers)


def _calls(functional: Any) -> list[Any]:
    calls = []
    for depth in sorted(functional._nodes_by_depth, reverse=True):
        for call in functional._nodes_by_depth[depth]:
            if call.is_input or not call.operation:
                continue
            options = {k: v for k, v in call.arguments.kwargs.items() if v not in (None, False)}
            if options or len(call.outputs) != 1:
                raise Unsupported(f"{call.operation.name} called with options or several outputs")
            calls.append(call)
    return calls


def _kind(layer: Any) -> Kind:
    kind = KINDS.get(type(layer))
    if kind is None:
        raise Unsupported(f"layer {type(layer).__name__}")
    parts = [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        parts += [layer.forward_layer, layer.backward_layer]
    for part in parts:
        _check_options(part, KINDS[type(part)])
    return kind


def _check_options(layer: Any, kind: Kind) -> None:
    """Whatever is not read here has to have Keras's default value."""
    if layer.dtype_policy.name != "float32" or not layer.trainable:
        raise Unsupported(f"{layer.name} in {layer.dtype_policy.name}, or frozen")
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        raise Unsupported(f"{layer.name} with channels first")
    defaults = _parameters(layer.__class__)
    for name, value in layer.get_config().items():
        if name in kind.reads or name in NEUTRAL or name.endswith(ALTERNATIVES):
            continue
        default = defaults[name].default if name in defaults else False
        if value != default and not (value is None and default is False):
            raise Unsupported(f"{type(layer).__name__}({name}={value})")


@cache
def _parameters(kind: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(kind.__init__).parameters


def _described(layer: Any, kind: Kind, tensor: Any) -> Described:
    described = kind.describe(layer.get_config(), _features(tensor))
    if len(described.weights) != len(layer.weights):
        raise Unsupported(f"{type(layer).__name__} with weights that are not known here")
    for each in described.weights:
        initial.check(described.initializers[each.name])
    return described


def _features(tensor: Any) -> int:
    if None in tensor.shape[1:] or len(tensor.shape) < 2:
        raise Unsupported(f"inputs of shape {tensor.shape}")
    return int(tensor.shape[-1])


def _exact(nodes: list[Node], described: list[Described]) -> tuple[Node, ...]:
    """Fix the widths of what the output, or a layer that mixes features, is made of."""
    wanted = {len(nodes) - 1}
    for node in nodes:
        if kind_of(node).exact_input:
            wanted |= {source for source in node.inputs if source >= 0}
    exact: set[int] = set()
    while wanted:
        index = wanted.pop()
        if index in exact:
            continue
        exact.add(index)
        if not described[index].widths:
            wanted |= {source for source in nodes[index].inputs if source >= 0}
    return tuple(
        replace(
            node, exact=tuple(sorted(described[index].widths.items())) if index in exact else ()
        )
        for index, node in enumerate(nodes)
    )


BY_NAME: dict[str, Kind] = {layer.__name__: kind for layer, kind in KINDS.items()}
