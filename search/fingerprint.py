"""Short names for what a search depends on: change any of it and it is another search."""

from __future__ import annotations

import ast
import hashlib
import inspect
import json
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from .counting import PLAIN
from .own_objects import own_objects

if TYPE_CHECKING:
    import keras_tuner

    from .pipeline import Data, Space

VOLATILE = frozenset({"name", "seed"})


def of_data(data: Data) -> str:
    """Fingerprint of all rows of the three splits, as the models take them."""
    return of_rows([data.train, data.validation, data.test])


def of_rows(rows: Any) -> str:
    """Fingerprint of arrays or data frames, or of any nest of them."""
    digest = hashlib.blake2b(digest_size=8)
    for leaf in keras.tree.flatten(rows):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes() if array.dtype != object else repr(array.tolist()).encode())
    return digest.hexdigest()


def of_rows_nearly(rows: Any) -> str:
    """The same also where floats are rounded otherwise, as by processes with fewer threads."""
    leaves = map(np.asarray, keras.tree.flatten(rows))
    return of_values(
        rows=[_sizes(each) if each.dtype.kind == "f" else of_rows(each) for each in leaves]
    )


def _sizes(array: np.ndarray[Any, Any]) -> list[Any]:
    """Shape, size and sign of floats, to four digits."""
    finite = np.nan_to_num(array, posinf=0.0, neginf=0.0)
    size = float(np.mean(np.abs(finite), dtype="float64"))
    share = float(np.mean(finite, dtype="float64")) / (size or 1.0)
    return [array.shape, f"{size:.4g}", round(share, 4) + 0.0]


def of_space(space: Space, hp: keras_tuner.HyperParameters, model: keras.Model) -> str:
    """Fingerprint of a space's code, and of what its default build reads and makes.

    The code is that of the function or class itself, comments and layout left out.
    """
    read = [f"{type(each).__name__} {each.get_config()}" for each in hp.space]
    code = "" if isinstance(space, keras.Model) else code_of(_code_object(space))
    return of_values(code=code, read=read, model=of_model(model))


def _code_object(space: Space) -> Any:
    return space if inspect.isroutine(space) else type(space)


def of_model(model: keras.Model) -> str:
    """Fingerprint of a compiled model: its layers and their settings, its loss and its optimizer.

    What Keras draws or counts up anew in each process, seeds and names, is left out; of functions
    only the names are known.
    """
    return of_values(
        layers=plain(model),
        shapes=[list(weight.shape) for weight in model.weights],
        loss=plain(getattr(model, "loss", None)),
        optimizer=plain(getattr(model, "optimizer", None)),
    )


def own_code(model: keras.Model) -> dict[str, str]:
    """The code of the user's own functions and classes that a compiled model is made of, by name.

    Not of what these call in turn.
    """
    loss = keras.tree.flatten(getattr(model, "loss", None))
    parts = [model, *loss, *model._flatten_layers(include_self=False)]
    kinds = [each if inspect.isfunction(each) else type(each) for each in parts]
    known = ("keras", "builtins")
    own = {each.__qualname__: each for each in kinds if each.__module__.split(".")[0] not in known}
    return {name: code_of(each) for name, each in (own | own_objects(_serialized(model))).items()}


def _serialized(model: keras.Model) -> Any:
    try:
        return keras.saving.serialize_keras_object(model)
    except Exception:  # it keeps no record of its arguments, or something in it does not
        return None


def of_values(**values: Any) -> str:
    """Fingerprint of plain values."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def plain(value: Any) -> Any:
    """Settings as plain values: of a model its layers, of any other object its configuration.

    What Keras draws or counts up anew in each process, seeds and names, is left out.
    """
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        code = value.get("class_name") == "__lambda__"  # of the file that it was written in, too
        return "lambda" if code else {k: plain(v) for k, v in value.items() if k not in VOLATILE}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, keras.Model):
        return [type(value).__name__, *map(plain, value.layers)]
    return [getattr(value, "__qualname__", type(value).__qualname__), _settings(value)]


def code_of(anything: Any) -> str:
    """Of a function or a class; empty where Python does not know it, as of a partial function's."""
    try:
        return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(anything))))
    except (OSError, TypeError, SyntaxError, ValueError):
        return ""


def _settings(value: Any) -> Any:
    try:
        return plain(value.get_config())
    except Exception:  # a function, a class itself, or what keeps no record of its arguments
        return None
