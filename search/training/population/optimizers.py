"""Keras's optimizers as one update rule: which of them, and its numbers, are run-time values.

So members with different optimizers share a compiled program. The formulas are those of Keras 3,
each with at most two values of state a weight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .errors import Unsupported

State = tuple[Any, Any, Any]  # two vectors as long as the weights, Nadam's product of momenta
Numbers = Mapping[str, Any]

ADAGRAD_START = 0.1
NADAM_DECAY = 0.96


def describe(optimizer: Any) -> dict[str, float]:
    """The run-time values of a Keras optimizer; Unsupported where it is none of these."""
    kind = type(optimizer).__name__
    if kind not in KINDS or type(optimizer).__module__.partition(".")[0] != "keras":
        raise Unsupported(f"optimizer {kind}")
    try:
        config = optimizer.get_config()
    except Exception as error:
        raise Unsupported(f"optimizer {kind} without a configuration") from error
    for name in (*UNSUPPORTED, *(("momentum",) if kind == "RMSprop" else ())):
        if config.get(name):
            raise Unsupported(f"optimizer {kind}({name}={config[name]})")
    if not isinstance(config["learning_rate"], float):
        raise Unsupported("a learning rate schedule")
    if getattr(optimizer, "_exclude_from_weight_decay", None):
        raise Unsupported("weights excluded from weight decay")
    first = {"SGD": "momentum", "RMSprop": "rho"}.get(kind, "beta_1")
    return {
        "kind": float(KINDS.index(kind)),
        "learning_rate": config["learning_rate"],
        "beta_1": config.get(first) or 0.0,
        "beta_2": config.get("beta_2") or 0.0,
        "epsilon": config.get("epsilon") or 0.0,
        "weight_decay": config.get("weight_decay") or 0.0,
        "nesterov": float(config.get("nesterov") or False),
        "start": config.get("initial_accumulator_value") or 0.0,
    }


def start(weights: Any, numbers: Mapping[str, float]) -> State:
    """Optimizer state before the first step, of a NumPy vector of weights."""
    return np.zeros_like(weights), np.full_like(weights, numbers["start"]), np.float32(1)


def update(weights: Any, gradients: Any, state: State, step: Any, numbers: Numbers) -> Any:
    """Weights and state after step number `step`, which counts from 1.

    All weights are one vector: a rule is compiled once, not once a layer.
    """
    shared = _shared(step, state[2], numbers)
    weights = weights - weights * numbers["weight_decay"] * numbers["learning_rate"]
    kind = numbers["kind"].astype(jnp.int32)
    weights, *moved = jax.lax.switch(kind, RULES, weights, gradients, *state[:2], shared)
    return weights, (*moved, shared["u_product"])


def _shared(step: Any, u_product: Any, numbers: Numbers) -> dict[str, Any]:
    """What is the same for all weights of a step."""
    t = step.astype(jnp.float32)
    beta_1 = numbers["beta_1"]
    u, u_next = (beta_1 * (1 - 0.5 * NADAM_DECAY**each) for each in (t, t + 1))
    return {
        **numbers,
        "correction_1": 1 - beta_1**t,
        "correction_2": 1 - numbers["beta_2"] ** t,
        "u": u,
        "u_next": u_next,
        "u_product": u_product * u,
    }


def _sgd(weight: Any, g: Any, m: Any, v: Any, n: Numbers) -> Any:
    m = m * n["beta_1"] - g * n["learning_rate"]
    ahead = m * n["beta_1"] - g * n["learning_rate"]
    return weight + jnp.where(n["nesterov"] > 0, ahead, m), m, v


def _adam(weight: Any, g: Any, m: Any, v: Any, n: Numbers) -> Any:
    m, v = _moments(g, m, v, n)
    alpha = n["learning_rate"] * jnp.sqrt(n["correction_2"]) / n["correction_1"]
    return weight - m * alpha / (jnp.sqrt(v) + n["epsilon"]), m, v


def _nadam(weight: Any, g: Any, m: Any, v: Any, n: Numbers) -> Any:
    m, v = _moments(g, m, v, n)
    ahead = n["u_next"] * m / (1 - n["u_product"] * n["u_next"])
    ahead = ahead + (1 - n["u"]) * g / (1 - n["u_product"])
    spread = jnp.sqrt(v / n["correction_2"]) + n["epsilon"]
    return weight - ahead * n["learning_rate"] / spread, m, v


def _adamax(weight: Any, g: Any, m: Any, v: Any, n: Numbers) -> Any:
    m = m + (g - m) * (1 - n["beta_1"])
    v = jnp.maximum(n["beta_2"] * v, jnp.abs(g))
    return weight - n["learning_rate"] * m / (n["correction_1"] * (v + n["epsilon"])), m, v


def _rmsprop(weight: Any, g: Any, m: Any, v: Any, n: Numbers) -> Any:
    v = n["beta_1"] * v + (1 - n["beta_1"]) * g * g
    return weight - n["learning_rate"] * g / jnp.sqrt(v + n["epsilon"]), m, v


def _adagrad(weight: Any, g: Any, m: Any, v: Any, n: Numbers) -> Any:
    v = v + g * g
    return weight - n["learning_rate"] * g / jnp.sqrt(v + n["epsilon"]), m, v


def _moments(g: Any, m: Any, v: Any, n: Numbers) -> tuple[Any, Any]:
    return m + (g - m) * (1 - n["beta_1"]), v + (g * g - v) * (1 - n["beta_2"])


RULES: tuple[Callable[..., Any], ...] = (_sgd, _adam, _adam, _nadam, _adamax, _rmsprop, _adagrad)
KINDS = ("SGD", "Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adagrad")
UNSUPPORTED = (
    "amsgrad",
    "centered",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)
