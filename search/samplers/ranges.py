"""The range of a hyperparameter as the numbers from 0 to 1, and back."""

from __future__ import annotations

import math
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

Distribution = CategoricalDistribution | FloatDistribution | IntDistribution


def fits(distribution: Distribution, value: Any) -> bool:
    """Whether a distribution can take this value."""
    if isinstance(distribution, CategoricalDistribution):
        return value in distribution.choices
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return bool(distribution.low <= value <= distribution.high)


def from_unit(distribution: Distribution, unit: float) -> Any:
    """The value at `unit`, from 0 to 1, of a distribution's range, on its own scale."""
    unit = min(max(unit, 0.0), 1.0)
    if isinstance(distribution, CategoricalDistribution):
        index = int(unit * len(distribution.choices))
        return distribution.choices[min(index, len(distribution.choices) - 1)]
    low, high = float(distribution.low), float(distribution.high)
    whole = isinstance(distribution, IntDistribution)
    if whole:  # each whole number has the same share of the range
        low, high = low - 0.5, high + 0.5
    value = low * math.pow(high / low, unit) if distribution.log else low + unit * (high - low)
    if not whole:
        return min(max(value, distribution.low), distribution.high)
    step = distribution.step or 1
    value = distribution.low + step * round((value - distribution.low) / step)
    return int(min(max(value, distribution.low), distribution.high))


def to_unit(distribution: Distribution, value: Any) -> float:
    """Where in a distribution's range, from 0 to 1, a value lies; the inverse of `from_unit`."""
    if isinstance(distribution, CategoricalDistribution):
        return (distribution.choices.index(value) + 0.5) / len(distribution.choices)
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, IntDistribution):
        low, high = low - 0.5, high + 0.5
    if high <= low:
        return 0.5
    if distribution.log:
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))
