"""The model as MLflow serves it: raw inputs in, a table of predictions out; needs no Occam."""

from __future__ import annotations

import json
import os
import pickle
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd

CHUNK, FEWEST = 4096, 16  # rows in memory at once, at most and at least
NUMBERS = 2**28  # that all layers put out for these, at most


class ServedModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow is untyped
    """Preprocessing, Keras model and class names, from three files beside this one."""

    def load_context(self, context: Any) -> None:
        files = {name: Path(path) for name, path in context.artifacts.items()}
        facts = json.loads(files["facts"].read_text(encoding="utf-8"))
        self.classes, self.inputs, self.link = facts["classes"], facts["inputs"], facts["link"]
        self.classifier = facts.get("classifier", self.link != "none")
        self.binary = facts.get("binary", False)
        python, backend = facts.get("python"), os.environ.get("KERAS_BACKEND", facts["backend"])
        if python not in (None, list(sys.version_info[:2])):
            raise RuntimeError(
                "the code that is packed with it can be read by Python {}.{} alone".format(*python)
            )
        if find_spec(backend) is None:
            raise ImportError(
                f"Keras's backend {backend!r} is not installed: do so, or set KERAS_BACKEND"
            )
        os.environ["KERAS_BACKEND"] = backend
        import keras  # only now: it chooses its backend while it is imported

        self.keras = keras
        self.transform, custom_objects = pickle.loads(files["preprocessing"].read_bytes())
        self.model = keras.saving.load_model(
            files["model"], custom_objects=custom_objects, compile=False, safe_mode=True
        )

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
        """One row of predictions an input; arrays are as welcome as data frames.

        A row whose numbers are not all there, or not finite, has no prediction. MLflow warns of a
        type hint that says what is welcome.
        """
        inputs: Any = model_input
        if self.inputs:
            inputs = [model_input[name] for name in self.inputs]
        if self.transform:
            inputs = self.transform(inputs)
        outputs = self._outputs(inputs)
        labels = self.binary and _several(outputs)  # of which any may be true of a row
        one_class = self.classifier and not labels
        return self._classification(outputs) if one_class else self._regression(outputs)

    def _outputs(self, inputs: Any) -> np.ndarray[Any, Any]:
        tree = self.keras.tree
        inputs = tree.map_structure(_array, inputs)
        rows = len(tree.flatten(inputs)[0])
        parts = []
        count = _at_once(self.model)
        for start in range(0, max(rows, 1), count):  # of no rows, too
            part = tree.map_structure(lambda leaf, at=start: leaf[at : at + count], inputs)
            output = tree.flatten(self._called(part))[0]
            known = _finite(tree.flatten(part))  # a model may make anything of other rows
            parts.append(_blanked(np.asarray(self.keras.ops.convert_to_numpy(output)), known))
        return np.concatenate(parts)

    def _called(self, inputs: Any) -> Any:
        if self.keras.backend.backend() == "jax":  # called, each layer is compiled by itself
            return self.model.predict_on_batch(inputs)
        return self.model(inputs, training=False)

    def _classification(self, outputs: np.ndarray[Any, Any]) -> pd.DataFrame:
        probabilities = _probabilities(outputs, self.link)
        names = self.classes or range(probabilities.shape[-1])
        chosen = np.asarray(list(names))[probabilities.argmax(axis=-1)]
        known = _finite([probabilities])
        if chosen.ndim > 1:  # one class a step of a sequence
            steps = pd.Series(_flat(chosen).tolist())
            return _whole(pd.DataFrame({"prediction": steps}), known)
        columns = {f"probability_{name}": probabilities[:, i] for i, name in enumerate(names)}
        return _whole(pd.DataFrame({"prediction": chosen, **columns}), known)

    def _regression(self, outputs: np.ndarray[Any, Any]) -> pd.DataFrame:
        flat = _flat(activated(outputs, self.link))
        named = len(self.classes) == flat.shape[1]
        names = [f"prediction_{i}" for i in (self.classes if named else range(flat.shape[1]))]
        table = pd.DataFrame(flat, columns=["prediction"] if len(names) == 1 else names)
        return _whole(table, _finite([flat]))


def _at_once(model: Any) -> int:
    """How many rows a model predicts in a bounded part of the memory."""
    return max(FEWEST, min(CHUNK, NUMBERS // (1 + _activations(model))))


def _activations(model: Any) -> int:
    """Numbers that the layers of a model, and of models in it, put out for a row."""
    numbers = 0
    for layer in getattr(model, "layers", []):
        shape = getattr(getattr(layer, "output", None), "shape", (None,))
        numbers += 0 if None in shape[1:] else int(np.prod(shape[1:]))
        numbers += _activations(layer)
    return numbers


def _flat(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Each row on one axis, also where there are none."""
    return rows.reshape(len(rows), int(np.prod(rows.shape[1:])))


def _several(outputs: np.ndarray[Any, Any]) -> bool:
    return outputs.ndim > 1 and outputs.shape[-1] > 1


def activated(outputs: np.ndarray[Any, Any], link: str) -> np.ndarray[Any, Any]:
    """What was measured: probabilities, where the outputs are logits."""
    if link == "softmax" and not _several(outputs):
        link = "sigmoid"
    with np.errstate(over="ignore", invalid="ignore"):  # they end as 0, or as not a number
        if link == "sigmoid":
            return np.asarray(1 / (1 + np.exp(-outputs)))
        if link == "softmax":
            outputs = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
            return np.asarray(outputs / outputs.sum(axis=-1, keepdims=True))
    return outputs


def _array(values: Any) -> np.ndarray[Any, Any]:
    """Floats in single precision, also of a data frame whose numbers NumPy takes for objects."""
    array = np.asarray(values)
    columns: Any = getattr(values, "dtypes", array.dtype)
    if array.dtype == object and all(
        getattr(each, "kind", "O") in "biuf" for each in np.ravel(columns)
    ):
        array = values.to_numpy(float, na_value=np.nan)
    return np.asarray(array, dtype="float32") if array.dtype.kind == "f" else array


def _finite(arrays: list[Any]) -> np.ndarray[Any, Any]:
    """Which rows hold nothing but finite numbers, or text."""
    known = np.ones(len(arrays[0]), dtype=bool)
    for array in arrays:
        if array.dtype.kind == "f":
            known &= np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    return known


def _blanked(outputs: np.ndarray[Any, Any], known: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Not a number in the other rows."""
    if known.all():
        return outputs
    return np.where(known.reshape(-1, *[1] * (outputs.ndim - 1)), outputs, np.nan)


def _whole(table: pd.DataFrame, known: np.ndarray[Any, Any]) -> pd.DataFrame:
    """Nothing but None in the other rows, as JSON has no NaN; whole numbers stay whole."""
    return table if known.all() else table.astype(object).where(pd.Series(known), None, axis=0)


def _probabilities(outputs: np.ndarray[Any, Any], link: str) -> np.ndarray[Any, Any]:
    """Of every class: one output is the probability of the second of two."""
    outputs = activated(outputs, link)
    if outputs.ndim == 1:
        outputs = outputs[:, np.newaxis]
    if not _several(outputs):
        outputs = np.concatenate([1 - outputs, outputs], axis=-1)
    return outputs


mlflow.models.set_model(ServedModel())
