"""What a layer is to a population: its widths, its weights, and what it computes when padded.

Arrays are (features, *space, rows): Keras's own axes with the first and the last exchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax

from ...arrays import Array
from . import activations
from .blocks import written
from .errors import Unsupported

Config = Mapping[str, Any]
Static = Mapping[str, Any]

NO_PENALTY = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Weight:
    """One weight of a layer: a name and what each of its axes runs over.

    An axis is "in" (features of the input), a width's name, "width*n" (n gates of that width), or
    a number where it has the same length in every member.
    """

    name: str
    axes: tuple[str | int, ...]
    trainable: bool = True


@dataclass(frozen=True, kw_only=True)
class Described:
    """One layer of a member.

    Args:
        static: what has to be equal for two layers to share a program; hashable values.
        widths: what may be padded.
        numbers: run-time values, by name.
        initializers, penalties: of each weight, by its name; penalties are (L1, L2).
    """

    static: Static = field(default_factory=dict)
    widths: Mapping[str, int] = field(default_factory=dict)
    weights: tuple[Weight, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    initializers: Mapping[str, Any] = field(default_factory=dict)
    penalties: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(kw_only=True)
class Call:
    """What a layer is given besides its inputs, and what it leaves besides its outputs."""

    static: Static
    weights: Mapping[str, Any]
    numbers: Mapping[str, Any]
    mask: Any  # 1 where an output feature is no padding; None where nothing is padded
    training: bool
    key: Callable[[], Any]  # a random key of this layer and step
    updates: dict[str, Any] = field(default_factory=dict)  # of weights that are not trained
    logits: Any = None  # inputs of the last activation

    def activate(self, x: Any) -> Any:
        """The layer's own activation."""
        self.logits = x
        return activations.apply(self.static["activation"], x, self.mask)


Apply = Callable[[Call, list[Any]], Any]
Masks = Callable[[Static, list[Array], Mapping[str, Array], tuple[int, ...]], Array]


def like_input(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    """Mask of a layer whose features are those of its inputs, one by one."""
    return inputs[0]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A class of layers.

    Args:
        reads: names in a layer's configuration that `describe` understands; all others must have
            Keras's default value.
        describe: from the layer's configuration, and what it has learned before any training.
        learned: that, of a layer that has been adapted to data; its weights are no others.
        mask: which features of the output are no padding, from the masks of the inputs, those of
            the layer's own widths and the shape of the first input (space only).
        exact_input: whether nothing before a layer of such static values may be padded.
        merges: whether it takes several inputs.
        feature_by_feature: whether it computes each feature from the same one of all its inputs.
        masked: whether `apply` needs the mask of its output.
    """

    reads: frozenset[str] = frozenset()
    describe: Callable[[Config], Described] = lambda config: Described()
    learned: Callable[[Any], Config] = lambda layer: {}
    apply: Apply
    mask: Masks = like_input
    exact_input: Callable[[Static], bool] = lambda static: False
    merges: bool = False
    feature_by_feature: bool = False
    masked: Callable[[Static], bool] = lambda static: False


def own_width(
    static: Static, inputs: list[Array], widths: Mapping[str, Array], shape: tuple[int, ...]
) -> Array:
    """Mask of a layer whose outputs are its own units."""
    return widths["units"]


def moves_zero(static: Static) -> bool:
    """Whether the layer's activation needs its padding masked."""
    return activations.moves_zero(static["activation"])


def weighted(
    config: Config, weights: Sequence[Weight], prefixes: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Initializers and penalties of a layer's weights; `prefixes` where Keras names them apart."""
    named = {each.name: (prefixes or {}).get(each.name, each.name) for each in weights}
    return {
        "weights": tuple(weights),
        "initializers": {
            name: config[f"{prefix}_initializer"]
            for name, prefix in named.items()
            if f"{prefix}_initializer" in config
        },
        "penalties": {
            name: penalty(config.get(f"{prefix}_regularizer")) for name, prefix in named.items()
        },
    }


def penalty(regularizer: Any) -> tuple[float, float]:
    """(L1, L2) of a Keras regularizer."""
    if regularizer is None:
        return NO_PENALTY
    name = regularizer.get("class_name") if isinstance(regularizer, Mapping) else str(regularizer)
    if name not in ("L1", "L2", "L1L2") or regularizer["module"] != "keras.regularizers":
        raise Unsupported(f"regularizer {name}")
    config = regularizer["config"]
    return float(config.get("l1", 0.0)), float(config.get("l2", 0.0))


def lift(values: Any, rank: int) -> Any:
    """A value a feature, in the shape of arrays of this rank."""
    return values.reshape(-1, *(1,) * (rank - 1))


def dropped(call: Call, x: Any, shape: tuple[int, ...]) -> Any:
    """Dropout with a run-time rate; `shape` has 1 where one draw serves a whole axis."""
    if not call.training:
        return x
    rate = call.numbers["rate"]
    kept = jax.random.uniform(call.key(), shape) >= rate
    return x * kept / (1 - rate)


@partial(jax.custom_vjp)
def product(kernel: Any, x: Any) -> Any:
    """Each row's and position's features times a kernel of (features, units).

    Its gradient is written out: XLA would make of it an array with the features last, and what
    reads that would read it number by number.
    """
    y = kernel.T @ _flat(x)
    return y.reshape(-1, *x.shape[1:])


def _product_backward(kept: Any, gradient: Any) -> Any:
    kernel, x = kept
    flat = _flat(gradient)
    return _flat(x) @ flat.T, (kernel @ flat).reshape(x.shape)


def _flat(x: Any) -> Any:
    return x if x.ndim == 2 else written(x).reshape(len(x), -1)


product.defvjp(lambda kernel, x: (product(kernel, x), (kernel, x)), _product_backward)


def biased(call: Call, y: Any) -> Any:
    """Outputs with a layer's bias, where it has one."""
    return y + lift(call.weights["bias"], y.ndim) if "bias" in call.weights else y


def rate(config: Config) -> Described:
    """A layer with nothing but a dropout rate."""
    if not 0 <= config["rate"] < 1:
        raise Unsupported(f"a dropout of {config['rate']}")
    return Described(numbers={"rate": config["rate"]})
