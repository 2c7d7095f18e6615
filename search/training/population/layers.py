"""The layers that a population trains, by Keras class: dense, convolutional, pooling, the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from . import activations, windows
from .errors import Unsupported
from .kinds import (
    Array,
    Call,
    Config,
    Described,
    Kind,
    Weight,
    dropped,
    lift,
    moves_zero,
    own_width,
    weighted,
)

Static = Mapping[str, Any]


def product(kernel: Any, x: Any) -> Any:
    """Each row's and position's features times a kernel of (features, units)."""
    return jnp.tensordot(kernel, x, axes=(0, 0))


def _dense(config: Config, features: int) -> Described:
    weights = [Weight(name="kernel", axes=("in", "units"))]
    weights += [Weight(name="bias", axes=("units",))] if config["use_bias"] else []
    return Described(
        static={"activation": activations.describe(config["activation"])},
        widths={"units": config["units"]},
        **weighted(config, weights),
    )


def _apply_dense(call: Call, inputs: list[Any]) -> Any:
    return call.activate(_biased(call, product(call.weights["kernel"], inputs[0])))


def _biased(call: Call, y: Any) -> Any:
    return y + lift(call.weights["bias"], y.ndim) if "bias" in call.weights else y


def _windowed(config: Config) -> dict[str, Any]:
    if config["padding"] not in ("valid", "same"):
        raise Unsupported(f"padding {config['padding']}")
    return {
        "activation": activations.describe(config["activation"]),
        "strides": tuple(config["strides"]),
        "padding": config["padding"],
        "dilation": tuple(config["dilation_rate"]),
    }


def _convolution(config: Config, features: int) -> Described:
    static = _windowed(config)
    weights = [Weight(name="kernel", axes=(*config["kernel_size"], "in", "units"))]
    weights += [Weight(name="bias", axes=("units",))] if config["use_bias"] else []
    widths = {"units": config["filters"]}
    return Described(static=static, widths=widths, **weighted(config, weights))


def _apply_convolution(call: Call, inputs: list[Any]) -> Any:
    options = (call.static[name] for name in ("strides", "padding", "dilation"))
    return call.activate(
        _biased(call, windows.convolve(inputs[0], call.weights["kernel"], *options))
    )


def _depthwise(config: Config, features: int) -> Described:
    static = _windowed(config)
    multiplier = config["depth_multiplier"]
    weights = [Weight(name="kernel", axes=(*config["kernel_size"], "in", multiplier))]
    weights += [Weight(name="bias", axes=(f"in*{multiplier}",))] if config["use_bias"] else []
    return Described(
        static={**static, "multiplier": multiplier},
        **weighted(config, weights, {"kernel": "depthwise"}),
    )


def _apply_depthwise(call: Call, inputs: list[Any]) -> Any:
    options = (call.static[name] for name in ("strides", "padding", "dilation"))
    y = windows.convolve_depthwise(inputs[0], call.weights["kernel"], *options)
    return call.activate(_biased(call, y))


def _each_repeated(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    return np.repeat(inputs[0], static["multiplier"])


def _separable(config: Config, features: int) -> Described:
    static = _windowed(config)
    multiplier, ones = config["depth_multiplier"], (1,) * len(config["kernel_size"])
    weights = [
        Weight(name="depthwise", axes=(*config["kernel_size"], "in", multiplier)),
        Weight(name="pointwise", axes=(*ones, f"in*{multiplier}", "units")),
    ]
    weights += [Weight(name="bias", axes=("units",))] if config["use_bias"] else []
    widths = {"units": config["filters"]}
    return Described(static=static, widths=widths, **weighted(config, weights))


def _apply_separable(call: Call, inputs: list[Any]) -> Any:
    options = (call.static[name] for name in ("strides", "padding", "dilation"))
    y = windows.convolve_depthwise(inputs[0], call.weights["depthwise"], *options)
    pointwise = call.weights["pointwise"]
    return call.activate(_biased(call, product(pointwise.reshape(pointwise.shape[-2:]), y)))


def _pooling(config: Config, features: int) -> Described:
    static = {"size": tuple(config["pool_size"]), "strides": tuple(config["strides"])}
    return Described(static={**static, "padding": config["padding"]})


def _apply_pooling(average: bool) -> Callable[[Call, list[Any]], Any]:
    def apply(call: Call, inputs: list[Any]) -> Any:
        size, strides, padding = (call.static[name] for name in ("size", "strides", "padding"))
        return windows.pool(inputs[0], size, strides, padding, average)

    return apply


def _apply_global(reduce_: Callable[..., Any]) -> Callable[[Call, list[Any]], Any]:
    return lambda call, inputs: reduce_(inputs[0], axis=tuple(range(1, inputs[0].ndim - 1)))


def _normalization(config: Config, features: int) -> Described:
    if config["axis"] not in (-1, [-1]):
        raise Unsupported(f"a normalization over axis {config['axis']}")
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


def _rate(config: Config, features: int) -> Described:
    if not 0 <= config["rate"] < 1:
        raise Unsupported(f"a dropout of {config['rate']}")
    return Described(numbers={"rate": config["rate"]})


def _apply_dropout(call: Call, inputs: list[Any]) -> Any:
    return dropped(call, inputs[0], inputs[0].shape)


def _apply_spatial_dropout(call: Call, inputs: list[Any]) -> Any:
    shape = inputs[0].shape
    return dropped(call, inputs[0], (shape[0], *(1,) * (len(shape) - 2), shape[-1]))


def _apply_noise(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    if not call.training:
        return x
    noise = jax.random.normal(call.key(), x.shape) * call.numbers["stddev"]
    return x + (noise if call.mask is None else noise * lift(call.mask, x.ndim))


def _activation(config: Config, features: int) -> Described:
    return Described(static={"activation": activations.describe(config["activation"])})


def _fixed_activation(name: str) -> Callable[[Config, int], Described]:
    return lambda config, features: Described(static={"activation": name})


def _flat_mask(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    return np.tile(inputs[0], int(np.prod(shape, dtype=int)))


def _apply_flatten(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    return jnp.moveaxis(x, 0, -2).reshape(-1, x.shape[-1])


def _apply_reshape(call: Call, inputs: list[Any]) -> Any:
    rows = jnp.swapaxes(inputs[0], 0, -1)
    return jnp.swapaxes(rows.reshape(len(rows), *call.static["shape"]), 0, -1)


def _reshaped_mask(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    features = int(np.prod(shape, dtype=int)) * len(inputs[0])
    known = int(np.prod([each for each in static["shape"] if each > 0], dtype=int))
    last = static["shape"][-1]
    return np.ones(last if last > 0 else features // known, bool)


def _embedding(config: Config, features: int) -> Described:
    weights = [Weight(name="embeddings", axes=("vocabulary", "units"))]
    widths = {"vocabulary": config["input_dim"], "units": config["output_dim"]}
    return Described(widths=widths, **weighted(config, weights))


def _apply_embedding(call: Call, inputs: list[Any]) -> Any:
    return jnp.moveaxis(call.weights["embeddings"][inputs[0].astype(jnp.int32)], -1, 0)


def _concatenation(config: Config, features: int) -> Described:
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

    return Kind(apply=apply)


def _rescaling(config: Config, features: int) -> Described:
    if not all(isinstance(config[name], int | float) for name in ("scale", "offset")):
        raise Unsupported("a rescaling of each feature by its own scale")
    return Described(numbers={name: config[name] for name in ("scale", "offset")})


def _apply_rescaling(call: Call, inputs: list[Any]) -> Any:
    return inputs[0] * call.numbers["scale"] + call.numbers["offset"]


def _repeat(config: Config, features: int) -> Described:
    return Described(static={"n": config["n"]})


def _apply_repeat(call: Call, inputs: list[Any]) -> Any:
    return jnp.repeat(inputs[0][:, None], call.static["n"], axis=1)


LAYERS: dict[type, Kind] = {
    keras.layers.Dense: Kind(
        reads=frozenset({"units", "activation", "use_bias"}),
        describe=_dense,
        apply=_apply_dense,
        mask=own_width,
        masked=moves_zero,
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
    keras.layers.Dropout: Kind(
        reads=frozenset({"rate", "seed"}), describe=_rate, apply=_apply_dropout
    ),
    keras.layers.GaussianNoise: Kind(
        reads=frozenset({"stddev", "seed"}),
        describe=lambda config, features: Described(numbers={"stddev": config["stddev"]}),
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
        describe=lambda config, features: _activation({"activation": "relu"}, features),
        apply=lambda call, inputs: call.activate(inputs[0]),
    ),
    keras.layers.ELU: Kind(
        describe=lambda config, features: _activation({"activation": "elu"}, features),
        apply=lambda call, inputs: call.activate(inputs[0]),
    ),
    keras.layers.Softmax: Kind(
        describe=_fixed_activation(activations.SOFTMAX),
        apply=lambda call, inputs: call.activate(inputs[0]),
        masked=moves_zero,
    ),
    keras.layers.LeakyReLU: Kind(
        reads=frozenset({"negative_slope"}),
        describe=lambda config, features: Described(numbers={"slope": config["negative_slope"]}),
        apply=lambda call, inputs: jnp.where(inputs[0] >= 0, 1, call.numbers["slope"]) * inputs[0],
    ),
    keras.layers.Flatten: Kind(apply=_apply_flatten, mask=_flat_mask),
    keras.layers.Reshape: Kind(
        reads=frozenset({"target_shape"}),
        describe=lambda config, features: Described(
            static={"shape": tuple(config["target_shape"])}
        ),
        apply=_apply_reshape,
        mask=_reshaped_mask,
        exact_input=True,
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
        exact_input=True,
    ),
    keras.layers.Concatenate: Kind(
        reads=frozenset({"axis"}),
        describe=_concatenation,
        apply=lambda call, inputs: jnp.concatenate(inputs),
        mask=_concatenated,
    ),
    keras.layers.Add: _merged(jnp.add),
    keras.layers.Average: _merged(jnp.add, average=True),
    keras.layers.Subtract: _merged(jnp.subtract),
    keras.layers.Multiply: _merged(jnp.multiply),
    keras.layers.Maximum: _merged(jnp.maximum),
    keras.layers.Minimum: _merged(jnp.minimum),
}
WINDOW = {"kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias"}
for _rank in ("1D", "2D"):
    LAYERS |= {
        getattr(keras.layers, f"Conv{_rank}"): Kind(
            reads=frozenset({*WINDOW, "filters"}),
            describe=_convolution,
            apply=_apply_convolution,
            mask=own_width,
            masked=moves_zero,
        ),
        getattr(keras.layers, f"DepthwiseConv{_rank}"): Kind(
            reads=frozenset({*WINDOW, "depth_multiplier"}),
            describe=_depthwise,
            apply=_apply_depthwise,
            mask=_each_repeated,
            masked=moves_zero,
        ),
        getattr(keras.layers, f"SeparableConv{_rank}"): Kind(
            reads=frozenset({*WINDOW, "filters", "depth_multiplier"}),
            describe=_separable,
            apply=_apply_separable,
            mask=own_width,
            masked=moves_zero,
        ),
        getattr(keras.layers, f"SpatialDropout{_rank}"): Kind(
            reads=frozenset({"rate", "seed"}), describe=_rate, apply=_apply_spatial_dropout
        ),
    }
    for _name, _average, _global in (("Average", True, jnp.mean), ("Max", False, jnp.max)):
        LAYERS |= {
            getattr(keras.layers, f"{_name}Pooling{_rank}"): Kind(
                reads=frozenset({"pool_size", "strides", "padding"}),
                describe=_pooling,
                apply=_apply_pooling(_average),
            ),
            getattr(keras.layers, f"Global{_name}Pooling{_rank}"): Kind(
                apply=_apply_global(_global)
            ),
        }
