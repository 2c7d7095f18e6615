"""The formats that a model is exported to: how each is written, and run again from its files."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..arrays import Array
from ..backend import standard_error_held_back
from ..errors import InputError, first_line
from ..extras import installation
from ..models.evaluation import CHUNK
from ..nests import first_rows
from ..runs.store import quietly

CALIBRATION = 500  # training rows that show int8 the range of each activation
LONGEST_REASON = 300
Run = Callable[[Any], Array]  # inputs of some rows -> the model's outputs


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model to export, and rows as it takes them.

    Args:
        file: the `.keras` file that the model was loaded from.
        rows: what every export is compared on: an array or a structure of arrays.
        calibration: training rows in the same structure, for `tflite-int8`.
        custom_objects: classes of the pipeline's own that the model is made of.
    """

    model: keras.Model
    file: Path
    rows: Any
    calibration: Any
    custom_objects: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Format:
    """One way to write a model.

    Args:
        files: that it is made of.
        write, load: take a Source and the paths of these files.
        needs: modules that write it or run it, and the extra that installs each.
        rows_at_once: that one call of the exported model takes.
        exact: computes as precisely as Keras, so that both must agree.
    """

    files: tuple[str, ...]
    write: Callable[..., None]
    load: Callable[..., Run]
    needs: Mapping[str, str] = field(default_factory=dict)
    refused: Callable[[Source], str] = lambda source: ""
    rows_at_once: int = CHUNK
    exact: bool = True


def obstacle(name: str, source: Source) -> str:
    """Why this model cannot be written in a format on this machine; empty where it can."""
    wanted = FORMATS[name]
    for module, extra in wanted.needs.items():
        if importlib.util.find_spec(module) is None:
            return f"{name} needs {module}: {installation(extra)}"
    if reason := wanted.refused(source):
        return f"{name} cannot be made of this model: {reason}."
    return ""


def write(name: str, source: Source, folder: Path) -> Run:
    """Write a format's files into a folder, and load them again: what computes their outputs.

    Raises InputError, in one line, where the converter fails or its file cannot be loaded.
    """
    problem, wanted = None, FORMATS[name]
    paths = [folder / file for file in wanted.files]
    with quietly(), standard_error_held_back():  # a converter's own log is no answer
        try:
            wanted.write(source, *paths)
            run = wanted.load(source, *paths)
            run(first_rows(source.rows, 1))
        except Exception as error:  # converters raise whatever they like
            problem = error
    if problem is not None:
        raise InputError(f"{name} cannot be made of this model: {_reason(problem)}.") from problem
    return run


def keras_run(model: keras.Model) -> Run:
    """The reference: Keras itself."""
    return lambda inputs: np.asarray(keras.tree.flatten(model.predict_on_batch(inputs))[0])


def _reason(error: Exception) -> str:
    """What a converter's error comes down to."""
    for pattern in (r"TF Select ops: ([^\n]+)", r"No Op registered for (\w+)", r"'tf\.(\w+)'"):
        if found := re.search(pattern, str(error)):
            return f"the format has no operation like {found[1].strip()}"
    return first_line(error)[:LONGEST_REASON]


def _write_keras(source: Source, path: Path) -> None:
    shutil.copyfile(source.file, path)


def _load_keras(source: Source, path: Path) -> Run:
    own = dict(source.custom_objects)
    return keras_run(keras.saving.load_model(path, custom_objects=own, compile=False))


def _write_json(source: Source, path: Path, weights: Path) -> None:
    path.write_text(source.model.to_json(indent=2), encoding="utf-8")
    source.model.save_weights(weights)


def _load_json(source: Source, path: Path, weights: Path) -> Run:
    text, own = path.read_text(encoding="utf-8"), dict(source.custom_objects)
    model = keras.models.model_from_json(text, custom_objects=own)
    keras_run(model)(first_rows(source.rows, 1))  # a subclassed model has no weights before
    model.load_weights(weights)
    return keras_run(model)


def _reads_text(source: Source) -> str:
    leaves = keras.tree.flatten(source.rows)
    if any(leaf.dtype.kind in "OUS" for leaf in leaves):
        return "it reads text, and only Keras knows how; give keras or json"
    return ""


def _signature(inputs: Any, rows: int | None) -> list[Any]:
    """One argument, in the structure of the data: `input`, or `input_0`, `input_1`, ..."""
    called = iter(names(inputs))
    return [
        keras.tree.map_structure(
            lambda leaf: keras.InputSpec(
                shape=(rows, *leaf.shape[1:]), dtype=str(leaf.dtype), name=next(called)
            ),
            inputs,
        )
    ]


