"""The layers of images and series that a population trains, by Keras class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import keras
import numpy as np

from . import activations, pooling, windows
from .errors import Unsupported
from .kinds import (
    Call,
    Config,
    Described,
    Kind,
    Masks,
    Weight,
    biased,
    dropped,
    moves_zero,
    own_width,
    product,
    rate,
    weighted,
)
from .transposed import convolve_transposed


def _windowed(config: Config) -> dict[str, Any]:
    if config["padding"] not in ("valid", "same"):
        raise Unsupported(f"padding {config['padding']}")
    return {
        "activation": activations.describe(config["activation"]),
        "strides": tuple(config["strides"]),
        "padding": config["padding"],
        "dilation": tuple(config["dilation_rate"]),
    }


def _convolution(config: Config, ends: tuple[str, str] = ("in", "units")) -> Described:
    static = _windowed(config)
    weights = [Weight(name="kernel", axes=(*config["kernel_size"], *ends))]
    weights += [Weight(name="bias", axes=("units",))] if config["use_bias"] else []
    widths = {"units": config["filters"]}
    return Described(static=static, widths=widths, **weighted(config, weights))


def _apply_convolution(call: Call, inputs: list[Any]) -> Any:
    options = (call.static[name] for name in ("strides", "padding", "dilation"))
    y = windows.convolve(inputs[0], call.weights["kernel"], *options)
    return call.activate(biased(call, y))


def _transposed(config: Config) -> Described:
    if any(apart != 1 for apart in config["dilation_rate"]):
        raise Unsupported("a transposed convolution that is dilated")
    return _convolution(config, ends=("units", "in"))


def _apply_transposed(call: Call, inputs: list[Any]) -> Any:
    strides, mode = call.static["strides"], call.static["padding"]
    y = convolve_transposed(inputs[0], call.weights["kernel"], strides, mode)
    return call.activate(biased(call, y))


def _depthwise(config: Config) -> Described:
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
    return call.activate(biased(call, y))


def _separable(config: Config) -> Described:
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
    return call.activate(biased(call, product(pointwise.reshape(pointwise.shape[-2:]), y)))


def _pooling(config: Config) -> Described:
    static = {"size": tuple(config["pool_size"]), "strides": tuple(config["strides"])}
    return Described(static={**static, "padding": config["padding"]})


def _average_pooling(config: Config) -> Described:
    if config["padding"] == "same" and keras.backend.backend() == "torch":
        raise Unsupported("averages over padding, which torch counts")
    return _pooling(config)


def _apply_pooling(average: bool) -> Callable[[Call, list[Any]], Any]:
    def apply(call: Call, inputs: list[Any]) -> Any:
        size, strides, padding = (call.static[name] for name in ("size", "strides", "padding"))
        return pooling.pool(inputs[0], size, strides, padding, average)

    return apply


def _global_mean(call: Call, inputs: list[Any]) -> Any:
    return inputs[0].mean(tuple(range(1, inputs[0].ndim - 1)))


def _global_largest(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    return pooling.largest_of_all(jnp.swapaxes(x.reshape(len(x), -1, x.shape[-1]), 0, 1))


def _apply_spatial_dropout(call: Call, inputs: list[Any]) -> Any:
    shape = inputs[0].shape
    return dropped(call, inputs[0], (shape[0], *(1,) * (len(shape) - 2), shape[-1]))


def _around(name: str) -> Callable[[Config], Described]:
    """Places before and after each axis, which Keras writes without a list where there is one."""

    def describe(config: Config) -> Described:
        given = config[name]
        pairs = given if isinstance(given[0], tuple | list) else (given,)
        return Described(static={"around": tuple(map(tuple, pairs))})

    return describe


def _crop(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    ends = zip(x.shape[1:-1], call.static["around"], strict=True)
    return x[(slice(None), *(slice(low, length - high) for length, (low, high) in ends))]


def _sized(config: Config) -> Described:
    size = config["size"]
    return Described(static={"size": (size,) if isinstance(size, int) else tuple(size)})


def _repeat_places(call: Call, inputs: list[Any]) -> Any:
    x = inputs[0]
    for axis, times in enumerate(call.static["size"], 1):
        x = jnp.repeat(x, times, axis)
    return x


def _convolving(
    describe: Callable[[Config], Described],
    apply: Callable[[Call, list[Any]], Any],
    reads: set[str],
    mask: Masks = own_width,
) -> Kind:
    return Kind(
        reads=frozenset(WINDOW | reads),
        describe=describe,
        apply=apply,
        mask=mask,
        masked=moves_zero,
    )


WINDOW = {"kernel_size", "strides", "padding", "dilation_rate", "activation", "use_bias"}
CONVOLUTIONS: dict[type, Kind] = {}
for _rank in ("1D", "2D"):
    CONVOLUTIONS |= {
        getattr(keras.layers, f"Conv{_rank}"): _convolving(
            _convolution, _apply_convolution, {"filters"}
        ),
        getattr(keras.layers, f"Conv{_rank}Transpose"): _convolving(
            _transposed, _apply_transposed, {"filters"}
        ),
        getattr(keras.layers, f"DepthwiseConv{_rank}"): _convolving(
            _depthwise,
            _apply_depthwise,
            {"depth_multiplier"},
            lambda static, inputs, widths, shape: np.repeat(inputs[0], static["multiplier"]),
        ),
        getattr(keras.layers, f"SeparableConv{_rank}"): _convolving(
            _separable, _apply_separable, {"filters", "depth_multiplier"}
        ),
        getattr(keras.layers, f"ZeroPadding{_rank}"): Kind(
            reads=frozenset({"padding"}),
            describe=_around("padding"),
            apply=lambda call, inputs: windows.padded(inputs[0], call.static["around"]),
        ),
        getattr(keras.layers, f"Cropping{_rank}"): Kind(
            reads=frozenset({"cropping"}), describe=_around("cropping"), apply=_crop
        ),
        getattr(keras.layers, f"UpSampling{_rank}"): Kind(
            reads=frozenset({"size"}), describe=_sized, apply=_repeat_places
        ),
        getattr(keras.layers, f"SpatialDropout{_rank}"): Kind(
            reads=frozenset({"rate", "seed"}), describe=rate, apply=_apply_spatial_dropout
        ),
    }
    for _name, _average, _describe, _global in (
        ("Average", True, _average_pooling, _global_mean),
        ("Max", False, _pooling, _global_largest),
    ):
        CONVOLUTIONS |= {
            getattr(keras.layers, f"{_name}Pooling{_rank}"): Kind(
                reads=frozenset({"pool_size", "strides", "padding"}),
                describe=_describe,
                apply=_apply_pooling(_average),
            ),
            getattr(keras.layers, f"Global{_name}Pooling{_rank}"): Kind(apply=_global),
        }
