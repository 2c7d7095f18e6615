"""Each format computes what Keras computes, and says in one line what it cannot hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from occam.search.errors import InputError
from occam.search.export.agreement import largest_difference
from occam.search.export.formats import FORMATS, Source, keras_run, obstacle, write
from occam.search.nests import in_chunks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.config.backend() != "tensorflow", reason="exports are made on TensorFlow"
    ),
]
ROWS = np.random.default_rng(0).normal(size=(60, 6)).astype("float32")
TOKENS = np.random.default_rng(0).integers(0, 9, (60, 5)).astype("int32")


@keras.saving.register_keras_serializable(package="tests of formats")
class Doubled(keras.layers.Layer):
    """A layer of the user's own."""

    def call(self, inputs: Any) -> Any:
        return 2 * inputs


def sequential(*layers: Any) -> keras.Model:
    return keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])


def network() -> tuple[keras.Model, Any]:
    dense = keras.layers.Dense(4, activation="relu")
    return sequential(keras.Input((6,)), dense, keras.layers.BatchNormalization(), Doubled()), ROWS


def recurrent() -> tuple[keras.Model, Any]:
    both = keras.layers.Bidirectional(keras.layers.LSTM(2))
    return sequential(keras.Input((6, 1)), both), ROWS[..., None]


def tokens() -> tuple[keras.Model, Any]:
    embedding = keras.layers.Embedding(9, 2)
    pooled = keras.layers.GlobalAveragePooling1D()
    return sequential(keras.Input((5,), dtype="int32"), embedding, pooled), TOKENS


def several() -> tuple[keras.Model, Any]:
    first, second = keras.Input((6,)), keras.Input((5,), dtype="int32")
    read = keras.layers.Flatten()(keras.layers.Embedding(9, 2)(second))
    joined = keras.layers.Concatenate()([keras.layers.Dense(2)(first), read])
    return keras.Model([first, second], keras.layers.Dense(1)(joined)), [ROWS, TOKENS]


def texts() -> tuple[keras.Model, Any]:
    reader = keras.layers.TextVectorization(output_sequence_length=3, vocabulary=["good", "bad"])
    inputs = keras.Input((), dtype="string")
    counted = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(4, 2)(reader(inputs)))
    return keras.Model(inputs, keras.layers.Dense(1)(counted)), np.array(["good bad"] * 6, object)


def adapted() -> tuple[keras.Model, Any]:
    units = keras.layers.Normalization()
    units.adapt(ROWS)
    return sequential(keras.Input((6,)), units), ROWS


MODELS = {each.__name__: each for each in (network, recurrent, tokens, several, adapted, texts)}
IMPOSSIBLE = {
    ("recurrent", "tflite-int8"): "TFLite cannot calibrate the loop of LSTM; give tflite",
    ("texts", "onnx"): "it reads text",
    ("texts", "tflite"): "it reads text",
    ("texts", "tflite-int8"): "it reads text",
}


def source(name: str, folder: Path) -> Source:
    keras.utils.set_random_seed(0)  # how far 8-bit integers go astray hangs on the weights
    model, rows = MODELS[name]()
    file = folder / "given.keras"
    model.save(file)
    return Source(model=model, file=file, rows=rows, calibration=rows)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("model", MODELS)
def test_an_export_computes_what_keras_computes(model, name, tmp_path):
    for module in FORMATS[name].needs:
        pytest.importorskip(module)
    given = source(model, tmp_path)
    if reason := IMPOSSIBLE.get((model, name)):
        assert reason in obstacle(name, given)
        return
    assert not obstacle(name, given)
    run = write(name, given, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"given.keras", *FORMATS[name].files}
    expected = in_chunks(keras_run(given.model), given.rows, 7)
    found = in_chunks(run, given.rows, min(7, FORMATS[name].rows_at_once))
    assert largest_difference(found, expected) < (1e-5 if FORMATS[name].exact else 0.05)


def test_a_converter_that_fails_is_one_line(tmp_path, capfd):
    pytest.importorskip("tf2onnx")
    unknown = keras.layers.Lambda(lambda x: keras.ops.svd(x[..., None], compute_uv=False))
    model = keras.Sequential([keras.Input((6,)), unknown])
    given = Source(model=model, file=tmp_path / "none.keras", rows=ROWS, calibration=ROWS)
    for name in ("onnx", "tflite"):
        with pytest.raises(InputError, match=f"{name} cannot be made of .* like Svd") as caught:
            write(name, given, tmp_path)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_what_is_not_installed_is_said_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = obstacle("onnx", source("network", tmp_path))
    command = f"{sys.executable} -m pip install 'tensorflow"
    assert message.startswith(f"onnx needs tensorflow: {command}")


def test_outputs_of_another_shape_or_without_a_number_never_agree():
    assert largest_difference(np.zeros((2, 1)), np.zeros((2, 2))) == np.inf
    assert largest_difference(np.array([np.nan]), np.array([0.0])) == np.inf
