"""The layers that a population trains, by Keras class; the recurrent ones are in their own file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from ...metrics import Array
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


def _at_all_places(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    return np.tile(widths["units"], static.get("places", 1))


def _apply_dropout(call: Call, inputs: list[Any]) -> Any:
    return dropped(call, inputs[0], inputs[0].shape)


def _apply_noise(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    if not call.training:
        return x
    noise = jax.random.normal(call.key(), x.shape) * call.numbers["stddev"]
    return x + (noise if call.mask is None else noise * lift(call.mask, x.ndim))


def _activation(config: Config) -> Described:
    return Described(static={"activation": activations.describe(config["activation"])})


def _fixed_activation(name: str) -> Callable[[Config], Described]:
    return lambda config: Described(static={"activation": name})


def _flat_mask(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    return np.tile(inputs[0], int(np.prod(shape, dtype=int)))


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
    features = int(np.prod(shape, dtype=int)) * len(inputs[0])
    if "places" in static:
        return inputs[0][: features // static["places"]]
    known = int(np.prod([each for each in static["shape"] if each > 0], dtype=int))
    last = static["shape"][-1]
    return np.ones(last if last > 0 else features // known, bool)


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


def _concatenated(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    return np.concatenate(inputs)


def _merged(combine: Callable[[Any, Any], Any], average: bool = False) -> Kind:
    def apply(call: Call, inputs: list[Any]) -> Any:
        y = reduce(combine, inputs)
        return y / len(inputs) if average else y

    return Kind(apply=apply, merges=True, feature_by_feature=True)


def _rescaling(config: Config) -> Described:
    if not all(isinstance(config[name], int | float) for name in ("scale", "offset")):
        raise Unsupported("a rescaling of each feature by its own scale")
    return Described(numbers={name: config[name] for name in ("scale", "offset")})


def _apply_rescaling(call: Call, inputs: list[Any]) -> Any:
    return inputs[0] * call.numbers["scale"] + call.numbers["offset"]


def _repeat(config: Config) -> Described:
    return Described(static={"n": config["n"]})


def _apply_repeat(call: Call, inputs: list[Any]) -> Any:
    return jnp.repeat(inputs[0][:, None], call.static["n"], axis=1)


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
        mask=_at_all_places,
        masked=moves_zero,
    ),
    keras.layers.Dropout: Kind(
        reads=frozenset({"rate", "seed"}), describe=rate, apply=_apply_dropout
    ),
    keras.layers.GaussianNoise: Kind(
        reads=frozenset({"stddev", "seed"}),
        describe=lambda config: Described(numbers={"stddev": config["stddev"]}),
        apply=_apply_noise,
        masked=lambda static: True,
    ),
    keras.layers.Activation: Kind(
        reads=frozenset({"activation"}),
        describe=_activation,
        apply=lambda call, inputs: call.activate(inputs[0]),
        masked=moves_zero,
    ),
    keras.layers.ReLU: Kind(
        describe=lambda config: _activation({"activation": "relu"}),
        apply=lambda call, inputs: call.activate(inputs[0]),
    ),
    keras.layers.ELU: Kind(
        describe=lambda config: _activation({"activation": "elu"}),
        apply=lambda call, inputs: call.activate(inputs[0]),
    ),
    keras.layers.Softmax: Kind(
        describe=_fixed_activation(activations.SOFTMAX),
        apply=lambda call, inputs: call.activate(inputs[0]),
        masked=moves_zero,
    ),
    keras.layers.LeakyReLU: Kind(
        reads=frozenset({"negative_slope"}),
        describe=lambda config: Described(numbers={"slope": config["negative_slope"]}),
        apply=lambda call, inputs: jnp.where(inputs[0] >= 0, 1, call.numbers["slope"]) * inputs[0],
    ),
    keras.layers.Flatten: Kind(apply=_apply_flatten, mask=_flat_mask),
    keras.layers.Reshape: Kind(
        reads=frozenset({"target_shape"}),
        describe=_reshape,
        apply=_apply_reshape,
        mask=_reshaped_mask,
        exact_input=lambda static: "places" not in static,
    ),
    keras.layers.RepeatVector: Kind(reads=frozenset({"n"}), describe=_repeat, apply=_apply_repeat),
    keras.layers.Embedding: Kind(
        reads=frozenset({"input_dim", "output_dim"}),
        describe=_embedding,
        apply=_apply_embedding,
        mask=own_width,
    ),
    keras.layers.Rescaling: Kind(
        reads=frozenset({"scale", "offset"}),
        describe=_rescaling,
        apply=_apply_rescaling,
        exact_input=lambda static: True,
    ),
    keras.layers.Concatenate: Kind(
        reads=frozenset({"axis"}),
        describe=_concatenation,
        apply=lambda call, inputs: jnp.concatenate(inputs),
        mask=_concatenated,
        merges=True,
    ),
    keras.layers.Add: _merged(jnp.add),
    keras.layers.Average: _merged(jnp.add, average=True),
    keras.layers.Subtract: _merged(jnp.subtract),
    keras.layers.Multiply: _merged(jnp.multiply),
    keras.layers.Maximum: _merged(jnp.maximum),
    keras.layers.Minimum: _merged(jnp.minimum),
}
