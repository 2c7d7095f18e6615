"""The normalizations that a population trains, by Keras class."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from .errors import Unsupported
from .kinds import Call, Config, Described, Kind, Weight, lift, weighted


def _normalization(config: Config) -> Described:
    if config["axis"] not in (-1, [-1]):
        raise Unsupported(f"a normalization over axis {config['axis']}")
    if not np.float32(config["epsilon"]) > 0:
        raise Unsupported("a normalization without epsilon: padding is 0 / 0")
    names = [name for name, has in (("gamma", config["scale"]), ("beta", config["center"])) if has]
    weights = [Weight(name=name, axes=("in",)) for name in names]
    static = {"epsilon": config["epsilon"]}
    if "momentum" in config:
        static["momentum"] = config["momentum"]
        statistics = ("moving_mean", "moving_variance")
        weights += [Weight(name=name, axes=("in",), trainable=False) for name in statistics]
    return Described(static=static, **weighted(config, weights))


def _apply_batch_normalization(call: Call, inputs: list[Any]) -> Any:
    x, momentum = inputs[0], call.static["momentum"]
    statistics = ("moving_mean", "moving_variance")
    old = [call.weights[name] for name in statistics]
    if not call.training:
        return _scaled(call, x, *(lift(each, x.ndim) for each in old))
    gamma = call.weights.get("gamma", jnp.ones(len(x)))
    beta = call.weights.get("beta", jnp.zeros(len(x)))
    y, *now = normalize(x, gamma, beta, call.static["epsilon"])
    for name, before, new in zip(statistics, old, now, strict=True):
        call.updates[name] = before * momentum + new * (1 - momentum)
    return y


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def normalize(x: Any, gamma: Any, beta: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """Batch normalization of (features, ..., rows), and the mean and variance of each feature.

    Its gradient is written out: it takes half as many passes over the batch.
    """
    outputs: tuple[Any, Any, Any] = _normalized(x, gamma, beta, epsilon)[0]
    return outputs


def _normalized(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    rest = tuple(range(1, x.ndim))
    mean = x.mean(rest)
    apart = x - lift(mean, x.ndim)
    variance = (apart * apart).mean(rest)
    scale = jax.lax.rsqrt(variance + epsilon)
    y = apart * lift(scale * gamma, x.ndim) + lift(beta, x.ndim)
    return (y, mean, variance), (x, mean, scale, gamma)


def _normalized_backward(epsilon: float, kept: Any, gradients: Any) -> Any:
    """The statistics are only remembered, so that nothing flows back through them."""
    x, mean, scale, gamma = kept
    gradient = gradients[0]
    rest = tuple(range(1, x.ndim))
    count = x.size // len(x)
    standard = (x - lift(mean, x.ndim)) * lift(scale, x.ndim)
    of_beta = gradient.sum(rest)
    of_gamma = (gradient * standard).sum(rest)
    centred = gradient - lift(of_beta / count, x.ndim) - standard * lift(of_gamma / count, x.ndim)
    return centred * lift(scale * gamma, x.ndim), of_gamma, of_beta


normalize.defvjp(_normalized, _normalized_backward)


def _apply_layer_normalization(call: Call, inputs: list[Any]) -> Any:
    """Mean and variance over a row's true features."""
    x = inputs[0]
    if call.mask is None:
        return _scaled(call, x, x.mean(0, keepdims=True), x.var(0, keepdims=True))
    mask = lift(call.mask, x.ndim)
    x = x * mask  # that nothing flows back into padding
    mean = x.sum(0, keepdims=True) / mask.sum()
    apart = (x - mean) * mask
    variance = (apart**2).sum(0, keepdims=True) / mask.sum()
    return _scaled(call, x, mean, variance) * mask


def _scaled(call: Call, x: Any, mean: Any, variance: Any) -> Any:
    scale = jax.lax.rsqrt(variance + call.static["epsilon"])
    if "gamma" in call.weights:
        scale = scale * lift(call.weights["gamma"], x.ndim)
    y = (x - mean) * scale
    return y + lift(call.weights["beta"], x.ndim) if "beta" in call.weights else y


def _adapted(layer: Any) -> Config:
    """Mean and variance that a `Normalization` was given or has found in data, of each feature."""
    if layer.mean is None:
        raise Unsupported("a Normalization that is not adapted")
    found = {"mean": layer.mean, "variance": layer.variance}
    return {name: tuple(np.asarray(each).ravel().tolist()) for name, each in found.items()}


def _standard(config: Config) -> Described:
    if config["axis"] not in (None, -1, (), [], (-1,), [-1]):
        raise Unsupported(f"a Normalization over axis {config['axis']}")
    return Described(static={name: config[name] for name in ("mean", "variance")})


def _apply_standard(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    mean, variance = (jnp.asarray(call.static[name], "float32") for name in ("mean", "variance"))
    deviation = jnp.maximum(jnp.sqrt(variance), keras.config.epsilon())
    return (x - lift(mean, x.ndim)) / lift(deviation, x.ndim)


NORMALIZATIONS: dict[type, Kind] = {
    keras.layers.Normalization: Kind(
        reads=frozenset({"axis", "mean", "variance"}),
        describe=_standard,
        learned=_adapted,
        apply=_apply_standard,
        exact_input=lambda static: True,
    ),
    keras.layers.BatchNormalization: Kind(
        reads=frozenset({"axis", "epsilon", "momentum", "scale", "center"}),
        describe=_normalization,
        apply=_apply_batch_normalization,
    ),
    keras.layers.LayerNormalization: Kind(
        reads=frozenset({"axis", "epsilon", "scale", "center"}),
        describe=_normalization,
        apply=_apply_layer_normalization,
        masked=lambda static: True,
    ),
}
