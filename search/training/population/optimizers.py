"""Keras's optimizers as one update rule: which of them, and its numbers, are run-time values.

So members with different optimizers share a compiled program. The formulas are those of Keras 3,
each with at most two values of state a weight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np

from ...arrays import Array
from ...models.schedules import schedule_of
from .errors import Unsupported

State = tuple[Any, Any]  # two vectors as long as the weights
Schedule = Callable[[Array], Array]  # learning rates, of steps

NADAM_DECAY = 0.96
PROBED = (0, 1, 7, 100, 10_000)  # steps at which a schedule is compared with itself


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
    rate = 0.0 if schedule_of(optimizer) else config["learning_rate"]
    if not isinstance(rate, float):
        raise Unsupported("a learning rate that is no number")
    if any(getattr(optimizer, name, None) for name in EXCLUDED):
        raise Unsupported("weights excluded from weight decay")
    if not np.float32(config.get("epsilon", 1.0)) > 0:
        raise Unsupported(f"optimizer {kind}(epsilon={config['epsilon']}): padding is 0 / 0")
    first = {"SGD": "momentum", "RMSprop": "rho"}.get(kind, "beta_1")
    return {
        "kind": float(KINDS.index(kind)),
        "learning_rate": rate,
        "beta_1": config.get(first) or 0.0,
        "beta_2": config.get("beta_2") or 0.0,
        "epsilon": config.get("epsilon") or 0.0,
        "weight_decay": config.get("weight_decay") or 0.0,
        "nesterov": float(config.get("nesterov") or False),
        "start": config.get("initial_accumulator_value") or 0.0,
    }


def schedule(optimizer: Any) -> Schedule | None:
    """The learning rate schedule of a Keras optimizer, for many steps at once; None: it has none.

    Raises Unsupported where it only takes one step at a time.
    """
    given = schedule_of(optimizer)
    if given is None:
        return None

    def rates(steps: Array) -> Array:
        return np.asarray(keras.ops.convert_to_numpy(given(steps)), "float32")

    steps = np.array(PROBED, "float32")
    with suppress(Exception):  # whatever a schedule of the user's own makes of an array
        if np.allclose(rates(steps), [float(given(step)) for step in steps], rtol=1e-5):
            return rates
    raise Unsupported(f"the learning rate schedule {type(given).__name__}")


def start(weights: Any, numbers: Mapping[str, float]) -> State:
    """Optimizer state before the first step, of a NumPy vector of weights."""
    return np.zeros_like(weights), np.full_like(weights, numbers["start"])


def update(weights: Any, gradients: Any, state: State, coefficients: Any) -> Any:
    """Weights and state after a step.

    All seven rules are one: m moves to a m + b g, v to c v + d g^2 (Adamax: to the larger of c v
    and |g|), and the weights to k w - (p m + q g) / (sqrt(r v + s) + e) (Adamax: v + e).

    Args:
        coefficients: of this step, in the order of `NAMES`.
    """
    n = dict(zip(NAMES, coefficients, strict=True))
    first = n["a"] * state[0] + n["b"] * gradients
    second = n["c"] * state[1] + n["d"] * gradients**2
    largest = jnp.maximum(n["c"] * state[1], jnp.abs(gradients))
    second = jnp.where(n["largest"] > 0, largest, second)
    root = jnp.sqrt(n["r"] * second + n["s"])
    spread = jnp.where(n["largest"] > 0, second, root) + n["e"]
    return n["k"] * weights - (n["p"] * first + n["q"] * gradients) / spread, (first, second)


def numbers(described: Mapping[str, float]) -> Array:
    """What `describe` says, in the order of `NUMBERS`."""
    return np.array([described[name] for name in NUMBERS], "float32")


def coefficients(
    numbers: Array, done: Array, steps: int, schedules: Sequence[Schedule | None] = ()
) -> Array:
    """What `update` takes in each of the next steps, for each lane: (lanes, steps, `NAMES`).

    It is worked out here, on the host: inside a program it would take longer to compile than all
    else of a small network. In single precision, as Keras does: 1 - 0.999 has an error there.

    Args:
        numbers: of each lane's optimizer.
        done: the steps that each lane has behind it.
        schedules: of each lane's learning rate; None: it is one number.
    """
    n = dict(zip(NUMBERS, numbers.T[..., None], strict=True))
    t = done[:, None].astype("float32") + np.arange(1, steps + 1, dtype="float32")
    n["learning_rate"] = n["learning_rate"] * np.ones_like(t)
    for lane, rates in enumerate(schedules):
        if rates is not None:
            n["learning_rate"][lane] = rates(t[lane] - 1)
    column = np.asarray(COLUMNS)[n["kind"].astype(int)]
    with np.errstate(divide="ignore", invalid="ignore"):  # in columns that are not taken
        table = _table(n, t, _momenta(n["beta_1"], done)[:, None])
    chosen = [np.choose(column, table[name]) * np.ones_like(t) for name in NAMES]
    return np.stack(chosen, axis=-1)


def _table(n: Mapping[str, Array], t: Array, momenta: Array) -> dict[str, tuple[Any, ...]]:
    """Each coefficient in steps t, for every optimizer."""
    rate, beta_1, beta_2, epsilon = (n[k] for k in ("learning_rate", "beta_1", "beta_2", "epsilon"))
    u, u_next = (beta_1 * (1 - 0.5 * NADAM_DECAY**each) for each in (t, t + 1))
    product = momenta * np.cumprod(u, axis=1)
    left_1, left_2 = 1 - beta_1**t, 1 - beta_2**t
    adam = rate * np.sqrt(left_2) / left_1
    nadam = rate * u_next / (1 - product * u_next), rate * (1 - u) / (1 - product)
    one, zero, ahead = np.float32(1), np.float32(0), n["nesterov"] > 0
    return {
        # SGD, Adam and AdamW, Nadam, Adamax, RMSprop, Adagrad
        "a": (beta_1, beta_1, beta_1, beta_1, one, one),
        "b": (-rate, 1 - beta_1, 1 - beta_1, 1 - beta_1, zero, zero),
        "c": (one, beta_2, beta_2, beta_2, beta_1, one),
        "d": (zero, 1 - beta_2, 1 - beta_2, zero, 1 - beta_1, one),
        "k": (1 - n["weight_decay"] * rate,) * 6,
        "p": (np.where(ahead, -beta_1, -one), adam, nadam[0], rate / left_1, zero, zero),
        "q": (np.where(ahead, rate, zero), zero, nadam[1], zero, rate, rate),
        "r": (zero, one, 1 / left_2, zero, one, one),
        "s": (zero, zero, zero, zero, epsilon, epsilon),
        "e": (one, epsilon, epsilon, epsilon, zero, zero),
        "largest": (zero, zero, zero, one, zero, zero),
    }


def _momenta(beta_1: Array, done: Array) -> Array:
    """Nadam's product of the momenta of all steps so far."""
    t = np.arange(1, done.max(initial=0) + 1, dtype="float32")
    momenta = beta_1 * (1 - 0.5 * NADAM_DECAY**t)
    product: Array = np.where(t <= done[:, None], momenta, np.float32(1)).prod(axis=1)
    return product


KINDS = ("SGD", "Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adagrad")
COLUMNS = (0, 1, 1, 2, 3, 4, 5)  # of each of `KINDS`, in the table of coefficients
NAMES = ("a", "b", "c", "d", "k", "p", "q", "r", "s", "e", "largest")
NUMBERS = (
    *("kind", "learning_rate", "beta_1", "beta_2"),
    *("epsilon", "weight_decay", "nesterov", "start"),
)
EXCLUDED = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
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
