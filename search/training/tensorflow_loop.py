"""Trains a Keras model on TensorFlow with one graph call an epoch, over data held on the device.

`Model.fit` spends most of a small model's trial on tracing, on its data pipeline and on Python
between steps: this loop needs a half to a quarter of its time.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context  # private, as is the next: a test pins them
from tensorflow.python.framework.ops import gradient_registry

from .users_fit import keeps_step

DEVICE_BYTES = 2**30  # of training data, at most


def suits(model: keras.Model, data: tuple[Any, Any]) -> bool:
    """Whether `train` does what `model.fit` would: nothing overridden, one device, data fits."""
    alone = (
        not tf.distribute.has_strategy()
        and model.distribute_strategy is tf.distribute.get_strategy()
    )
    size = sum(leaf.nbytes for leaf in keras.tree.flatten(data))
    return keeps_step(model) and alone and not model.run_eagerly and size <= DEVICE_BYTES


def train(
    model: keras.Model,
    data: tuple[Any, Any],
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    on_epoch_end: Callable[[int, Mapping[str, Any]], None],
) -> None:
    """Train until the last epoch, or until `on_epoch_end` has set `model.stop_training`."""
    model.stop_training = False
    tensors = keras.tree.map_structure(tf.convert_to_tensor, data)
    _create_variables(model, tensors)
    run_epoch = _epoch_function(model, tensors, batch_size)
    rows, rng = len(data[1]), np.random.default_rng(seed)
    for epoch in range(epochs):
        model.reset_metrics()
        run_epoch(tensors, tf.constant(rng.permutation(rows), dtype=tf.int32))
        on_epoch_end(epoch, model.get_metrics_result())
        if model.stop_training:
            break
    model.optimizer.finalize_variable_values(model.trainable_variables)


def release_memory() -> None:
    """Free what TensorFlow keeps for the life of the process of models that are gone.

    Kernels of their functions, one megabyte a trial, and a gradient registered by each optimizer
    and each `silu` in a graph: its closure holds that whole graph, some five megabytes.
    """
    for name in gradient_registry._registry.keys() - _LASTING:
        del gradient_registry._registry[name]
    gc.collect()
    context.context().clear_kernel_cache()


_LASTING = frozenset(gradient_registry.list())  # of TensorFlow, of what was loaded before any trial


def _create_variables(model: keras.Model, tensors: tuple[Any, Any]) -> None:
    """All of them before tracing: a function that creates some is traced a second time."""
    inputs, labels = keras.tree.map_structure(lambda leaf: leaf[:2], tensors)
    outputs = model(inputs, training=False)
    model.compute_loss(x=inputs, y=labels, y_pred=outputs, training=False)
    model.compute_metrics(inputs, labels, outputs)
    model.optimizer.build(model.trainable_variables)


def _epoch_function(
    model: keras.Model, tensors: tuple[Any, Any], batch_size: int
) -> Callable[..., Any]:
    rows = len(tensors[1])
    steps = -(-rows // batch_size)

    def epoch(data: tuple[Any, Any], order: tf.Tensor) -> None:
        def step(number: tf.Tensor) -> tf.Tensor:
            chosen = order[number * batch_size : tf.minimum((number + 1) * batch_size, rows)]
            model.train_step(keras.tree.map_structure(lambda leaf: tf.gather(leaf, chosen), data))
            return number + 1

        tf.while_loop(lambda number: number < steps, step, [0], parallel_iterations=1)

    function = tf.function(epoch, autograph=False)
    traced: Callable[..., Any] = function.get_concrete_function(
        tensors, tf.TensorSpec([rows], tf.int32)
    )
    return traced
