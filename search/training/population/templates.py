"""Which template a configuration's model belongs to, known without allocating its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from ...counting import holds_nothing, unallocated
from ...models.building import build
from ...models.configuration import GivenHyperParameters
from ...pipeline import Pipeline
from ..users_fit import trains_itself
from .errors import Unsupported
from .lowering import Member, Template, lower
from .narrowing import Narrowing


def member_of(pipeline: Pipeline, hyperparameters: Mapping[str, Any], rows: int) -> Member:
    """A configuration's model as a member of a template, without allocating its weights.

    Raises Unsupported where it cannot be one.
    """
    if trains_itself(pipeline.space):
        raise Unsupported("a fit of their own")
    hp = GivenHyperParameters(hyperparameters)
    try:
        with unallocated():
            model = build(pipeline, hp)
    except Exception as error:
        raise Unsupported("weights that cannot be left unallocated") from error
    member = _lowered(pipeline, model, hp, rows)
    if not all(holds_nothing(weight) for layer in member.layers for weight in layer.weights):
        raise Unsupported("weights of its own")  # a member's are drawn anew
    return member


class Templates:
    """Numbers the templates of a search's models; 0 is of all that `fit` has to train."""

    def __init__(self, pipeline: Pipeline, rows: int) -> None:
        self._pipeline, self._rows = pipeline, rows
        self._numbers: dict[Template, int] = {}

    def __call__(self, model: keras.Model, hp: Any) -> int:
        try:
            template = _lowered(self._pipeline, model, hp, self._rows).template
        except Unsupported:
            return 0
        return self._numbers.setdefault(template, len(self._numbers) + 1)


class Narrows:
    """Says whether one configuration's model can begin with the units of a wider one.

    Args:
        notice: is told, once, why models cannot be narrowed at all.
    """

    def __init__(self, pipeline: Pipeline, rows: int, notice: Callable[[str], None]) -> None:
        self._pipeline, self._rows, self._notice = pipeline, rows, notice
        self._noticed = False

    def __call__(self, wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> bool:
        try:
            old = member_of(self._pipeline, wide, self._rows)
        except Unsupported as reason:
            if not self._noticed:
                self._notice(f"No units are removed from models with {reason}.")
            self._noticed = True
            return False
        try:
            Narrowing.between(old, member_of(self._pipeline, narrow, self._rows))
        except Unsupported:
            return False
        return True


def _lowered(pipeline: Pipeline, model: keras.Model, hp: Any, rows: int) -> Member:
    """The model as a member, with the batch size that its trial would train with."""
    return lower(model, min(int(hp.values.get("batch_size", pipeline.batch_size)), rows))
