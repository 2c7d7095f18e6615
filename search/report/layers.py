"""The layers of a model, one row each: what it is made of, and where its parameters are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

SETTINGS = ("units", "filters", "kernel_size", "strides", "activation", "rate", "pool_size")


def layers(model: keras.Model) -> list[dict[str, Any]]:
    """Name, type, output shape, settings and parameters; those of nested models one by one.

    A layer that is used twice is there once; weights of the model's own come last.
    """
    rows = [_row(layer) for layer in {id(each): each for each in _leaves(model)}.values()]
    own = int(model.count_params()) - sum(row["parameters"] for row in rows)
    if own > 0:
        kind = type(model).__name__
        rows.append({"name": "", "type": kind, "output": "", "settings": "", "parameters": own})
    return rows


def _leaves(model: Any) -> Iterator[Any]:
    for layer in model.layers:
        if getattr(layer, "layers", None):
            yield from _leaves(layer)
        else:
            yield layer


def _row(layer: Any) -> dict[str, Any]:
    config = layer.get_config() if hasattr(layer, "get_config") else {}
    settings = {name: config[name] for name in SETTINGS if config.get(name) is not None}
    return {
        "name": str(layer.name),
        "type": type(layer).__name__,
        "output": _shape(layer),
        "settings": ", ".join(f"{name} {_plain(value)}" for name, value in settings.items()),
        "parameters": int(layer.count_params()) if layer.built else 0,
    }


def _shape(layer: Any) -> str:
    """Without the rows; empty for a layer that has never been called, or not on one tensor."""
    try:
        return " × ".join(str(size) for size in layer.output.shape[1:])
    except (AttributeError, ValueError):
        return ""


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "×".join(str(each) for each in value)
    return str(value.get("class_name", "")) if isinstance(value, dict) else str(value)
