"""A configuration as samplers see it: what a trial would suggest, and what its model is like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from optuna.distributions import CategoricalDistribution

from .ranges import Distribution

Values = Mapping[str, Any]  # what a trial suggests, by suggestion name


class Measured(NamedTuple):
    """What is known of a model before training."""

    parameter_count: int
    template: int = 0  # equal where models can be trained together
    activations: int = 0  # of one row: how long an epoch takes, where models are small


@dataclass(frozen=True)
class Configuration:
    """What a trial would suggest, and what is known of the model that it makes."""

    values: Values
    distributions: Mapping[str, Distribution]
    measured: Measured

    @property
    def parameter_count(self) -> int:
        return self.measured.parameter_count

    @property
    def template(self) -> int:
        return self.measured.template

    @property
    def key(self) -> str:
        """Equal for equal configurations."""
        return key_of(self.values)

    @property
    def structure(self) -> str:
        """Equal where configurations differ in numbers alone, such as widths."""
        kinds = self.distributions.items()
        chosen = {name for name, kind in kinds if isinstance(kind, CategoricalDistribution)}
        return repr(sorted((n, v if n in chosen else None) for n, v in self.values.items()))


def key_of(values: Values) -> str:
    """Equal for equal values, in whatever order."""
    return repr(sorted(values.items()))
