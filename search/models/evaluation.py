"""What a model predicts for many rows, and how good that is on one metric."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..counting import activations
from ..errors import InputError
from ..losses import link
from ..nests import arrays, in_chunks

if TYPE_CHECKING:
    from ..arrays import Array
    from ..metrics import Metric
    from ..pipeline import Split

CHUNK, FEWEST = 4096, 16  # rows predicted at once, at most and at least
NUMBERS = 2**28  # that all layers put out for these, at most
UNKNOWN = 64  # numbers that layers put out for each of a row's own, where that is not known


def score(model: keras.Model, split: Split, metric: Metric) -> float:
    """`metric` of the model on a split; not a number where a prediction is not finite."""
    inputs, labels = split
    predicted = predictions(model, inputs)
    finite = bool(np.isfinite(predicted).all())
    return metric.measure(np.asarray(labels), predicted) if finite else math.nan


def predictions(model: keras.Model, inputs: Any) -> Array:
    """What a model predicts, (rows, ...); logits, if its loss says so, become probabilities.

    Args:
        inputs: an array or data frame, (rows, ...), or a list, tuple or dictionary of them.
    """
    return _probabilities(model, _single(outputs(model, inputs)))


def outputs(model: keras.Model, inputs: Any) -> Any:
    """What a model puts out for many rows, (rows, ...): an array, or a structure of them."""
    # Not `predict`, whose data pipeline costs a small model ten times what predicting does.
    inputs = arrays(inputs)
    with single_precision():
        return in_chunks(
            lambda chunk: keras.tree.map_structure(np.asarray, model.predict_on_batch(chunk)),
            inputs,
            at_once(model, inputs),
        )


def at_once(model: keras.Model, inputs: Any) -> int:
    """How many rows a model predicts in a bounded part of the memory, (rows, ...)."""
    own = sum(math.prod(leaf.shape[1:]) for leaf in keras.tree.flatten(inputs))
    numbers = activations(model) or UNKNOWN * own
    return max(FEWEST, min(CHUNK, NUMBERS // max(numbers, 1)))


@contextmanager
def single_precision() -> Iterator[None]:
    """Products of 32 bits: NVIDIA's processors else round factors to 10 bits of them (TF32).

    So a model's score is the same on every machine, and does not hang on how it was trained.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        with jax.default_matmul_precision("highest"):
            yield
        return
    allowed, allow = _tensorfloat(backend)
    allow(False)
    try:
        yield
    finally:
        allow(allowed)


def on_processor() -> AbstractContextManager[Any]:
    """Keras computes on the processor within: a GPU's compiler takes seconds for a small model."""
    number = "" if keras.backend.backend() == "torch" else ":0"  # torch takes cpu:0 for another
    device: AbstractContextManager[Any] = keras.device(f"cpu{number}")
    return device


def _tensorfloat(backend: str) -> tuple[bool, Callable[[bool], None]]:
    """Whether TensorFlow or PyTorch may round factors, and what changes that."""
    if backend == "tensorflow":
        import tensorflow as tf

        options = tf.config.experimental
        enabled = options.tensor_float_32_execution_enabled()
        return enabled, options.enable_tensor_float_32_execution
    import torch

    def allow(value: bool) -> None:
        torch.backends.cudnn.allow_tf32 = value

    return torch.backends.cudnn.allow_tf32, allow


def _single(outputs: Any) -> Array:
    leaves = keras.tree.flatten(outputs)
    if len(leaves) != 1:
        raise InputError(
            f"The model has {len(leaves)} outputs, and a metric is measured on one: "
            "return a model with one output from the space."
        )
    found = np.asarray(leaves[0])
    return found.astype("float32") if found.dtype.kind == "V" else found  # bfloat16, for instance


def _probabilities(model: keras.Model, outputs: Array) -> Array:
    name = link(model.loss)
    if not name:
        return outputs
    single = outputs.ndim == 1 or outputs.shape[-1] == 1
    function = keras.ops.sigmoid if single else getattr(keras.ops, name)
    return np.asarray(keras.ops.convert_to_numpy(function(outputs)))
