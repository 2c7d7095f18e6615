"""Keras's losses over arrays of (outputs, ..., rows), from logits where the model ends in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras

from .errors import Unsupported

FROM_LOGITS = "_from_logits"
EPSILON = 1e-7  # Keras's own, for probabilities whose logits are not known

Loss = Callable[[Any, Any, Any], Any]  # (labels, predictions, logits or None) -> mean loss


def describe(loss: Any) -> str:
    """Name of a model's loss; Unsupported where it is none of these, or has options set."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", None)
    if isinstance(loss, keras.losses.Loss):
        name, config = type(loss).__name__, loss.get_config()
        default = type(loss)().get_config() if name in NAMES else {}
        set_to = {key: config[key] for key in config if config[key] != default.get(key)}
        logits = set_to.pop("from_logits", False)
        set_to.pop("name", None)
        if set_to:
            raise Unsupported(f"loss {name} with {', '.join(set_to)}")
        suffix = FROM_LOGITS if logits else ""
        return _known(NAMES.get(name, name) + suffix)
    return _known(str(name))


def probabilities(loss: str, outputs: Any) -> Any:
    """Outputs of a model as predictions: logits, where the loss says so, become probabilities."""
    if not loss.endswith(FROM_LOGITS):
        return outputs
    if outputs.shape[0] == 1 or loss.startswith("binary"):
        return jax.nn.sigmoid(outputs)
    return jax.nn.softmax(outputs, axis=0)


def _known(name: str) -> str:
    if name not in LOSSES:
        raise Unsupported(f"loss {name}")
    return name


def _sparse(labels: Any, predictions: Any, logits: Any) -> Any:
    log = _log_probabilities(predictions, logits)
    labels = labels.astype(jnp.int32).reshape(log.shape[1:])
    chosen = labels == jnp.arange(len(log)).reshape(
        -1, *(1,) * labels.ndim
    )  # no gather, no scatter
    return -jnp.mean(jnp.where(chosen, log, 0).sum(axis=0))


def _categorical(labels: Any, predictions: Any, logits: Any) -> Any:
    return -jnp.mean(jnp.sum(labels * _log_probabilities(predictions, logits), axis=0))


def _binary(labels: Any, predictions: Any, logits: Any) -> Any:
    labels = labels.reshape(predictions.shape)
    if logits is not None:
        softplus = jnp.maximum(logits, 0) + jnp.log1p(jnp.exp(-jnp.abs(logits)))
        return jnp.mean(softplus - logits * labels)
    sure = jnp.clip(predictions, EPSILON, 1 - EPSILON)
    return -jnp.mean(labels * jnp.log(sure) + (1 - labels) * jnp.log(1 - sure))


def _log_probabilities(predictions: Any, logits: Any) -> Any:
    if logits is not None:
        return jax.nn.log_softmax(logits, axis=0)
    return jnp.log(jnp.clip(predictions / predictions.sum(axis=0), EPSILON, 1 - EPSILON))


def _of_residuals(function: Callable[[Any], Any]) -> Loss:
    def loss(labels: Any, predictions: Any, logits: Any) -> Any:
        return jnp.mean(function(labels.reshape(predictions.shape) - predictions))

    return loss


def _huber(residual: Any) -> Any:
    size = jnp.abs(residual)
    return jnp.where(size <= 1, residual**2 / 2, size - 0.5)


def _from_logits(loss: Loss) -> Loss:
    return lambda labels, predictions, logits: loss(labels, predictions, predictions)


LOSSES: Mapping[str, Loss] = {
    "sparse_categorical_crossentropy": _sparse,
    "categorical_crossentropy": _categorical,
    "binary_crossentropy": _binary,
    "sparse_categorical_crossentropy_from_logits": _from_logits(_sparse),
    "categorical_crossentropy_from_logits": _from_logits(_categorical),
    "binary_crossentropy_from_logits": _from_logits(_binary),
    "mean_squared_error": _of_residuals(jnp.square),
    "mean_absolute_error": _of_residuals(jnp.abs),
    "huber": _of_residuals(_huber),
}
NAMES = {
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "BinaryCrossentropy": "binary_crossentropy",
    "MeanSquaredError": "mean_squared_error",
    "MeanAbsoluteError": "mean_absolute_error",
    "Huber": "huber",
}
LOGITS_OF = {  # the last activation whose inputs a loss can take in place of its outputs
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
}
