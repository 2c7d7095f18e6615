"""Keras's activations by name, over (features, ..., rows)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from .errors import Unsupported

Activation = Callable[[Any], Any]

KEEP_ZERO: Mapping[str, Activation] = {
    "relu": jax.nn.relu,
    "elu": jax.nn.elu,
    "silu": jax.nn.silu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "tanh": jnp.tanh,
    "linear": lambda x: x,
    "selu": jax.nn.selu,
    "relu6": jax.nn.relu6,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.2),
    "softsign": jax.nn.soft_sign,
    "celu": jax.nn.celu,
    "mish": jax.nn.mish,
}
MOVE_ZERO: Mapping[str, Activation] = {  # what is padded has to be masked behind these
    "sigmoid": jax.nn.sigmoid,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "softplus": jax.nn.softplus,
    "exponential": jnp.exp,
}
SOFTMAX = "softmax"
NAMES = frozenset({*KEEP_ZERO, *MOVE_ZERO, SOFTMAX})
ALIASES = {"swish": "silu", None: "linear"}


def describe(activation: Any) -> str:
    """Name of an activation in a layer's configuration; Unsupported where it is none of these."""
    name = ALIASES.get(activation, activation) if not isinstance(activation, dict) else "a custom"
    if name not in NAMES:
        raise Unsupported(f"activation {name}")
    return str(name)


def moves_zero(name: str) -> bool:
    """Whether padding does not stay zero behind this activation."""
    return name in MOVE_ZERO or name == SOFTMAX


def apply(name: str, x: Any, mask: Any = None) -> Any:
    """The activation of (features, ..., rows); `mask` is 1 where a feature is no padding."""
    if name in KEEP_ZERO:
        return KEEP_ZERO[name](x)
    if mask is not None:
        mask = mask.reshape(-1, *(1,) * (x.ndim - 1))
    if name == SOFTMAX:
        hidden = x if mask is None else jnp.where(mask > 0, x, -jnp.inf)
        return jax.nn.softmax(hidden, axis=0)
    y = MOVE_ZERO[name](x)
    return y if mask is None else y * mask
