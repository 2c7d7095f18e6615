"""`occam export`: the champion in other formats, compared with Keras, and what it says of them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from occam.search.cli import main
from occam.search.export import agreement
from occam.search.export.formats import FORMATS, Source
from occam.search.options import parser
from occam.search.runs.searches import last_search
from occam.search.runs.store import connect, default_uri, mlflow
from tasks import blobs

pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.config.backend() != "tensorflow", reason="exports are made on TensorFlow"
    ),
]
HALVED = """
def halved(rows):
    return np.asarray(rows, dtype="float32") / 2


pipeline = Pipeline(preprocessing=lambda data: data.transformed(halved), """
RAW = np.array([[2.0, 2, 2, 2], [0, 0, 0, 0]])


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """A champion of raw rows that are halved for its model, and what its search found."""
    folder = tmp_path_factory.mktemp("champion")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        task = blobs(folder, ("pipeline = Pipeline(", HALVED), name="halves.py")
        searched = ["search", task, "--target", "0.8", "--trials", "4", "--json", "found.json"]
        assert main([*searched, "--trainer", "fit", "--quiet"]) == 0
        assert main(["promote", "halves"]) == 0
        yield json.loads(Path("found.json").read_text())


@pytest.fixture(scope="module")
def exported(champion: dict) -> dict:
    """The champion in every format."""
    assert main(["export", "halves", "--output", "all"]) == 0
    return json.loads(Path("all/export.json").read_text())


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    code = main(["export", *arguments])
    message = capsys.readouterr().err.strip()
    assert "\n" not in message
    assert code == 2
    return message


def test_the_command_line_offers_all_formats():
    given = [part for name in FORMATS for part in ("--format", name)]
    options = parser().parse_args(["export", "digits", "--output", "there", *given])
    assert options.format == list(FORMATS)


def test_every_format_is_written_and_agrees_with_keras(exported):
    files = {file for wanted in FORMATS.values() for file in wanted.files}
    written = {path.name for path in Path("all").iterdir()}
    assert written == files | {"export.json", "preprocessing.pkl"}
    assert [each["format"] for each in exported["formats"]] == list(FORMATS)
    assert exported["outputs"] == {"kind": "probabilities", "classes": []}
    for each in exported["formats"]:
        assert each["size"] == sum(Path("all", file).stat().st_size for file in each["files"])
        assert each["seconds"] > 0
        assert each["score"] == pytest.approx(exported["keras"]["score"], abs=0.03)
        if FORMATS[each["format"]].exact:
            assert each["difference"] <= 1e-5
            assert each["score"] == exported["keras"]["score"]
    assert exported["compared_on"] == {"split": "validation", "rows": 100}


def test_who_has_nothing_but_the_files_gets_the_champions_answer_for_raw_rows(exported):
    import onnxruntime

    transform, _ = pickle.loads(Path("all", exported["preprocessing"]).read_bytes())
    session = onnxruntime.InferenceSession("all/model.onnx")
    (taken,) = exported["inputs"]
    assert taken == {"name": "input", "shape": [4], "dtype": "float32"}
    found = session.run(None, {taken["name"]: transform(RAW)})[0]
    connect(default_uri())
    expected = mlflow.pyfunc.load_model("models:/halves@champion").predict(RAW)
    probabilities = expected[["probability_0", "probability_1"]].to_numpy()
    np.testing.assert_allclose(found, probabilities, atol=1e-5)


def test_the_comparison_is_kept_in_mlflow(champion, exported):
    client = connect(default_uri())
    table = client.load_table(
        champion["mlflow"]["experiment_id"], "exports.json", [champion["selected"]["run_id"]]
    )
    assert list(table["format"]) == list(FORMATS)
    tags = client.get_model_version_by_alias("halves", "champion").tags
    (onnx,) = (each for each in exported["formats"] if each["format"] == "onnx")
    assert tags["export.onnx"].startswith(f"{onnx['size']:,} bytes, largest difference ")
    assert f", accuracy {onnx['score']:.4f}, " in tags["export.onnx"]


def test_who_may_not_write_the_run_has_the_files_all_the_same(champion, monkeypatch, capsys):
    def denied(*_: object) -> None:
        raise MlflowException("Permission denied", error_code=PERMISSION_DENIED)

    monkeypatch.setattr(MlflowClient, "log_table", denied)
    assert main(["export", "halves", "--format", "onnx", "--output", "read_only"]) == 0
    assert Path("read_only/model.onnx").is_file()
    printed = " ".join(capsys.readouterr().out.split())
    assert "MLflow did not take the comparison: Permission denied." in printed


def test_a_run_is_exported_in_the_formats_asked_for(champion, capsys):
    run = ["--run-id", champion["ladder"][-1]["run_id"]]
    assert main(["export", "halves", "--format", "onnx", "--output", "new/one", *run]) == 0
    files = {path.name for path in Path("new/one").iterdir()}
    assert files == {"model.onnx", "export.json", "preprocessing.pkl"}
    printed = " ".join(capsys.readouterr().out.split())
    assert "halves: compared on 100 validation rows" in printed
    assert "Takes `input`, float32 (rows, 4): preprocessing.pkl holds the function" in printed


def test_of_which_class_one_output_is_is_said(workplace, capsys):
    one = ('Dense(2, activation="softmax")', 'Dense(1, activation="sigmoid")')
    loss = ("sparse_categorical_crossentropy", "binary_crossentropy")
    task = blobs(workplace, one, loss, ("epochs=12", 'epochs=12, classes=("red", "blue")'))
    assert main(["search", task, "--trials", "4", "--trainer", "fit", "--quiet"]) == 0
    run = ["--run-id", last_search(connect(default_uri()), "blobs")["selected"]["run_id"]]
    assert main(["export", "blobs", "--format", "keras", "--output", "new", *run]) == 0
    outputs = json.loads(Path("new/export.json").read_text())["outputs"]
    assert outputs == {"kind": "probabilities", "classes": ["red", "blue"], "of": "blue"}
    assert "The one output is of class 'blue'." in capsys.readouterr().out


def test_an_export_that_does_not_agree_is_not_written(champion, monkeypatch, capsys):
    monkeypatch.setattr(agreement, "TOLERANCE", -1.0)
    assert main(["export", "halves", "--format", "onnx", "--output", "wrong"]) == 1
    assert "The outputs of onnx differ from Keras's by up to" in capsys.readouterr().err
    assert not Path("wrong").exists()


def test_a_model_of_half_precision_may_differ_by_its_last_bits():
    half = keras.layers.Dense(1, dtype="mixed_float16")
    assert agreement.tolerance(keras.Sequential([keras.Input((2,)), half])) == 4e-3
    assert agreement.tolerance(keras.Sequential([keras.Input((2,))])) == agreement.TOLERANCE


def test_a_format_whose_converter_fails_is_left_out_unless_it_was_asked_for(
    champion, monkeypatch, capsys
):
    def broken(source: Source, path: Path) -> None:
        path.write_text("half of it")
        raise RuntimeError("no such operation\nand many lines")

    monkeypatch.setitem(FORMATS, "onnx", replace(FORMATS["onnx"], write=broken))
    message = "onnx cannot be made of this model: no such operation."
    assert message in refused(capsys, "halves", "--format", "onnx", "--output", "less")
    assert not Path("less").exists()
    assert main(["export", "halves", "--output", "less"]) == 0
    assert f"Left out: {message}" in capsys.readouterr().out
    written = {path.name for path in Path("less").iterdir()}
    assert "model.tflite" in written
    assert "model.onnx" not in written


def test_wrong_input_is_one_line_and_writes_nothing(champion, capsys, monkeypatch):
    there = ["--output", "nothing"]
    assert "'none' has no champion: run" in refused(capsys, "none", *there)
    message = refused(capsys, "halves", "--run-id", "12", *there)
    assert "There is no run '12'" in message
    message = refused(capsys, "halves", "--output", "halves.py")
    assert "give the name of a folder" in message
    Path("halves.py").rename("moved.py")
    assert "does not exist" in refused(capsys, "halves", *there)
    Path("moved.py").rename("halves.py")
    assert not Path("nothing").exists()


def test_a_version_of_which_the_trial_is_not_known_is_not_taken_for_another(champion, capsys):
    client = connect(default_uri())
    source = client.get_model_version_by_alias("halves", "champion").source
    source = client.get_logged_model(source.rpartition("/")[2]).artifact_location
    number = client.create_model_version("halves", source).version
    client.set_registered_model_alias("halves", "by-hand", number)
    message = refused(capsys, "halves", "--alias", "by-hand", "--output", "nothing")
    assert f"Version {number} of 'halves' was not registered by Occam" in message
    assert not Path("nothing").exists()


def test_a_search_that_was_made_in_python_has_no_rows_to_read_again(champion, capsys):
    client = connect(default_uri())
    client.delete_run(champion["mlflow"]["run_id"])  # MLflow never changes a parameter
    copy = client.create_run(champion["mlflow"]["experiment_id"], tags={"metric": "accuracy"})
    client.set_tag(copy.info.run_id, "target", "0.8")
    run = champion["selected"]["run_id"]
    client.set_tag(run, "mlflow.parentRunId", copy.info.run_id)
    message = refused(capsys, "halves", "--run-id", run, "--output", "nothing")
    assert "was made in Python, so its rows cannot be read again" in message
