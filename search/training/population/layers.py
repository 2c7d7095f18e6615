"""The layers that a population trains, by Keras class; the recurrent ones are in their own file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ...arrays import Array
from . import activations
from .convolutional import CONVOLUTIONS
from .errors import Unsupported
from .kinds import (
    Call,
    Config,
    Described,
    Kind,
    Static,
    Weight,
    biased,
    dropped,
    lift,
    moves_zero,
    own_width,
    product,
    rate,
    weighted,
)
from .normalization import NORMALIZATIONS


def _dense(config: Config) -> Described:
    weights = [Weight(name="kernel", axes=("in", "units"))]
    weights += [Weight(name="bias", axes=("units",))] if config["use_bias"] else []
    return Described(
        static={"activation": activations.describe(config["activation"])},
        widths={"units": config["units"]},
        **weighted(config, weights),
    )


def _apply_dense(call: Call, inputs: list[Any]) -> Any:
    return call.activate(biased(call, product(call.weights["kernel"], inputs[0])))


def _apply_noise(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    if not call.training:
        return x
    noise = jax.random.normal(call.key(), x.shape) * call.numbers["stddev"]
    return x + (noise if call.mask is None else noise * lift(call.mask, x.ndim))


def _activating(name: str | None = None) -> Kind:
    """A layer that is an activation: of this name, or of that in its configuration."""

    def describe(config: Config) -> Described:
        return Described(static={"activation": name or activations.describe(config["activation"])})

    return Kind(
        reads=frozenset({"activation"}),
        describe=describe,
        apply=lambda call, inputs: call.activate(inputs[0]),
        masked=moves_zero,
    )


def _apply_flatten(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    return jnp.moveaxis(x, 0, -2).reshape(-1, x.shape[-1])


def _reshape(config: Config) -> Described:
    if not config["target_shape"]:
        raise Unsupported("a reshape to no feature")
    return Described(static={"shape": tuple(config["target_shape"])})


def _apply_reshape(call: Call, inputs: list[Any]) -> Any:
    rows = jnp.swapaxes(inputs[0], 0, -1)
    return jnp.swapaxes(rows.reshape(len(rows), *call.static["shape"]), 0, -1)


def _reshaped_mask(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    features = math.prod(shape) * len(inputs[0])
    if "places" in static:
        return inputs[0][: features // static["places"]]
    return np.ones(resolved(static["shape"], features)[-1], bool)


def resolved(shape: Sequence[int], size: int) -> list[int]:
    """A shape of so many numbers, with what its -1 stands for."""
    known = math.prod(each for each in shape if each > 0)
    return [each if each > 0 else size // known for each in shape]


def _embedding(config: Config) -> Described:
    weights = [Weight(name="embeddings", axes=("vocabulary", "units"))]
    widths = {"vocabulary": config["input_dim"], "units": config["output_dim"]}
    return Described(widths=widths, **weighted(config, weights))


def _apply_embedding(call: Call, inputs: list[Any]) -> Any:
    words = jnp.moveaxis(inputs[0], 0, -2).astype(jnp.int32)  # the last axis of a row behind others
    return jnp.moveaxis(call.weights["embeddings"][words], -1, 0)


def _concatenation(config: Config) -> Described:
    if config["axis"] != -1:
        raise Unsupported(f"a concatenation over axis {config['axis']}")
    return Described()


def _merged(combine: Callable[[Any, Any], Any], average: bool = False) -> Kind:
    def apply(call: Call, inputs: list[Any]) -> Any:
        y = reduce(combine, inputs)
        return y / len(inputs) if average else y

    return Kind(apply=apply, merges=True, feature_by_feature=True)


def _rescaling(config: Config) -> Described:
    if not all(isinstance(config[name], int | float) for name in ("scale", "offset")):
        raise Unsupported("a rescaling of each feature by its own scale")
    return Described(numbers={name: config[name] for name in ("scale", "offset")})


def _apply_first(call: Call, inputs: list[Any]) -> Any:
    x, width = inputs[0][: len(call.mask)], len(call.mask)
    padded = jnp.pad(x, ((0, width - len(x)), *((0, 0),) * (x.ndim - 1)))
    return padded * lift(call.mask, x.ndim)


FIRST = "first"  # a width: features that are read; and the layer that stands for a cut behind them
FIRST_FEATURES = Kind(
    apply=_apply_first,
    mask=lambda static, inputs, widths, shape: widths[FIRST],
    exact_input=lambda static: True,
    masked=lambda static: True,
)
LAYERS: dict[type, Kind] = {
    **CONVOLUTIONS,
    **NORMALIZATIONS,
    keras.layers.Dense: Kind(
        reads=frozenset({"units", "activation", "use_bias"}),
        describe=_dense,
        apply=_apply_dense,
        mask=lambda static, inputs, widths, shape: np.tile(
            widths["units"], static.get("places", 1)
        ),
        masked=moves_zero,
    ),
    keras.layers.Dropout: Kind(
        reads=frozenset({"rate", "seed"}),
        describe=rate,
        apply=lambda call, inputs: dropped(call, inputs[0], inputs[0].shape),
    ),
    keras.layers.GaussianNoise: Kind(
        reads=frozenset({"stddev", "seed"}),
        describe=lambda config: Described(numbers={"stddev": config["stddev"]}),
        apply=_apply_noise,
        masked=lambda static: True,
    ),
    keras.layers.Activation: _activating(),
    keras.layers.ReLU: _activating("relu"),
    keras.layers.ELU: _activating("elu"),
    keras.layers.Softmax: _activating(activations.SOFTMAX),
    keras.layers.LeakyReLU: Kind(
        reads=frozenset({"negative_slope"}),
        describe=lambda config: Described(numbers={"slope": config["negative_slope"]}),
        apply=lambda call, inputs: jnp.where(inputs[0] >= 0, 1, call.numbers["slope"]) * inputs[0],
    ),
    keras.layers.Flatten: Kind(
        apply=_apply_flatten,
        mask=lambda static, inputs, widths, shape: np.tile(inputs[0], math.prod(shape)),
    ),
    keras.layers.Reshape: Kind(
        reads=frozenset({"target_shape"}),
        describe=_reshape,
        apply=_apply_reshape,
        mask=_reshaped_mask,
        exact_input=lambda static: "places" not in static,
    ),
    keras.layers.RepeatVector: Kind(
        reads=frozenset({"n"}),
        describe=lambda config: Described(static={"n": config["n"]}),
        apply=lambda call, inputs: jnp.repeat(inputs[0][:, None], call.static["n"], axis=1),
    ),
    keras.layers.Embedding: Kind(
        reads=frozenset({"input_dim", "output_dim"}),
        describe=_embedding,
        apply=_apply_embedding,
        mask=own_width,
    ),
    keras.layers.Rescaling: Kind(
        reads=frozenset({"scale", "offset"}),
        describe=_rescaling,
        apply=lambda call, inputs: inputs[0] * call.numbers["scale"] + call.numbers["offset"],
        exact_input=lambda static: True,
    ),
    keras.layers.Concatenate: Kind(
        reads=frozenset({"axis"}),
        describe=_concatenation,
        apply=lambda call, inputs: jnp.concatenate(inputs),
        mask=lambda static, inputs, widths, shape: np.concatenate(inputs),
        merges=True,
    ),
    keras.layers.Add: _merged(jnp.add),
    keras.layers.Average: _merged(jnp.add, average=True),
    keras.layers.Subtract: _merged(jnp.subtract),
    keras.layers.Multiply: _merged(jnp.multiply),
    keras.layers.Maximum: _merged(jnp.maximum),
    keras.layers.Minimum: _merged(jnp.minimum),
}
