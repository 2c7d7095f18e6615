"""The layers of a Keras model: which can change, what each takes and gives, how they are set."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from itertools import permutations
from typing import Any

import keras

WIDTHS = ("units", "filters", "output_dim", "key_dim", "value_dim", "head_dim")  # in layers
KEEPS_SHAPE = ("normalization", "activations", "regularization")  # modules of Keras's layers


def functional(model: keras.Model) -> keras.Model:
    """The same layers as a functional model that is not compiled."""
    if isinstance(model, keras.Sequential):
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def is_readable(model: Any) -> bool:
    """Whether a model is of layers that Keras knows, Sequential or functional."""
    return isinstance(model, keras.Model) and type(model).__module__.startswith("keras.")


def is_nested(layer: Any) -> bool:
    """Whether a layer is a model whose own layers can change."""
    return is_readable(layer) and layer.trainable and bool(getattr(layer, "inputs", None))


def stays(layer: Any) -> bool:
    """Whether a layer is taken as it is: an operation, or one that is frozen, adapted or unread."""
    if not isinstance(layer, keras.Layer) or isinstance(layer, keras.Model):
        return True
    return not layer.trainable or hasattr(layer, "adapt")


def changeable(model: keras.Model) -> list[Any]:
    """The layers of a model that can change, those of nested ones among them."""
    found = [changeable(each) if is_nested(each) else [each] for each in model.layers]
    return [layer for layers in found for layer in layers if not stays(layer)]


def named(layers: Sequence[Any]) -> dict[int, str]:
    """Names by identity; those that Keras numbered in this process are numbered in this model."""
    seen: Counter[str] = Counter()
    names: dict[int, str] = {}
    for layer in layers:
        name = re.sub(r"_\d+$", "", layer.name)
        if name.replace("_", "") != type(layer).__name__.lower():
            name = layer.name  # the user's own
        names[id(layer)] = f"{name}_{seen[name]}" if seen[name] else name
        seen[name] += 1
    return names


def settings(layer: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Numbers by which a layer is set, of those that have one value in it: a wrapper's are inside.

    Args:
        keys: what layers call them.
    """
    if stays(layer):
        return {}
    config = layer.get_config()
    values = {key: {*_values(config, key)} for key in keys}
    return {key: each.pop() for key, each in values.items() if len(each) == 1}


def change(config: Any, key: str, value: float) -> None:
    """Give a setting another value, wherever it is in a configuration."""
    for part in config.values() if isinstance(config, dict) else config:
        if isinstance(part, dict | list | tuple):
            change(part, key, value)
    if isinstance(config, dict):
        config.pop("build_config", None)  # shapes that it had
    if _has(config, key):
        config[key] = value


def _values(config: Any, key: str) -> Iterator[int | float]:
    for part in config.values() if isinstance(config, dict) else config:
        if isinstance(part, dict | list | tuple):
            yield from _values(part, key)
    if _has(config, key):
        yield config[key]


def _has(config: Any, key: str) -> bool:
    return isinstance(config, dict) and type(config.get(key)) in (int, float)


def graph(model: keras.Model) -> Any:
    """The functional model that a built model is, or has in it where it is Sequential."""
    return model._functional if isinstance(model, keras.Sequential) else model


def calls(functional: Any) -> Iterator[Any]:
    """All calls of a functional model's operations, in an order in which each finds its inputs."""
    by_depth = functional._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from (call for call in by_depth[depth] if call.operation and not call.is_input)


class Graph:
    """Which operation of a model made what another one takes, of those that are called once."""

    def __init__(self, model: keras.Model) -> None:
        self._takes: dict[int, list[int]] = {}  # tensors, all by identity
        self._gives: dict[int, list[int]] = {}
        self._maker: dict[int, Any] = {}
        for each in _operations(model):
            with suppress(AttributeError, ValueError):  # called more than once
                taken, given = keras.tree.flatten(each.input), keras.tree.flatten(each.output)
                self._takes[id(each)] = [id(tensor) for tensor in taken]
                self._gives[id(each)] = [id(tensor) for tensor in given]
                self._maker |= {id(tensor): each for tensor in given}
        self._ends = [id(tensor) for tensor in model.outputs]
        self._known: dict[int, set[int]] = {}

    def ends(self) -> set[int]:
        """The layers that say how many features the outputs have, by identity."""
        return {layer for tensor in self._ends for layer in self._makers(tensor)}

    def dead(self, without: Set[int]) -> set[int]:
        """Operations that no output depends on where these are left out, all by identity.

        Empty where that is not known, as where one is called more than once.
        """
        live: set[int] = set()
        open_ends = [*self._ends]
        while open_ends:
            if (maker := self._maker.get(open_ends.pop())) is None:
                return set()
            if id(maker) in live:
                continue
            live.add(id(maker))
            taken = self._takes[id(maker)]
            open_ends += taken[:1] if id(maker) in without else taken
            open_ends += [id(tensor) for tensor in maker.outputs] if is_nested(maker) else []
        return {each for each in self._takes if each not in live}

    def followers(self, layer: Any) -> Iterator[int]:
        """What comes behind a layer, one after the other, that only normalizes or activates."""
        while given := self._gives.get(id(layer)):
            takers = [each for each in self._maker.values() if given[0] in self._takes[id(each)]]
            if len(takers) != 1 or not _keeps_shape(takers[0]):
                return
            layer = takers[0]
            yield id(layer)

    def branches(self) -> Iterator[tuple[Any, frozenset[int]]]:
        """Operations that join a branch with what it begins with, and what the branch is made of.

        The longest come first. Without its operations, the one that joins it and what only
        normalizes or activates that among them, a model goes on with what the branch begins with.
        Of several inputs on the way the first leads on.
        """
        found = []
        for operation in {id(each): each for each in self._maker.values()}.values():
            taken = self._takes[id(operation)]
            ways = [self._way(*ends) for ends in permutations(taken, 2)] if len(taken) == 2 else []
            if way := next(filter(None, ways), None):
                whole = {id(operation), *way, *self.followers(operation)}
                found.append((operation, frozenset(whole)))
        yield from sorted(found, key=lambda each: -len(each[1]))

    def _way(self, end: int, begin: int) -> list[int] | None:
        """The operations from one tensor to another, by identity; None where there is no way."""
        way: list[int] = []
        while end != begin:
            maker = self._maker.get(end)
            if maker is None or not self._takes[id(maker)]:
                return None
            way.append(id(maker))
            end = self._takes[id(maker)][0]
        return way

    def _makers(self, tensor: int) -> set[int]:
        """The layers that say how many features a tensor has; empty where that is not known."""
        if tensor not in self._known:
            self._known[tensor] = set()
            if (maker := self._maker.get(tensor)) is not None:
                self._known[tensor] = self._before(maker)
        return self._known[tensor]

    def _before(self, maker: Any) -> set[int]:
        if settings(maker, WIDTHS):
            return {id(maker)}
        before = [self._makers(tensor) for tensor in self._takes[id(maker)]]
        return set.union(*before) if before and all(before) else set()


def _operations(model: keras.Model) -> list[Any]:
    nested = [each for layer in model.layers if is_nested(layer) for each in _operations(layer)]
    return [*functional(model).operations, *nested]


def _keeps_shape(operation: Any) -> bool:
    module = type(operation).__module__.split(".")
    return module[0] == "keras" and any(part in KEEPS_SHAPE for part in module)
