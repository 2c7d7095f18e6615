"""Keras's optimizers as one update rule: which of them, and its numbers, are run-time values.

So members with different optimizers share a compiled program. The formulas are those of Keras 3,
each with at most two values of state a weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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

    All seven rules are one: m moves to a m + b g, v to c v + d g^2 (Adamax: to the larger of c v
    and |g|), and the weights by (p m + q g) / (sqrt(r v + s) + e) (Adamax: v + e).
    """
    n = _coefficients(step, state[2], numbers)
    first = n["a"] * state[0] + n["b"] * gradients
    second = n["c"] * state[1] + n["d"] * gradients**2
    largest = jnp.maximum(n["c"] * state[1], jnp.abs(gradients))
    second = jnp.where(n["largest"], largest, second)
    spread = jnp.where(n["largest"], second, jnp.sqrt(n["r"] * second + n["s"])) + n["e"]
    kept = 1 - numbers["weight_decay"] * numbers["learning_rate"]
    weights = kept * weights - (n["p"] * first + n["q"] * gradients) / spread
    return weights, (first, second, n["u_product"])


def _coefficients(step: Any, u_product: Any, numbers: Numbers) -> dict[str, Any]:
    """The numbers of one step, those of the member's own optimizer."""
    t = step.astype(jnp.float32)
    rate, beta_1, beta_2 = (numbers[name] for name in ("learning_rate", "beta_1", "beta_2"))
    u, u_next = (beta_1 * (1 - 0.5 * NADAM_DECAY**each) for each in (t, t + 1))
    product = u_product * u
    left_1, left_2 = 1 - beta_1**t, 1 - beta_2**t
    ahead = numbers["nesterov"] > 0
    adam = rate * jnp.sqrt(left_2) / left_1
    columns = {
        # SGD, Adam and AdamW, Nadam, Adamax, RMSprop, Adagrad
        "a": (beta_1, beta_1, beta_1, beta_1, 1, 1),
        "b": (-rate, 1 - beta_1, 1 - beta_1, 1 - beta_1, 0, 0),
        "c": (1, beta_2, beta_2, beta_2, beta_1, 1),
        "d": (0, 1 - beta_2, 1 - beta_2, 0, 1 - beta_1, 1),
        "p": (
            jnp.where(ahead, -beta_1, -1),
            adam,
            rate * u_next / (1 - product * u_next),
            rate / left_1,
            0,
            0,
        ),
        "q": (jnp.where(ahead, rate, 0), 0, rate * (1 - u) / (1 - product), 0, rate, rate),
        "r": (0, 1, 1 / left_2, 0, 1, 1),
        "s": (0, 0, 0, 0, numbers["epsilon"], numbers["epsilon"]),
        "e": (1, *(numbers["epsilon"],) * 3, 0, 0),
    }
    column = jnp.asarray(COLUMNS)[numbers["kind"].astype(jnp.int32)]
    chosen = {
        name: jnp.stack([jnp.float32(each) for each in values])[column]
        for name, values in columns.items()
    }
    return {**chosen, "largest": column == ADAMAX, "u_product": product}


KINDS = ("SGD", "Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adagrad")
COLUMNS = (0, 1, 1, 2, 3, 4, 5)  # of each of `KINDS`, in the table of coefficients
ADAMAX = 3
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
