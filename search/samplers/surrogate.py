"""What the finished trials say of the untried: a prediction of how far each is from the target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from scipy.special import ndtr
from sklearn.ensemble import ExtraTreesRegressor

from .candidates import Configuration
from .ranges import Distribution, to_unit

SLOPE = 0.6  # prior: the error falls as parameters^-0.6 (digits and MNIST frontiers: 0.5 to 1)
SLOPE_WEIGHT = 4.0  # how many trials the prior is worth
TREES = 64
LEAST_ERROR = 1e-6  # at the target: none at all may be asked for
LEAST_SPREAD = 0.15  # of a prediction: seeds alone move a log error by so much


@dataclass(frozen=True)
class Observation:
    """How a configuration did: log(error at the search target / its error), 0 where they equal."""

    configuration: Configuration
    outcome: float
    weight: float


class Surrogate:
    """Log error falls linearly with log size, and a forest predicts what is left.

    A forest takes conditional and categorical dimensions as they are; the linear part carries the
    prediction beyond the sizes that were seen, and never says that larger models do worse.
    """

    def __init__(self, observations: Sequence[Observation], seed: int) -> None:
        configurations = [each.configuration for each in observations]
        outcomes = np.array([each.outcome for each in observations])
        weights = np.array([each.weight for each in observations])
        self._encoding = _Encoding(configurations)
        sizes = _log_sizes(configurations)
        self._centre = float(np.average(sizes, weights=weights))
        self._slope = _slope(sizes - self._centre, outcomes, weights)
        self._level = float(np.average(outcomes, weights=weights))
        left = outcomes - self._linear(sizes)
        self._forest = ExtraTreesRegressor(
            TREES, min_samples_leaf=2, max_features=0.5, bootstrap=True, random_state=seed
        )
        self._forest.fit(self._encoding(configurations), left, sample_weight=weights)

    def predict(self, configurations: Sequence[Configuration]) -> tuple[Any, Any]:
        """Mean and standard deviation of the outcome of each configuration."""
        features = self._encoding(configurations)
        votes = np.stack([tree.predict(features) for tree in self._forest.estimators_])
        mean = votes.mean(axis=0) + self._linear(_log_sizes(configurations))
        return mean, np.hypot(votes.std(axis=0), LEAST_SPREAD)

    def _linear(self, log_sizes: Any) -> Any:
        return self._level + self._slope * (log_sizes - self._centre)


class _Encoding:
    """Rows of numbers: a coordinate a range, a column a choice, -1 where there is no such name."""

    def __init__(self, configurations: Sequence[Configuration]) -> None:
        known: dict[str, Distribution] = {}
        for each in configurations:
            known.update(each.distributions)
        self._columns = [
            (name, choice)
            for name, distribution in sorted(known.items())
            for choice in _choices(distribution)
        ]

    def __call__(self, configurations: Sequence[Configuration]) -> Any:
        rows = [[self._cell(each, *column) for column in self._columns] for each in configurations]
        return np.column_stack([np.array(rows), _log_sizes(configurations)])

    def _cell(self, configuration: Configuration, name: str, choice: Any) -> float:
        if name not in configuration.values:
            return -1.0
        value, distribution = configuration.values[name], configuration.distributions[name]
        if isinstance(distribution, CategoricalDistribution):
            return float(value == choice)
        return to_unit(distribution, value)


def _choices(distribution: Distribution) -> tuple[Any, ...]:
    if not isinstance(distribution, CategoricalDistribution):
        return (None,)
    choices = tuple(distribution.choices)
    return choices if len(choices) > 2 else choices[:1]


def _log_sizes(configurations: Sequence[Configuration]) -> Any:
    return np.log([max(each.parameter_count, 1) for each in configurations])


def _slope(sizes: Any, outcomes: Any, weights: Any) -> float:
    """Weighted least squares, drawn to the prior slope; never negative."""
    spread = float(np.sum(weights * sizes**2))
    joint = float(np.sum(weights * sizes * (outcomes - np.average(outcomes, weights=weights))))
    return max((joint + SLOPE_WEIGHT * SLOPE) / (spread + SLOPE_WEIGHT), 0.0)


def probability(mean: Any, spread: Any) -> Any:
    """Probability that an outcome is at least 0, so that the search target is reached."""
    return ndtr(mean / spread)


def outcome(error: float, error_at_target: float) -> float:
    """Natural log of the error at the search target over an error; bounded, as either may be 0."""
    allowed = max(error_at_target, LEAST_ERROR)
    return math.log(allowed / max(error, 0.1 * allowed))
