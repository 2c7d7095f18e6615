"""Other structures than a model's own, each as wide as a number of parameters allows."""

from __future__ import annotations

from typing import Any

from optuna.distributions import CategoricalDistribution, IntDistribution

from .candidates import Configuration
from .pool import Pool
from .ranges import Distribution, fits

LEAST = 0.5  # of the parameters: a structure that cannot have so many is no rival
STEPS = 96  # of the factor by which all widths are scaled, up to their own and beyond it


def variants(pool: Pool, base: Configuration, limit: float) -> list[Configuration]:
    """Configurations of at most `limit` parameters that differ from `base` in their structure.

    Each differs by one choice, or by a whole number such as the depth that adds or removes others.
    A choice that does not move the size, such as an activation, is one of recipe.
    """
    found: dict[str, Configuration] = {}
    for name, distribution in sorted(base.distributions.items()):
        for value in _others(distribution, base.values[name]):
            made = pool.configuration({**base.values, name: value})
            if made is None or made.structure in found or not _differs(made, base, name):
                continue
            widest = _widest(pool, made, limit)
            if widest is not None and widest.parameter_count >= LEAST * limit:
                found[made.structure] = widest
    return list(found.values())


def _others(distribution: Distribution, value: Any) -> list[Any]:
    """All other choices; the next whole numbers."""
    if isinstance(distribution, CategoricalDistribution):
        return [each for each in distribution.choices if each != value]
    if not isinstance(distribution, IntDistribution):
        return []
    nearest = (value - distribution.step, value + distribution.step)
    return [each for each in nearest if fits(distribution, each)]


def _differs(made: Configuration, base: Configuration, name: str) -> bool:
    """Whether a change of one value makes another structure."""
    if made.parameter_count == base.parameter_count:
        return False
    chosen = isinstance(base.distributions[name], CategoricalDistribution)
    return chosen or made.values.keys() != base.values.keys()


def _widest(pool: Pool, base: Configuration, limit: float) -> Configuration | None:
    """The widest of a structure that fits, by bisection; None where the narrowest does not."""
    widest = None
    low, high = 0, 2 * STEPS + 1
    while low < high:
        middle = (low + high) // 2
        made = pool.scaled(base, middle / STEPS)
        if made is not None and made.parameter_count <= limit:
            widest, low = made, middle + 1
        else:
            high = middle
    return widest
