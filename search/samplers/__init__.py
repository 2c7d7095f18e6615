"""The Optuna samplers by name; a sampler of our own is a file in this folder."""

from __future__ import annotations

import importlib.util
import inspect
import warnings
from collections.abc import Callable

from optuna import samplers
from optuna.exceptions import ExperimentalWarning

from ..errors import InputError, in_one_line
from ..extras import installation
from ..references import resolved

Factory = Callable[[int], samplers.BaseSampler]  # from a seed

SAMPLERS: dict[str, Factory] = {
    "tpe": lambda seed: samplers.TPESampler(seed=seed, multivariate=True, group=True),
    "gp": lambda seed: samplers.GPSampler(seed=seed, warn_independent_sampling=False),
    "nsga2": lambda seed: samplers.NSGAIISampler(seed=seed, population_size=16),
    "cmaes": lambda seed: samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
    "random": lambda seed: samplers.RandomSampler(seed=seed),
    "grid": lambda seed: samplers.BruteForceSampler(seed=seed),
    "qmc": lambda seed: samplers.QMCSampler(
        seed=seed, scramble=True, warn_independent_sampling=False
    ),
}
LEVEL_SET = "level-set"  # ours: it is made by the engine, since it knows the space
NEEDS = {"gp": "torch"}
ONE_SEED = frozenset({"qmc"})  # one sequence through the whole study: its seed must not change
UNCONSTRAINED = frozenset({"cmaes"})  # blind to constraints: told of them through the value


def names() -> list[str]:
    """The samplers that have a name."""
    return [LEVEL_SET, *SAMPLERS]


def check(name: str) -> None:
    """Refuse a name that no sampler has, and one that cannot be made here."""
    if name == LEVEL_SET:
        return
    make = sampler_factory(name)
    if ":" not in name:
        return
    try:
        make(0)
    except Exception as error:  # whatever a class of the user's own raises
        raise InputError(f"Sampler {name!r} cannot be made: {in_one_line(error)}.") from error


def sampler_factory(name: str) -> Factory:
    """What makes the sampler called `name`, or the one at `MODULE:CLASS`, from a seed."""
    if ":" in name:
        return _custom(name)
    if name not in SAMPLERS:
        known = ", ".join(names())
        raise InputError(f"Unknown sampler {name!r}. Available samplers: {known}, or MODULE:CLASS.")
    needed = NEEDS.get(name)
    if needed and importlib.util.find_spec(needed) is None:
        raise InputError(f"Sampler {name!r} needs {needed}: {installation(needed)}")
    return _quietly(SAMPLERS[name])


def _quietly(factory: Factory) -> Factory:
    """Some of Optuna's samplers, and TPE's `group`, warn that they may still change."""

    def make(seed: int) -> samplers.BaseSampler:
        with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
            return factory(seed)

    return make


def _custom(name: str) -> Factory:
    """One instance for the whole search: nothing is known of the state that it keeps."""
    kind = resolved(name, "Sampler")
    if not (isinstance(kind, type) and issubclass(kind, samplers.BaseSampler)):
        raise InputError(f"Sampler {name!r} is not a subclass of optuna.samplers.BaseSampler.")
    made: list[samplers.BaseSampler] = []
    make: Callable[..., samplers.BaseSampler] = kind

    def factory(seed: int) -> samplers.BaseSampler:
        if not made:
            seeded = "seed" in inspect.signature(kind).parameters
            made.append(make(seed=seed) if seeded else make())
        return made[0]

    return factory
