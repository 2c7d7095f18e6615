"""A narrower model begins with the most useful units of a trained one: cut out, and checked."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.building import build_undrawn
from ..models.evaluation import predictions
from ..nests import first_rows
from .features import without_backbone
from .population.errors import Unsupported
from .population.lowering import Member, lower
from .population.narrowing import Group, Narrowing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..arrays import Array
    from ..pipeline import Pipeline
    from ..trials import Parent
    from .population.layout import Layout

ROWS = 256  # of the train split, on which units are judged and the result is checked
TOLERANCE = 1e-5  # of the outputs, which differ by the order of sums alone
ANY_BATCH = 1  # no training is meant


class Inheritance:
    """Gives narrower models the most useful units of trained ones.

    The last trained one is kept, with what is known of its units: its children come together.

    Args:
        inputs: of the train split, of which a few rows are looked at.
    """

    def __init__(self, pipeline: Pipeline, inputs: Any) -> None:
        self._pipeline, self._rows = pipeline, first_rows(inputs, ROWS)
        self._last: tuple[Parent, _Trained] | None = None

    def give(self, parent: Parent, model: keras.Model) -> tuple[list[Array] | None, str]:
        """Give `model` its parent's most useful units: its weights, and what it began with.

        What the model computes is held against the parent with all other units silenced: where
        they differ, or where there is no way from one to the other, the model stays as it was, with
        None for weights.
        """
        try:
            weights = self._trained(parent).give(lower(model, ANY_BATCH), model)
        except (Unsupported, _Differs) as reason:
            return None, f"from scratch: {reason}"
        return weights, f"begun with units of trial {parent.number}"

    def _trained(self, parent: Parent) -> _Trained:
        if self._last is None or self._last[0] != parent:
            self._last = parent, _Trained(_read(self._pipeline, parent), self._rows)
        return self._last[1]


class _Differs(Exception):
    """A model is not the parent with units silenced, or the parent cannot be read."""


class _Trained:
    """A trained model whose units can be silenced.

    Args:
        rows: on which units are judged, and what is given is checked.
    """

    def __init__(self, model: keras.Model, rows: Any) -> None:
        self._rows = rows
        self._head, (self._features,) = without_backbone(model, rows)
        self._member = lower(model, ANY_BATCH)
        self._weights = self._member.get_weights()
        self._outputs = predictions(self._head, self._features)
        self._usefulness: dict[Group, float] = {}

    def give(self, narrow: Member, model: keras.Model) -> list[Array]:
        """Weights of a narrower model, which has them then; as it was, where it raises _Differs."""
        narrowing = Narrowing.between(self._member, narrow)
        useful = [self._useful(narrowing, group) for group in narrowing.groups]
        layout = narrowing.without(narrowing.least(useful))
        expected, drawn = self._without(layout), narrow.get_weights()
        narrow.set_weights(layout.own(self._weights))
        head, (features,) = without_backbone(model, self._rows)
        difference = float(np.max(np.abs(predictions(head, features) - expected)))
        if not difference <= TOLERANCE * max(1.0, float(np.max(np.abs(expected)))):
            narrow.set_weights(drawn)
            raise _Differs(f"its outputs differ by {difference:.1e} from its parent's")
        return layout.own(self._weights)

    def _useful(self, narrowing: Narrowing, group: Group) -> float:
        """How much a group moves the outputs: mean square of what its silence changes."""
        if group not in self._usefulness:
            moved = self._without(narrowing.without([group])) - self._outputs
            self._usefulness[group] = float(np.mean(moved**2))
        return self._usefulness[group]

    def _without(self, layout: Layout) -> Array:
        """What the model predicts with zeros for the weights that are left out."""
        self._member.set_weights(_silenced(layout, self._weights))
        return predictions(self._head, self._features)


def _read(pipeline: Pipeline, parent: Parent) -> keras.Model:
    model = build_undrawn(pipeline, parent.hyperparameters)
    try:
        with warnings.catch_warnings(action="ignore"):  # that the optimizer's state is not loaded
            model.load_weights(parent.model_path)
    except (OSError, ValueError) as error:
        raise _Differs(f"the model of trial {parent.number} cannot be read") from error
    return model


def _silenced(layout: Layout, weights: Sequence[Array]) -> list[Array]:
    """The wider model's weights, with zeros for what is left out."""
    places = zip(layout.places, weights, strict=True)
    return [place.embed(place.extract(values)) for place, values in places]
