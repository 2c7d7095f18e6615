"""A narrower model begins with the most useful units of a trained one: cut out, and checked."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..counting import first_rows, undrawn
from ..models.building import as_hyperparameters, build
from ..models.evaluation import predictions
from .population.errors import Unsupported
from .population.lowering import Member, lower
from .population.narrowing import Narrowing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..pipeline import Pipeline
    from ..trials import Parent
    from .population.initial import Array
    from .population.layout import Layout

ROWS = 256  # of the train split, on which units are judged and the result is checked
TOLERANCE = 1e-5  # of the outputs, which differ by the order of sums alone
ANY_BATCH = 1  # no training is meant


def inherited(
    pipeline: Pipeline, parent: Parent, model: keras.Model, inputs: Any
) -> tuple[list[Array] | None, str]:
    """Give `model` the most useful units of its parent: its weights, and what it began with.

    A unit is as useful as it moves the parent's outputs. What the model computes is held against
    the parent with all other units silenced: where they differ, or where there is no way from one
    to the other, the model stays as it was, with None for weights.

    Args:
        inputs: of the train split, of which a few rows are looked at.
    """
    try:
        weights = _inherited(pipeline, parent, model, first_rows(inputs, ROWS))
    except (Unsupported, _Differs) as reason:
        return None, f"from scratch: {reason}"
    return weights, f"begun with units of trial {parent.number}"


class _Differs(Exception):
    """A model is not the parent with units silenced, or the parent cannot be read."""


def _inherited(pipeline: Pipeline, parent: Parent, model: keras.Model, rows: Any) -> list[Array]:
    wide = _trained(pipeline, parent)
    old, new = lower(wide, ANY_BATCH), lower(model, ANY_BATCH)
    narrowing = Narrowing.between(old, new)
    weights, drawn = _weights(old), _weights(new)
    useful = _usefulness(wide, narrowing, weights, rows)
    layout = narrowing.without(narrowing.least(useful))
    _assign(old, _silenced(layout, weights))
    _assign(new, layout.own(weights))
    expected = predictions(wide, rows)
    difference = float(np.max(np.abs(predictions(model, rows) - expected)))
    if not difference <= TOLERANCE * max(1.0, float(np.max(np.abs(expected)))):
        _assign(new, drawn)
        raise _Differs(f"its outputs differ by {difference:.1e} from its parent's")
    return layout.own(weights)


def _trained(pipeline: Pipeline, parent: Parent) -> keras.Model:
    with undrawn():
        model = build(pipeline, as_hyperparameters(parent.hyperparameters))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the optimizer's state is not loaded
            model.load_weights(parent.model_path)
    except (OSError, ValueError) as error:
        raise _Differs(f"the model of trial {parent.number} cannot be read") from error
    return model


def _usefulness(
    model: keras.Model, narrowing: Narrowing, weights: Sequence[Array], rows: Any
) -> list[float]:
    """How much each group moves the outputs: mean square of what its silence changes."""
    outputs = predictions(model, rows)
    moved = []
    for group in narrowing.groups:
        _assign(narrowing.wide, _silenced(narrowing.without([group]), weights))
        moved.append(float(np.mean((predictions(model, rows) - outputs) ** 2)))
    return moved


def _silenced(layout: Layout, weights: Sequence[Array]) -> list[Array]:
    """The wider model's weights, with zeros for what is left out."""
    places = zip(layout.places, weights, strict=True)
    return [place.embed(place.extract(values)) for place, values in places]


def _weights(member: Member) -> list[Array]:
    return [values for layer in member.layers for values in layer.get_weights()]


def _assign(member: Member, weights: Sequence[Array]) -> None:
    values = iter(weights)
    for layer in member.layers:
        layer.set_weights([next(values) for _ in layer.weights])
