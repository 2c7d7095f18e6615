"""Configurations of a space with their exact sizes, drawn without training anything."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from ..errors import in_one_line
from .candidates import Configuration, Measured, Values, key_of
from .ranges import Distribution, fits, from_unit, to_unit

STEPS = 12  # widths of the default shape, below it and above it
LIKE = 4  # one random configuration in so many has the default's recipe
CHUNK = 64  # configurations drawn at a time
STALE = 2  # chunks without a new one: a small space is known whole
QUIET = 6  # changes of one value that had the same effect: it is taken to have no other
NUDGE = 0.15  # standard deviation of a small change, in units of a range


class Draw:
    """An Optuna trial's `suggest_*` without a study: given values where they fit, else random.

    Args:
        scale: whole numbers, which mostly are widths and depths, are drawn from this lower share
            of their range.
    """

    def __init__(
        self, rng: np.random.Generator, given: Values | None = None, *, scale: float = 1.0
    ) -> None:
        self._rng, self._given, self._scale = rng, given or {}, scale
        self.values: dict[str, Any] = {}
        self.distributions: dict[str, Distribution] = {}

    def suggest_int(
        self, name: str, low: int, high: int, *, step: int = 1, log: bool = False
    ) -> int:
        value: int = self._suggest(name, IntDistribution(low, high, log=log, step=step))
        return value

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        value: float = self._suggest(name, FloatDistribution(low, high, log=log))
        return value

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        return self._suggest(name, CategoricalDistribution(choices))

    def _suggest(self, name: str, distribution: Distribution) -> Any:
        if name not in self.values:
            given = name in self._given and fits(distribution, self._given[name])
            self.values[name] = self._given[name] if given else self._drawn(distribution)
            self.distributions[name] = distribution
        return self.values[name]

    def _drawn(self, distribution: Distribution) -> Any:
        scale = self._scale if isinstance(distribution, IntDistribution) else 1.0
        return from_unit(distribution, scale * self._rng.random())


class Pool:
    """Draws configurations and counts them.

    Args:
        measure: builds the configuration that a draw makes of a space; raises where that cannot be
            done.
        seed: the same seed draws the same configurations.
        default: what the space suggests by itself.
    """

    def __init__(
        self, measure: Callable[[Draw], Measured], seed: int, default: Values | None = None
    ) -> None:
        self._measure, self._seed, self._default = measure, seed, default or {}
        self._rng = np.random.default_rng(seed)
        self._draws, self._drawn = 0, list[Configuration]()
        self._stale = 0  # chunks in a row that have brought nothing new
        self._quiet: dict[str, float] = defaultdict(float)
        self._built: dict[str, Configuration] = {}
        self._known: dict[str, Configuration | None] = {}
        self.unbuilt: dict[str, str] = {}  # why configurations cannot be built, by their values

    def below(
        self,
        parameter_count: float,
        *,
        wanted: int,
        most: int,
        tried: Set[str] = frozenset(),
    ) -> list[Configuration]:
        """Random configurations of fewer parameters: at least `wanted` of them if `most` draws do.

        One in `LIKE` has the default's recipe. The pool only grows, and only as far as is needed:
        it is the same after an interruption.

        Args:
            tried: keys of what nothing has come of; while there is nothing else it is drawn on,
                however many were.
        """
        while True:
            small = [each for each in self._drawn if each.parameter_count < parameter_count]
            enough = len(small) >= wanted or self._draws >= most
            left = not tried or any(each.key not in tried for each in self._drawn)
            if self._stale >= STALE or (enough and left):
                return small
            scales = self._rng.random(CHUNK) if self._draws else np.ones(CHUNK)
            made = [
                self._made(Draw(self._rng, None if number % LIKE else self._recipe, scale=scale))
                for number, scale in enumerate(scales)
            ]
            known = {each.key for each in self._drawn}
            self._drawn += [each for each in made if each is not None]
            self._draws += CHUNK
            new = {each.key for each in self._drawn} - known
            self._stale = 0 if new or not known else self._stale + 1

    def around(self, base: Configuration, count: int, seed: int) -> list[Configuration]:
        """Neighbours of a configuration: some of its values changed, numbers by a little."""
        rng = np.random.default_rng(seed)
        names = sorted(base.values)
        made = [self._neighbour(base, _changed(base, rng, names), rng) for rng in rng.spawn(count)]
        return [each for each in made if each is not None]

    def within(self, base: Configuration, count: int, seed: int) -> list[Configuration]:
        """Neighbours of a configuration that can be trained together with it."""
        rng = np.random.default_rng(seed)
        names = sorted(base.values)
        free = [
            name
            for name, own in zip(names, rng.spawn(len(names)), strict=True)
            if self._keeps_template(base, name, own)
        ]
        found: dict[str, Configuration] = {}
        for index, own in enumerate(rng.spawn(2 * count if free else 0)):
            start = _resized(base, own) if index % 3 else base
            made = self._neighbour(base, _changed(start, own, free), own)
            if made is not None and made.template == base.template and len(found) < count:
                found[made.key] = made
        return list(found.values())

    def _keeps_template(self, base: Configuration, name: str, rng: np.random.Generator) -> bool:
        """Whether another value of one name makes a model of the same template."""
        made = self._neighbour(base, _moved(base, name), rng)
        return made is not None and made.template == base.template

    def configuration(self, values: Values) -> Configuration | None:
        """The configuration of these values, built once; None where it cannot be built."""
        key = key_of(values)
        if key not in self._known:
            self._known[key] = self._made(Draw(np.random.default_rng(self._seed), values))
        return self._known[key]

    @cached_property
    def default(self) -> Configuration | None:
        """What the space suggests by itself; None where that cannot be built."""
        return self.configuration(self._default)

    @cached_property
    def path(self) -> list[Configuration]:
        """The default configuration from its narrowest to its widest, all else as it is.

        At most 2 `STEPS` + 1 configurations, the default among them, by rising size.
        """
        base = self.default
        if base is None:
            return []
        made = [self.scaled(base, step / STEPS) for step in range(2 * STEPS + 1)]
        sized = {each.parameter_count: each for each in made if each is not None}
        sized[base.parameter_count] = base
        return [sized[size] for size in sorted(sized)]

    def scaled(self, base: Configuration, factor: float) -> Configuration | None:
        """All widths at once from their least (factor 0) over their own (1) to their most (2)."""
        values = dict(base.values)
        for name in self._widths(base):
            own = to_unit(base.distributions[name], values[name])
            unit = own * factor if factor <= 1 else own + (1 - own) * (factor - 1)
            values[name] = from_unit(base.distributions[name], unit)
        return self.configuration(values)

    @cached_property
    def _recipe(self) -> Values:
        """The default's values that move neither the size of a model nor its activations."""
        base = self.default
        if base is None:
            return {}
        moved = {name: self.configuration(_moved(base, name)) for name in base.values}
        same = base.measured._replace(template=0)
        return {
            name: base.values[name]
            for name, made in moved.items()
            if made is not None and made.measured._replace(template=0) == same
        }

    def _neighbour(
        self, base: Configuration, values: dict[str, Any], rng: np.random.Generator
    ) -> Configuration | None:
        """Built only where a value changed that has moved the size, or the names read, before."""
        changed = {name for name in values if values[name] != base.values[name]}
        if all(self._quiet[name] >= QUIET for name in changed):
            return replace(base, values=values)
        key = self._counted(values)
        if key in self._built and values.keys() == self._built[key].values.keys():
            return replace(self._built[key], values=values)
        made = self._made(Draw(rng, values))
        if made is not None:
            self._built[self._counted(made.values)] = made
        if made is not None and len(changed) == 1:
            same = made.measured == base.measured and made.values.keys() == base.values.keys()
            self._quiet[changed.pop()] += 1 if same else -math.inf
        return made

    def _counted(self, values: Values) -> str:
        """The values that the size and the template are known, or not excluded, to depend on."""
        return key_of({name: each for name, each in values.items() if self._quiet[name] < QUIET})

    def _made(self, draw: Draw) -> Configuration | None:
        try:
            measured = self._measure(draw)
        except Exception as error:  # a configuration that cannot be built is none
            values = ", ".join(f"{name}={value}" for name, value in draw.values.items())
            self.unbuilt.setdefault(values, in_one_line(error))
            return None
        return Configuration(draw.values, draw.distributions, measured)

    def _widths(self, base: Configuration) -> list[str]:
        """The numbers that move the size without changing which hyperparameters there are."""
        return [
            name
            for name, distribution in base.distributions.items()
            if not isinstance(distribution, CategoricalDistribution)
            and self._narrows(base, {**base.values, name: from_unit(distribution, 0.0)})
        ]

    def _narrows(self, base: Configuration, values: Values) -> bool:
        low = self.configuration(values)
        return (
            low is not None
            and low.values.keys() == base.values.keys()
            and low.parameter_count < base.parameter_count
        )


