"""Initial weights, drawn with NumPy from Keras's own distributions.

On JAX every new shape would compile its own random generator, for a second and more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ...arrays import Array
from ...counting import PLAIN
from .errors import Unsupported

Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator, Shape, Mapping[str, Any]], Array]

MODULE = "keras.initializers"  # in a configuration; one of the user's own has another
FORGET_BIAS = "ForgetBias"
TRUNCATED = 0.87962566103423978  # standard deviation of a normal cut at two of its own


def initial(rng: np.random.Generator, initializer: Mapping[str, Any], shape: Shape) -> Array:
    """Values of one weight, as the Keras initializer of this configuration draws them."""
    values = DRAWS[initializer["class_name"]](rng, shape, initializer["config"])
    return np.asarray(values, dtype="float32")


def check(initializer: Any) -> None:
    """Raise Unsupported where `initial` has no such distribution."""
    if not isinstance(initializer, Mapping):
        raise Unsupported(f"initializer {initializer}")
    name, config = initializer["class_name"], initializer["config"]
    if name not in DRAWS or initializer["module"] != MODULE:
        raise Unsupported(f"initializer {name}")
    if name == FORGET_BIAS:
        check(config["of"])
    elif not all(isinstance(each, PLAIN) for each in config.values()):
        raise Unsupported(f"initializer {name} with an array")


def forget_bias(initializer: Any) -> Mapping[str, Any]:
    """An LSTM's: ones where it forgets, else as the initializer draws."""
    return {"module": MODULE, "class_name": FORGET_BIAS, "config": {"of": initializer}}


def _variance_scaling(scale: float, mode: str, distribution: str) -> Draw:
    return lambda rng, shape, config: _scaled(rng, shape, scale, mode, distribution)


def _scaled(
    rng: np.random.Generator, shape: Shape, scale: float, mode: str, distribution: str
) -> Array:
    fan_in, fan_out = _fans(shape)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        limit = math.sqrt(3 * variance)
        return rng.uniform(-limit, limit, shape)
    if distribution == "untruncated_normal":
        return rng.normal(0, math.sqrt(variance), shape)
    return _truncated(rng, shape, 0.0, math.sqrt(variance) / TRUNCATED)


def _fans(shape: Shape) -> tuple[float, float]:
    """Inputs and outputs of one unit; the axes before the last two are a receptive field."""
    if len(shape) < 2:
        size = float(shape[0]) if shape else 1.0
        return size, size
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _truncated(rng: np.random.Generator, shape: Shape, mean: float, deviation: float) -> Array:
    """Within two standard deviations."""
    low, high = ndtr([-2.0, 2.0])
    drawn: Array = ndtri(rng.uniform(low, high, shape))
    return mean + deviation * drawn


def _orthogonal(rng: np.random.Generator, shape: Shape, config: Mapping[str, Any]) -> Array:
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))
    values: Array = (q if rows >= columns else q.T).reshape(shape)
    return values * float(config["gain"])


def _forget_bias(rng: np.random.Generator, shape: Shape, config: Mapping[str, Any]) -> Array:
    """Of an LSTM's gates: one where it forgets (Jozefowicz and others, ICML 2015)."""
    units = shape[0] // 4
    enter, rest = (initial(rng, config["of"], (n * units,)) for n in (1, 2))
    return np.concatenate([enter, np.ones(units), rest])


DRAWS: dict[str, Draw] = {
    "Zeros": lambda rng, shape, config: np.zeros(shape),
    "Ones": lambda rng, shape, config: np.ones(shape),
    "Constant": lambda rng, shape, config: np.full(shape, config["value"]),
    "RandomUniform": lambda rng, shape, config: rng.uniform(
        config["minval"], config["maxval"], shape
    ),
    "RandomNormal": lambda rng, shape, config: rng.normal(config["mean"], config["stddev"], shape),
    "TruncatedNormal": lambda rng, shape, config: _truncated(
        rng, shape, config["mean"], config["stddev"]
    ),
    "VarianceScaling": lambda rng, shape, config: _scaled(
        rng, shape, config["scale"], config["mode"], config["distribution"]
    ),
    "GlorotUniform": _variance_scaling(1.0, "fan_avg", "uniform"),
    "GlorotNormal": _variance_scaling(1.0, "fan_avg", "truncated_normal"),
    "HeUniform": _variance_scaling(2.0, "fan_in", "uniform"),
    "HeNormal": _variance_scaling(2.0, "fan_in", "truncated_normal"),
    "LecunUniform": _variance_scaling(1.0, "fan_in", "uniform"),
    "LecunNormal": _variance_scaling(1.0, "fan_in", "truncated_normal"),
    "Orthogonal": _orthogonal,
    FORGET_BIAS: _forget_bias,
}
