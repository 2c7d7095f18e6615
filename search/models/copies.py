"""The space that a Keras model itself is: its copies with fewer units, layers and less dropout."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from ..errors import InputError
from ..figures import shortened
from ..own_objects import unreadable
from .graphs import (
    WIDTHS,
    Graph,
    change,
    changeable,
    functional,
    is_nested,
    is_readable,
    named,
    settings,
    stays,
)
from .widths import Place, UnfitError, Width, Widths

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

DROPOUTS = ("rate", "dropout", "recurrent_dropout")  # what layers call them
SCALES = (1.0, 0.5, 0.0)  # of the model's own dropout: smaller models need less
LEARNING_RATE = (0.1, 100.0)  # of the model's own: smaller models bear larger ones
HIGHEST_RATE = 0.3
OWN_RATE = 1e-3  # of a model that is not compiled: Keras's default


@lru_cache(maxsize=2)
def copies_of(model: keras.Model) -> Copies:
    """The space of a model's smaller copies, found out once: it is asked for at each build.

    Raises InputError where its layers cannot be read.
    """
    return Copies(model)


def model_in(path: Path) -> keras.Model:
    """The model of a `.keras` file.

    Raises InputError where there is none, or where Keras cannot read it.
    """
    if not path.is_file():
        raise InputError(f"Model file {str(path)!r} does not exist.")
    if path.suffix not in (".keras", ".h5"):
        raise InputError(
            f"Model file {str(path)!r} is not what `model.save` writes: a .keras file."
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # of the optimizer's state
            return keras.saving.load_model(path)
    except Exception as error:
        raise InputError(
            f"Model file {str(path)!r} cannot be read: {unreadable(error)}. It must be of layers "
            "and functions of Keras's own, or registered with it; else give a build(hp)."
        ) from error


@dataclass(frozen=True, kw_only=True)
class _Change:
    """What sets a copy apart from its model.

    Args:
        without: layers that are left out, by identity.
    """

    widths: Mapping[Place, int] = field(default_factory=dict)
    without: frozenset[int] = frozenset()
    dropout_scale: float = 1.0

    def made(self, model: keras.Model) -> keras.Model:
        """The copy, with new layers but those that stay."""
        return self._made(model, None, {})

    def _made(self, model: keras.Model, inputs: Any, nested: dict[int, Any]) -> keras.Model:
        def call(layer: Any, *taken: Any, **options: Any) -> Any:
            if id(layer) in self.without:
                return keras.tree.flatten(taken)[0]
            if is_nested(layer):  # made when it is known what it takes
                if id(layer) not in nested:
                    nested[id(layer)] = self._made(layer, taken[0], nested)
                layer = nested[id(layer)]
            return layer(*taken, **options)

        base = functional(model)
        if inputs is not None:
            flat = [
                keras.Input(batch_shape=each.shape, dtype=each.dtype)
                for each in keras.tree.flatten(inputs)
            ]
            inputs = keras.tree.pack_sequence_as(base.input, flat)
        return keras.models.clone_model(
            base, input_tensors=inputs, clone_function=self._clone, call_function=call
        )

    def _clone(self, layer: Any) -> Any:
        if is_nested(layer) or id(layer) in self.without:
            return layer
        return _twin(layer) if stays(layer) else self.copied(layer)

    def copied(self, layer: Any) -> Any:
        """A new layer like this one."""
        config = copy.deepcopy(layer.get_config())
        for key in WIDTHS:
            if (id(layer), key) in self.widths:
                change(config, key, self.widths[id(layer), key])
        for key, value in settings(layer, DROPOUTS).items():
            change(config, key, value * self.dropout_scale)
        if isinstance(layer, keras.layers.Reshape) and -1 not in config["target_shape"]:
            config["target_shape"] = (*config["target_shape"][:-1], -1)  # as many as there are
        return type(layer).from_config(config)


def _twin(operation: Any) -> Any:
    """The same operation, its weights too, with calls of its own: Keras keeps each in a list."""
    twin = object.__new__(type(operation))
    twin.__dict__.update(operation.__dict__, _inbound_nodes=[], _outbound_nodes=[])
    return twin


class Copies:
    """A `build(hp)` of new models: each like the given one, with fewer units, or without layers.

    Outputs keep their shapes, and widths that meet, as in an addition, change together. Layers that
    do not train keep their weights; those of all others are drawn anew, as the given ones may know
    the test rows.
    """

    def __init__(self, model: keras.Model) -> None:
        _check(model)
        self._base = functional(model)
        self._compiled = model if model.compiled else None
        self._layers = changeable(self._base)
        _check_layers(self._layers)
        self._names = named(self._layers)
        dropouts = [each for one in self._layers for each in settings(one, DROPOUTS).values()]
        self._has_dropout = any(0 < each < 1 for each in dropouts)
        try:
            self._found = Widths(
                self._base, self._layers, lambda layer, widths: _Change(widths=widths).copied(layer)
            )
        except UnfitError as error:
            raise InputError(
                f"Layer {str(error)!r}, made anew, does not take what it took: its get_config must "
                "say all that it was made with; else give a build(hp)."
            ) from error
        self._widths = {place: each for each in self._found.free() for place in each.places}
        self._graph = Graph(self._base)
        self._blocks = self._optional_blocks()

    def __call__(self, hp: HyperParameters) -> keras.Model:
        """A copy, compiled as the given model is, at a learning rate of its own."""
        without: frozenset[int] = frozenset()
        gone: Set[int] = frozenset()
        for name, (first, block) in self._blocks.items():
            if first in gone:
                continue
            left_out = not hp.Boolean(f"has_{name}", default=True)
            if left_out and self._found.fits(without | block):
                without |= block
                gone = without | self._graph.dead(without)
        widths: dict[Place, int] = {}
        for free in self._found.free(without):
            width = self._widths.get(free.places[0])
            if width is not None and not all(layer in gone for layer, _ in free.places):
                widths |= free.set(self._width(hp, width))
        scale = hp.Choice("dropout_scale", list(SCALES)) if self._has_dropout else 1.0
        changed = _Change(widths=widths, without=without, dropout_scale=scale)
        return self._compile(changed.made(self._base), hp)

    def _width(self, hp: HyperParameters, width: Width) -> int:
        layer, key = width.places[0]
        name, most, step = f"{self._names[layer]}_{key}", width.value, width.step
        if step > 1:
            return int(hp.Int(name, step, most, step=step, default=most))
        return int(hp.Int(name, 1, most, sampling="log", default=most))

    def _compile(self, made: keras.Model, hp: HyperParameters) -> keras.Model:
        if self._compiled is None:
            _rate(hp, OWN_RATE)  # the pipeline compiles it, with its loss
            return made
        optimizer = keras.optimizers.serialize(self._compiled.optimizer)
        config, key = optimizer["config"], "learning_rate"
        if "inner_optimizer" in config:  # of a LossScaleOptimizer, in half precision
            config = config["inner_optimizer"]["config"]
        if isinstance(config[key], dict):
            config, key = config[key]["config"], "initial_learning_rate"
        if isinstance(config.get(key), float):
            config[key] = _rate(hp, config[key])
        made.compile(
            optimizer=keras.optimizers.deserialize(optimizer),
            loss=self._compiled.loss,
            loss_weights=self._compiled.get_compile_config().get("loss_weights"),
        )
        return made

    def _optional_blocks(self) -> dict[str, tuple[int, frozenset[int]]]:
        """By name, what can be left out: branches, the longest first, and layers.

        Each with the operation that it is called by.

        A branch is left out with what joins it again, as a residual block with its addition; a
        layer that is on none, with what only normalizes or activates it.
        """
        branches = {
            join: branch for join, branch in self._graph.branches() if self._found.fits(branch)
        }
        names = named(list(branches))
        within = self._graph.ends().union(*branches.values())
        layers = {
            layer: frozenset({id(layer), *self._graph.followers(layer)})
            for layer in self._layers
            if settings(layer, WIDTHS) and id(layer) not in within
        }
        alone = {layer: each for layer, each in layers.items() if self._found.fits(each)}
        return {
            **{names[id(join)]: (id(join), branch) for join, branch in branches.items()},
            **{self._names[id(layer)]: (id(layer), each) for layer, each in alone.items()},
        }


def _check(model: keras.Model) -> None:
    if not is_readable(model):
        raise InputError(
            f"Model {model.name!r} is of a class of its own, {type(model).__name__}: only those "
            "of Sequential or the functional API can be read; give a build(hp) that makes it."
        )
    if not model.built or not getattr(model, "inputs", None):
        raise InputError(
            f"Model {model.name!r} does not know its input shape: begin it with keras.Input."
        )


def _check_layers(layers: Sequence[Any]) -> None:
    for layer in layers:
        try:
            _Change().copied(layer)
        except Exception as error:
            reason = unreadable(error).rstrip(".")
            raise InputError(
                f"Layer {layer.name!r}, a {type(layer).__name__}, cannot be made anew: {reason}. "
                "Give its class a get_config, or give a build(hp)."
            ) from error


def _rate(hp: HyperParameters, own: float) -> float:
    own = shortened(own, 6)  # in single precision 0.001 is 0.00100000005
    low, high = (own * factor for factor in LEARNING_RATE)
    high = max(own, min(high, HIGHEST_RATE))
    return float(hp.Float("learning_rate", low, high, sampling="log", default=own))
