"""Keras's losses over arrays of (outputs, ..., rows), from logits where the model ends in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras

from .errors import Unsupported

FROM_LOGITS = "_from_logits"
ENDS = frozenset({"softmax", "sigmoid"})  # activations whose outputs are no logits

Loss = Callable[[Any, Any, Any], Any]  # (labels, predictions, logits or None) -> mean loss


def describe(loss: Any) -> str:
    """Name of a model's loss; Unsupported where it is none of these, or has options set."""
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    name = getattr(loss, "__name__", str(loss))
    if isinstance(loss, keras.losses.Loss):
        name = type(loss).__name__
        if type(loss) is not getattr(keras.losses, name, None):
            raise Unsupported(f"a loss of its own, {name}")
        set_to = _options(loss) if name in NAMES else {}
        logits = set_to.pop("from_logits", False)
        if set_to:
            raise Unsupported(f"loss {name} with {', '.join(set_to)}")
        suffix = FROM_LOGITS if logits else ""
        return _known(NAMES.get(name, name) + suffix)
    if loss is not getattr(keras.losses, name, None):
        raise Unsupported(f"a loss of its own, {name}")
    return _known(name)


def check_end(loss: str, activation: str | None) -> None:
    """Refuse an end on which Keras's own backends do not agree.

    On TensorFlow it takes what is in front of any softmax or sigmoid for logits, whatever the
    crossentropy.

    Args:
        activation: of the model's last layer.
    """
    if loss.endswith(FROM_LOGITS) and activation in ENDS:
        raise Unsupported(f"a {activation} at their end and a loss from logits")
    usual = LOGITS_OF.get(loss, activation)
    if activation in ENDS - {usual} or (loss.startswith("sparse") and activation != usual):
        raise Unsupported(f"a {activation} at their end and the loss {loss}")


def check_labels(loss: str, labels: tuple[int, ...], outputs: tuple[int, ...]) -> None:
    """Refuse labels that Keras would spread over the outputs, or not take.

    Args:
        labels, outputs: shapes of a row.
    """
    sparse = loss.startswith("sparse")
    whole = (*outputs[:-1], 1) if sparse else outputs
    squeezed = outputs[:-1] if whole[-1] == 1 else whole
    if labels not in (whole, squeezed):
        raise Unsupported(f"labels of shape {labels}, for outputs of shape {outputs}")


def _options(loss: keras.losses.Loss) -> dict[str, Any]:
    """What of a loss is not as Keras makes it; its configuration does not tell all."""
    default = type(loss)()
    own, usual = ({**vars(each), **each._fn_kwargs} for each in (loss, default))
    options = {"reduction", "_dtype", *loss._fn_kwargs}
    return {name: own[name] for name in options if own[name] != usual.get(name)}


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
        return jnp.mean(jax.nn.softplus(logits) - logits * labels)
    sure = _clipped(predictions)
    return -jnp.mean(labels * jnp.log(sure) + (1 - labels) * jnp.log(1 - sure))


def _log_probabilities(predictions: Any, logits: Any) -> Any:
    if logits is not None:
        return jax.nn.log_softmax(logits, axis=0)
    return jnp.log(_clipped(predictions / predictions.sum(axis=0)))


def _clipped(probabilities: Any) -> Any:
    """As Keras does where it does not know the logits."""
    epsilon = keras.config.epsilon()
    return jnp.clip(probabilities, epsilon, 1 - epsilon)


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
# The last activation whose inputs a loss takes in place of its outputs, as Keras on TensorFlow.
# On JAX it clips the outputs and learns nothing beyond 1 - 1e-7, where a member goes on learning.
LOGITS_OF = {
    "sparse_categorical_crossentropy": "softmax",
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
}
