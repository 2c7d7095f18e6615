"""The space that a Keras model itself is: its copies with fewer units, layers and less dropout."""

from __future__ import annotations

import copy
import warnings
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from ..counting import count_build
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

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

DROPOUTS = ("rate", "dropout", "recurrent_dropout")  # what layers call them
SCALES = (1.0, 0.5, 0.0)  # of the model's own dropout: smaller models need less
LEARNING_RATE = (0.1, 100.0)  # of the model's own: smaller models bear larger ones
HIGHEST_RATE = 0.3
OWN_RATE = 1e-3  # of a model that is not compiled: Keras's default

Place = tuple[int, str]  # a layer, by identity, and what it calls a width

_known: weakref.WeakKeyDictionary[keras.Model, Copies] = weakref.WeakKeyDictionary()


def copies_of(model: keras.Model) -> Copies:
    """The space of a model's smaller copies, found out once.

    Raises InputError where its layers cannot be read.
    """
    if model not in _known:
        _known[model] = Copies(model)
    return _known[model]


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
class _Width:
    """Units of a layer, or of several that only change together."""

    name: str
    value: int
    places: tuple[Place, ...]

    def set(self, value: int) -> dict[Place, int]:
        return dict.fromkeys(self.places, value)


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
        return keras.models.clone_model(
            functional(model), clone_function=self._clone, call_function=self._call
        )

    def _clone(self, layer: Any) -> Any:
        if is_nested(layer):
            return self.made(layer)
        if stays(layer) or id(layer) in self.without:
            return layer
        config = copy.deepcopy(layer.get_config())
        for key in WIDTHS:
            if (id(layer), key) in self.widths:
                change(config, key, self.widths[id(layer), key])
        for key, value in settings(layer, DROPOUTS).items():
            change(config, key, value * self.dropout_scale)
        return type(layer).from_config(config)

    def _call(self, layer: Any, *inputs: Any, **options: Any) -> Any:
        return inputs[0] if id(layer) in self.without else layer(*inputs, **options)


class Copies:
    """A `build(hp)` of new models: each like the given one, with fewer units, or without layers.

    Which widths are free is found by trying: one unit less must give outputs of the same shape.
    Widths that meet, as in an addition, change together. Layers that do not train keep their
    weights; those of all others are drawn anew, as the given ones may know the test rows.
    """

    def __init__(self, model: keras.Model) -> None:
        _check(model)
        self._base = functional(model)
        self._compiled = model if model.compiled else None
        self._layers = changeable(self._base)
        self._names = named(self._layers)
        dropouts = [each for one in self._layers for each in settings(one, DROPOUTS).values()]
        self._has_dropout = any(0 < each < 1 for each in dropouts)
        graph = Graph(self._base)
        self._widths = self._free_widths(graph)
        self._blocks = self._optional_blocks(graph)

    def __call__(self, hp: HyperParameters) -> keras.Model:
        """A copy, compiled as the given model is, at a learning rate of its own."""
        without: set[int] = set()
        for name, block in self._blocks.items():
            if not hp.Boolean(f"has_{name}", default=True):
                without |= block
        widths: dict[Place, int] = {}
        for width in self._widths:
            if any(layer not in without for layer, _ in width.places):
                most = width.value
                widths |= width.set(hp.Int(width.name, 1, most, sampling="log", default=most))
        scale = hp.Choice("dropout_scale", list(SCALES)) if self._has_dropout else 1.0
        changed = _Change(widths=widths, without=frozenset(without), dropout_scale=scale)
        return self._compile(changed.made(self._base), hp)

    def _compile(self, made: keras.Model, hp: HyperParameters) -> keras.Model:
        if self._compiled is None:
            _rate(hp, OWN_RATE)  # the pipeline compiles it, with its loss
            return made
        optimizer = keras.optimizers.serialize(self._compiled.optimizer)
        config, key = optimizer["config"], "learning_rate"
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

    def _works(self, changed: _Change) -> bool:
        """Whether there is such a copy, with outputs of the same shapes."""
        made: list[keras.Model] = []

        def build() -> keras.Model:
            made.append(changed.made(self._base))
            return made[-1]

        with suppress(Exception):  # layers that do not fit each other raise whatever they will
            count_build(build, None)
            return bool(made[-1].output_shape == self._base.output_shape)
        return False

    def _free_widths(self, graph: Graph) -> list[_Width]:
        every = [
            _Width(name=f"{self._names[id(layer)]}_{key}", value=value, places=((id(layer), key),))
            for layer in self._layers
            for key, value in settings(layer, WIDTHS).items()
            if value > 1
        ]
        free = [each for each in every if self._narrows(each)]
        stuck = {each.places[0][0]: each for each in every if each not in free}
        for group in graph.tied():
            members = [each for layer, each in stuck.items() if layer in group]
            if len(members) == len(group) and len({each.value for each in members}) == 1:
                places = tuple(place for each in members for place in each.places)
                tied = _Width(name=members[0].name, value=members[0].value, places=places)
                free += [tied] if self._narrows(tied) else []
        return free

    def _narrows(self, width: _Width) -> bool:
        return self._works(_Change(widths=width.set(width.value - 1)))

    def _optional_blocks(self, graph: Graph) -> dict[str, frozenset[int]]:
        """By name, layers that can be left out, each with what only normalizes or activates it."""
        ends = graph.ends(self._base)
        blocks = {
            self._names[id(layer)]: frozenset({id(layer), *graph.followers(layer)})
            for layer in self._layers
            if settings(layer, WIDTHS) and id(layer) not in ends
        }
        return {name: each for name, each in blocks.items() if self._works(_Change(without=each))}


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


def _rate(hp: HyperParameters, own: float) -> float:
    own = shortened(own, 6)  # in single precision 0.001 is 0.00100000005
    low, high = (own * factor for factor in LEARNING_RATE)
    high = max(own, min(high, HIGHEST_RATE))
    return float(hp.Float("learning_rate", low, high, sampling="log", default=own))
