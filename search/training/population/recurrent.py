"""The recurrent layers of a population: SimpleRNN, LSTM, GRU, and both directions of them.

A padded unit stays at zero: its candidate is tanh(0), whatever its gates let through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from . import activations
from .errors import Unsupported
from .initial import forget_bias
from .kinds import Call, Config, Described, Kind, Weight, lift, own_width, product, weighted
from .layers import LAYERS

READS = frozenset(
    {"units", "activation", "recurrent_activation", "use_bias", "unit_forget_bias", "seed"}
    | {"return_sequences", "go_backwards", "reset_after"}
)
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}
STATES = {"SimpleRNN": 1, "GRU": 1, "LSTM": 2}
MERGES: Mapping[str, Callable[[Any, Any], Any]] = {
    "sum": jnp.add,
    "mul": jnp.multiply,
    "ave": lambda a, b: (a + b) / 2,
}


def _describe(cell: str) -> Callable[[Config], Described]:
    def describe(config: Config) -> Described:
        static = {
            "cell": cell,
            "activation": _keeps_zero(config["activation"]),
            "recurrent": _of_gates(config.get("recurrent_activation", "linear")),
            "sequences": config["return_sequences"],
            "backwards": config["go_backwards"],
            "reset_after": config.get("reset_after", False),
        }
        weights = _weights(cell, config)
        described = weighted(config, weights)
        if config.get("unit_forget_bias") and config["use_bias"]:
            described["initializers"]["bias"] = forget_bias(config["bias_initializer"])
        return Described(static=static, widths={"units": config["units"]}, **described)

    return describe


def _keeps_zero(activation: Any) -> str:
    name = activations.describe(activation)
    if activations.moves_zero(name):
        raise Unsupported(f"a recurrent layer with activation {name}")
    return name


def _of_gates(activation: Any) -> str:
    name = activations.describe(activation)
    if name == activations.SOFTMAX:
        raise Unsupported("a recurrent layer with gates that are a softmax")
    return name


def _weights(cell: str, config: Config) -> list[Weight]:
    gates = f"units*{GATES[cell]}"
    weights = [
        Weight(name="kernel", axes=("in", gates)),
        Weight(name="recurrent", axes=("units", gates)),
    ]
    if config["use_bias"]:
        axes = (2, gates) if config.get("reset_after") else (gates,)
        weights.append(Weight(name="bias", axes=axes))
    return weights


def _run(static: Mapping[str, Any], weights: Mapping[str, Any], x: Any) -> Any:
    """Over (features, time, rows): (units, rows), or (units, time, rows) for sequences."""
    if static["backwards"]:
        x = jnp.flip(x, axis=1)
    recurrent = weights["recurrent"]
    units, gates = recurrent.shape[0], GATES[static["cell"]]
    bias = weights.get("bias")
    incoming = product(weights["kernel"], x)
    if bias is not None:
        incoming = incoming + lift(bias[0] if bias.ndim == 2 else bias, 3)
    incoming = jnp.moveaxis(incoming.reshape(gates, units, *x.shape[1:]), 2, 0)
    cell = CELLS[static["cell"]]
    inner = bias[1] if bias is not None and bias.ndim == 2 else None

    def step(states: Any, now: Any) -> Any:
        states = cell(static, recurrent, inner, now, states)
        return states, states[0] if static["sequences"] else None

    zero = jnp.zeros((units, x.shape[-1]), x.dtype)
    states, outputs = jax.lax.scan(step, (zero,) * STATES[static["cell"]], incoming)
    return jnp.moveaxis(outputs, 0, 1) if static["sequences"] else states[0]


def _gates(recurrent: Any, state: Any) -> Any:
    units = len(recurrent)
    return product(recurrent, state).reshape(-1, units, state.shape[-1])


def _simple(static: Any, recurrent: Any, inner: Any, now: Any, states: Any) -> Any:
    hidden = now[0] + _gates(recurrent, states[0])[0]
    return (activations.apply(static["activation"], hidden),)


def _lstm(static: Any, recurrent: Any, inner: Any, now: Any, states: Any) -> Any:
    hidden, carry = states
    z = now + _gates(recurrent, hidden)
    enter, forget, leave = (activations.apply(static["recurrent"], z[gate]) for gate in (0, 1, 3))
    carry = forget * carry + enter * activations.apply(static["activation"], z[2])
    return leave * activations.apply(static["activation"], carry), carry


def _gru(static: Any, recurrent: Any, inner: Any, now: Any, states: Any) -> Any:
    (hidden,) = states
    units = len(recurrent)
    past = _gates(recurrent, hidden)
    if inner is not None:
        past = past + inner.reshape(3, units, 1)
    update, reset = (
        activations.apply(static["recurrent"], now[gate] + past[gate]) for gate in (0, 1)
    )
    if static["reset_after"]:
        candidate = now[2] + reset * past[2]
    else:
        candidate = now[2] + product(recurrent[:, 2 * units :], reset * hidden)
    candidate = activations.apply(static["activation"], candidate)
    return (update * hidden + (1 - update) * candidate,)


CELLS: Mapping[str, Callable[..., Any]] = {"SimpleRNN": _simple, "LSTM": _lstm, "GRU": _gru}


def _describe_both(config: Config) -> Described:
    """Bidirectional: the configuration holds those of the two layers."""
    cell = config["layer"]["class_name"]
    if cell not in GATES or config["merge_mode"] not in (*MERGES, "concat"):
        raise Unsupported(f"Bidirectional({cell}, merge_mode={config['merge_mode']})")
    parts = {"forward_": config["layer"]["config"], "backward_": config["backward_layer"]["config"]}
    described = {prefix: _describe(cell)(part) for prefix, part in parts.items()}
    forward, backward = described.values()
    if forward.static["backwards"]:
        raise Unsupported("Bidirectional whose first layer goes backwards")
    if backward.static != {**forward.static, "backwards": True}:
        raise Unsupported("Bidirectional of two different layers")
    if forward.widths != backward.widths:
        raise Unsupported("Bidirectional of two different widths")

    def prefixed(name: str) -> dict[str, Any]:
        return {
            prefix + key: value
            for prefix, each in described.items()
            for key, value in getattr(each, name).items()
        }

    return Described(
        static={**forward.static, "merge": config["merge_mode"]},
        widths=forward.widths,
        weights=tuple(
            Weight(name=prefix + each.name, axes=each.axes)
            for prefix, part in described.items()
            for each in part.weights
        ),
        initializers=prefixed("initializers"),
        penalties=prefixed("penalties"),
    )


def _apply_both(call: Call, inputs: list[Any]) -> Any:
    outputs = []
    for prefix in ("forward_", "backward_"):
        own = {
            name.removeprefix(prefix): value
            for name, value in call.weights.items()
            if name.startswith(prefix)
        }
        static = {**call.static, "backwards": prefix == "backward_"}
        outputs.append(_run(static, own, inputs[0]))
    if call.static["sequences"]:
        outputs[1] = jnp.flip(outputs[1], axis=1)
    if call.static["merge"] == "concat":
        return jnp.concatenate(outputs)
    return MERGES[call.static["merge"]](*outputs)


RECURRENT: dict[type, Kind] = {
    getattr(keras.layers, cell): Kind(
        reads=READS,
        describe=_describe(cell),
        apply=lambda call, inputs: _run(call.static, call.weights, inputs[0]),
        mask=own_width,
    )
    for cell in GATES
}
RECURRENT[keras.layers.Bidirectional] = Kind(
    reads=frozenset({"layer", "backward_layer", "merge_mode"}),
    describe=_describe_both,
    apply=_apply_both,
    mask=lambda static, inputs, widths, shape: np.tile(
        widths["units"], 2 if static["merge"] == "concat" else 1
    ),
)
KINDS: dict[type, Kind] = {**LAYERS, **RECURRENT}