def _write_onnx(source: Source, path: Path) -> None:
    for layer in source.model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):  # its tensors would become inputs
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
    signature = _signature(source.rows, None)
    source.model.export(str(path), format="onnx", verbose=False, input_signature=signature)


def _load_onnx(source: Source, path: Path) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    called = [each.name for each in session.get_inputs()]

    def run(inputs: Any) -> Array:
        return np.asarray(session.run(None, dict(zip(called, _leaves(inputs), strict=True)))[0])

    return run


def _leaves(inputs: Any) -> list[Array]:
    return [np.ascontiguousarray(leaf) for leaf in keras.tree.flatten(inputs)]


def _write_tflite(source: Source, path: Path) -> None:
    _convert(source, path, operations="TFLITE_BUILTINS")


def _write_int8(source: Source, path: Path) -> None:
    import tensorflow

    _convert(
        source,
        path,
        operations="TFLITE_BUILTINS_INT8",
        optimizations=[tensorflow.lite.Optimize.DEFAULT],
        representative_dataset=lambda: _one_by_one(source.calibration),
    )


def _convert(source: Source, path: Path, *, operations: str, **options: Any) -> None:
    """One row a call: devices know no other shapes, and recurrent layers need it."""
    import tensorflow

    source.model.export(
        path,
        format="litert",
        verbose=False,
        input_signature=_signature(source.rows, 1),
        target_spec={"supported_ops": [getattr(tensorflow.lite.OpsSet, operations)]},
        experimental_enable_resource_variables=False,
        **options,
    )


def _one_by_one(rows: Any) -> Iterator[dict[str, Array]]:
    """By name, as the order of a file's inputs is the converter's own."""
    leaves, called = _leaves(first_rows(rows, CALIBRATION)), names(rows)
    for row in range(len(leaves[0])):
        yield {name: leaf[row : row + 1] for name, leaf in zip(called, leaves, strict=True)}


def names(inputs: Any) -> list[str]:
    """What the exported files call each array of the inputs."""
    number = len(keras.tree.flatten(inputs))
    return [f"input_{each}" for each in range(number)] if number > 1 else ["input"]


def _no_int8(source: Source) -> str:
    """TensorFlow's calibrator ends the whole process on a loop."""
    recurrent = [
        each for each in source.model._flatten_layers() if isinstance(each, keras.layers.RNN)
    ]
    if recurrent:
        return f"TFLite cannot calibrate the loop of {type(recurrent[0]).__name__}; give tflite"
    return _reads_text(source)


def _load_tflite(source: Source, path: Path) -> Run:
    import tensorflow

    interpreter = tensorflow.lite.Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    known = {_plain(each["name"]): each["index"] for each in interpreter.get_input_details()}
    places = [known[name] for name in names(source.rows)]
    output = interpreter.get_output_details()[0]["index"]

    def run(inputs: Any) -> Array:
        for place, leaf in zip(places, _leaves(inputs), strict=True):
            interpreter.set_tensor(place, leaf)
        interpreter.invoke()
        return np.asarray(interpreter.get_tensor(output))

    return run


def _plain(tensor: str) -> str:
    """ "input_0" of "serving_default_input_0:0"."""
    return tensor.removeprefix("serving_default_").partition(":")[0]


TENSORFLOW = {"tensorflow": "tensorflow"}
FORMATS = {
    "keras": Format(files=("model.keras",), write=_write_keras, load=_load_keras),
    "json": Format(files=("model.json", "model.weights.h5"), write=_write_json, load=_load_json),
    "onnx": Format(
        files=("model.onnx",),
        write=_write_onnx,
        load=_load_onnx,
        needs={**TENSORFLOW, "tf2onnx": "onnx", "onnxruntime": "onnx"},
        refused=_reads_text,
    ),
    "tflite": Format(
        files=("model.tflite",),
        write=_write_tflite,
        load=_load_tflite,
        needs=TENSORFLOW,
        refused=_reads_text,
        rows_at_once=1,
    ),
    "tflite-int8": Format(
        files=("model-int8.tflite",),
        write=_write_int8,
        load=_load_tflite,
        needs=TENSORFLOW,
        refused=_no_int8,
        rows_at_once=1,
        exact=False,
    ),
}