def _moved(base: Configuration, name: str) -> dict[str, Any]:
    """Its values, with one of them half a range away."""
    distribution, value = base.distributions[name], base.values[name]
    return {**base.values, name: from_unit(distribution, (to_unit(distribution, value) + 0.5) % 1)}


def _changed(base: Configuration, rng: np.random.Generator, names: Sequence[str]) -> dict[str, Any]:
    """One to three of the values of `names` drawn anew, or nudged where they are numbers."""
    values = dict(base.values)
    for name in rng.choice(names, size=min(len(names), int(rng.integers(1, 4))), replace=False):
        distribution = base.distributions[name]
        unit = rng.random()
        if not isinstance(distribution, CategoricalDistribution):
            unit = to_unit(distribution, values[name]) + rng.normal(0, NUDGE)
        values[name] = from_unit(distribution, unit)
    return values


def _resized(base: Configuration, rng: np.random.Generator) -> Configuration:
    """All whole numbers moved together, and each a little on its own."""
    values, common = dict(base.values), rng.normal(0, 2 * NUDGE)
    for name, distribution in base.distributions.items():
        if isinstance(distribution, IntDistribution) and distribution.log:
            unit = to_unit(distribution, values[name]) + common + rng.normal(0, NUDGE / 2)
            values[name] = from_unit(distribution, unit)
    return replace(base, values=values)
