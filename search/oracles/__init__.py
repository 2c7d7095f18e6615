"""KerasTuner's oracles by name: its search algorithms, without its tuners."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..references import resolved

if TYPE_CHECKING:
    import keras_tuner

ORACLES = {
    "bayesian": "BayesianOptimizationOracle",
    "random": "RandomSearchOracle",
    "hyperband": "HyperbandOracle",
    "grid": "GridSearchOracle",
}


def names() -> list[str]:
    """The oracles that have a name, the default first."""
    return list(ORACLES)


def check(name: str) -> None:
    """Refuse a name that no oracle has, or a MODULE:CLASS that is none."""
    if ":" in name:
        _custom(name)
    elif name not in ORACLES:
        known = ", ".join(names())
        raise InputError(
            f"Unknown sampler {name!r} of engine 'keras-tuner'. "
            f"Available samplers: {known}, or MODULE:CLASS."
        )


def make(name: str, *, seed: int, epochs: int) -> keras_tuner.Oracle:
    """The oracle of this name, which maximises `value` and never ends a search of itself.

    Args:
        epochs: of the longest training, for an oracle that shares epochs out.
    """
    import keras_tuner

    kind = _kind(name)
    given: dict[str, Any] = {
        "objective": keras_tuner.Objective("value", "max"),
        "max_trials": None,
        "seed": seed,
        "max_epochs": epochs,
        "hyperband_iterations": None,  # as many as the search's budget allows
        "max_consecutive_failed_trials": None,
    }
    taken = _keywords(kind)
    oracle = kind(**{key: value for key, value in given.items() if key in taken})
    oracle.verbose = 0
    return oracle


def _kind(name: str) -> Any:
    from keras_tuner import oracles

    check(name)
    return _custom(name) if ":" in name else getattr(oracles, ORACLES[name])


def _keywords(kind: type) -> set[str]:
    """What can be given by name, to the class itself or through its **kwargs to its parents."""
    taken: set[str] = set()
    for each in kind.__mro__[:-1]:
        parameters = inspect.signature(vars(each).get("__init__", lambda **_: None)).parameters
        taken |= parameters.keys()
        if not any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
            break
    return taken


def _custom(name: str) -> Any:
    import keras_tuner

    kind = resolved(name, "Sampler")
    if not (isinstance(kind, type) and issubclass(kind, keras_tuner.Oracle)):
        raise InputError(f"Sampler {name!r} is not a subclass of keras_tuner.Oracle.")
    return kind
