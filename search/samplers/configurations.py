"""A pipeline's configurations, by what an Optuna trial suggests: built and counted, not trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..counting import activations
from ..models.building import Builder, Tried
from ..models.configuration import GivenHyperParameters, read
from ..studies.hyperparameters import (
    SuggestedHyperParameters,
    default_suggestions,
    distributions,
)
from .candidates import Measured, Values
from .descents import Sized
from .pool import Draw

if TYPE_CHECKING:
    import optuna


class Configurations:
    """Goes from a trial's suggestions to hyperparameters and sizes, and back.

    Args:
        template: number of the template of a model and its hyperparameters; 0: it has none.
        grid: whether numeric ranges are cut down to a few points.
    """

    def __init__(
        self, builder: Builder, template: Callable[[Any, Any], int], *, grid: bool = False
    ) -> None:
        self._builder, self._template, self._grid = builder, template, grid
        self._usual = distributions(self._given({}), grid)
        self.default = self.suggestions({})

    def suggestions(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """What a trial would have to suggest for these values, and defaults for others."""
        return default_suggestions(self._given(hyperparameters), self._grid, self._usual)

    def _given(self, hyperparameters: Mapping[str, Any]) -> GivenHyperParameters:
        hp = GivenHyperParameters(hyperparameters)
        self._builder.build(hp)
        return hp

    def _suggested(self, trial: Any) -> SuggestedHyperParameters:
        return SuggestedHyperParameters(trial, grid=self._grid, usual=self._usual)

    def tried(self, trial: optuna.Trial) -> tuple[dict[str, Any], Tried]:
        """Hyperparameters of what a trial suggests, and what is known of its model."""
        hp = self._suggested(trial)
        tried = self._builder.tried(hp)
        return read(hp), tried

    def suggest(self, trial: optuna.Trial) -> None:
        """Have a trial suggest all that its build reads."""
        self._builder.build(self._suggested(trial))

    def fitting(self, hyperparameters: Mapping[str, Any]) -> Tried | None:
        """The model of a configuration of another study; None where it is none of this space."""
        draw: Any = Draw(np.random.default_rng(0), self.suggestions(hyperparameters))
        return self._builder.fitting(self._suggested(draw), hyperparameters)

    def sized(self, values: Values) -> Sized | None:
        """A configuration of these suggestions, counted; None where it cannot be built."""
        draw: Any = Draw(np.random.default_rng(0), values)
        hp = self._suggested(draw)
        tried = self._builder.tried(hp)
        if tried.error is not None:
            return None
        return Sized(values=draw.values, hyperparameters=read(hp), parameter_count=tried.size.total)

    def measured(self, draw: Any) -> Measured:
        """What is known of a draw before training. Raises whatever its build raises."""
        hp = self._suggested(draw)
        model, count = self._builder.counted(hp)
        return Measured(count.total, self._template(model, hp), activations(model))
