"""The champion takes raw inputs, wherever it is served, and answers with a table."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from occam.search.champions.prediction import predict
from occam.search.errors import InputError
from occam.search.loading import load
from occam.search.metrics import direction
from occam.search.models.evaluation import predictions
from occam.search.runs.store import connect, mlflow, quietly
from occam.search.tracking import Tracker
from occam.search.trials import FinishedTrial, TrialState
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:The ``noload`` loader strategy is deprecated",  # MLflow's use of SQLAlchemy 2.1
        "ignore:__array__ implementation doesn.t accept a copy keyword",  # Keras on TensorFlow
    ),
]

TRIAL = FinishedTrial(
    number=0,
    state=TrialState.COMPLETE,
    hyperparameters={},
    parameter_count=10,
    trainable_parameter_count=10,
    seed=0,
)
TASK = '''
"""A task in a file of its own, with a layer and a helper of its own."""
import keras
import numpy as np
from helper_of_my_task import flatten
from occam.search.errors import InputError
from occam.search.pipeline import Pipeline

class Doubled(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs

def scale(images):
    if np.ndim(images) < 2:
        raise InputError("too flat")
    return flatten(images) / 16

pipeline = Pipeline(data=list, space=list, target=0.9)
'''


@dataclass
class Store:
    """A store to which models are logged and made champions, each under its own name."""

    uri: str
    folder: Path

    def log(
        self,
        name: str,
        model: keras.Model,
        sample: Any,
        *,
        transform: Callable[[Any], Any] | None = None,
        classes: tuple[str, ...] = (),
        metric: str = "accuracy",
    ) -> str:
        path = self.folder / f"{name}.keras"
        model.save(path)
        tracker = Tracker(self.uri, pipeline=name, search=name, study=name)
        tracker.start({"metric": metric, "target": 0.9}, data=None)
        trial = replace(TRIAL, model_path=str(path))
        tracker.log(trial)
        address = tracker.log_model(
            trial,
            transform=transform,
            raw=sample,
            classes=classes,
            loss=model.loss,
            classifier=direction(metric).needs_classes,
        )
        assert tracker.model_uri(trial.number) == address
        client = connect(self.uri)
        client.create_registered_model(name)
        client.create_model_version(name, address)
        client.set_registered_model_alias(name, "champion", "1")
        return address

    def champion(self, name: str) -> Any:
        connect(self.uri)
        with quietly():
            return mlflow.pyfunc.load_model(f"models:/{name}@champion")


def network(*shape: int, outputs: int, activation: str, loss: Any, own: Any = None) -> keras.Model:
    """A model of one dense layer with known weights: outputs grow with the first input."""
    layers = [keras.Input(shape), keras.layers.Flatten(), *([own] if own else [])]
    dense = keras.layers.Dense(outputs, activation=activation, kernel_initializer="ones")
    model = keras.Sequential([*layers, dense])
    weights, bias = dense.get_weights()
    dense.set_weights([weights * np.arange(1, outputs + 1), bias])
    model.compile("adam", loss)
    return model


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    return Store(f"sqlite:///{folder}/mlflow.db", folder)


@pytest.fixture(scope="module")
def my_task(store: Store) -> Iterator[Any]:
    """The module of a user's own pipeline file."""
    (store.folder / "helper_of_my_task.py").write_text(
        "def flatten(rows):\n    import numpy as np\n    return np.reshape(rows, (len(rows), -1))\n"
    )
    path = store.folder / "my_task.py"
    path.write_text(TASK)
    load(str(path))
    yield sys.modules["my_task"]
    for name in ("my_task", "helper_of_my_task"):
        del sys.modules[name]
    sys.path.remove(str(store.folder))


@pytest.fixture(scope="module")
def images(store: Store, my_task: Any) -> str:
    """A champion that takes images of 2 x 2 pixels and returns logits of three classes."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = network(4, outputs=3, activation="linear", loss=loss, own=my_task.Doubled())
    sample = np.zeros((5, 2, 2))
    classes = ("cat", "dog", "hen")
    store.log("images", model, sample, transform=my_task.scale, classes=classes)
    return "images"


@pytest.fixture(scope="module")
def houses(store: Store) -> str:
    """A champion that takes a table with numbers and text and predicts a number."""
    table = pd.DataFrame({"rooms": [1.0, 2.0, 3.5], "zip": ["01", "02", "02"]})
    encode = OneHotEncoder(sparse_output=False).fit(table[["zip"]])

    def transform(frame: Any) -> Any:
        return np.hstack([frame[["rooms"]].to_numpy(), encode.transform(frame[["zip"]])])

    model = network(3, outputs=1, activation="linear", loss="mse")
    store.log("houses", model, table, transform=transform, metric="mae")
    return "houses"


def test_logits_become_probabilities_of_named_classes(store, images):
    table = store.champion(images).predict(np.array([[[16.0, 0], [0, 0]], [[0, 0], [0, 0]]]))
    assert list(table) == ["prediction", "probability_cat", "probability_dog", "probability_hen"]
    assert list(table["prediction"]) == ["hen", "cat"]
    expected = np.exp([2, 4, 6]) / np.exp([2, 4, 6]).sum()
    np.testing.assert_allclose(table.iloc[0, 1:].to_numpy(float), expected, rtol=1e-5)


def test_a_table_in_gives_a_table_out(store, houses):
    frame = pd.DataFrame({"zip": ["02", "01"], "rooms": [4.0, 1.0], "extra": [0, 0]})
    table = store.champion(houses).predict(frame)
    assert list(table) == ["prediction"]
    np.testing.assert_allclose(table["prediction"], [5.0, 2.0])


def test_one_probability_is_that_of_the_second_of_two_classes(store):
    model = network(2, outputs=1, activation="sigmoid", loss="binary_crossentropy")
    store.log("churn", model, np.zeros((3, 2)), classes=("stays", "leaves"))
    table = store.champion("churn").predict(pd.DataFrame({"a": [3.0, -3.0], "b": [0.0, 0.0]}))
    assert list(table["prediction"]) == ["leaves", "stays"]
    np.testing.assert_allclose(table["probability_stays"] + table["probability_leaves"], 1)


def test_one_logit_becomes_two_probabilities(store):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    store.log("logit", network(1, outputs=1, activation="linear", loss=loss), np.zeros((2, 1)))
    table = store.champion("logit").predict(np.array([[0.0], [2.0]]))
    assert list(table["prediction"]) == [0, 1]
    np.testing.assert_allclose(table["probability_1"], [0.5, 1 / (1 + np.exp(-2))], rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "loss", "classes"),
    [
        ("own of a name", "sparse_categorical_crossentropy", True),
        ("own of a function", keras.losses.sparse_categorical_crossentropy, True),
        ("own of an error", keras.losses.MeanSquaredError(), False),
    ],
)
def test_a_metric_of_ones_own_measures_classes_where_the_loss_does(store, name, loss, classes):
    model = network(1, outputs=2, activation="softmax", loss=loss)
    store.log(name, model, np.zeros((2, 1)), metric="own_metrics:one")
    table = store.champion(name).predict(np.array([[-1.0], [2.0]]))
    if classes:
        assert list(table["prediction"]) == [0, 1]
    else:
        assert list(table.columns) == ["prediction_0", "prediction_1"]


@keras.saving.register_keras_serializable()
class Forgiving(keras.losses.Loss):
    """Of logits, which its configuration does not say."""

    from_logits = True

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - keras.ops.sigmoid(y_pred)), axis=-1)


@pytest.mark.parametrize(
    ("name", "loss", "metric", "column"),
    [
        ("pixels", keras.losses.BinaryCrossentropy(from_logits=True), "mse", "prediction"),
        ("own of logits", Forgiving(), "accuracy", "probability_1"),
    ],
)
def test_what_is_served_is_what_was_measured(store, name, loss, metric, column):
    model, rows = network(1, outputs=1, activation="linear", loss=loss), np.array([[0.0], [2.0]])
    store.log(name, model, rows, metric=metric)
    served = store.champion(name).predict(rows)[column]
    np.testing.assert_allclose(served, [0.5, 1 / (1 + np.exp(-2))], rtol=1e-5)
    np.testing.assert_allclose(predictions(model, rows)[:, 0], served, rtol=1e-5)


def test_of_several_labels_a_row_each_has_its_probability(store):
    model = network(1, outputs=3, activation="sigmoid", loss="binary_crossentropy")
    store.log("labels", model, np.zeros((2, 1)), classes=("a", "b", "c"), metric="own_metrics:one")
    table = store.champion("labels").predict(np.array([[0.0]]))
    assert dict(table.iloc[0]) == {"prediction_a": 0.5, "prediction_b": 0.5, "prediction_c": 0.5}


def test_a_sequence_gets_one_class_a_step(store):
    inputs = keras.Input((4, 2))
    model = keras.Model(inputs, keras.layers.Softmax()(inputs))
    model.compile("adam", "sparse_categorical_crossentropy")
    store.log("steps", model, np.zeros((2, 4, 2)), classes=("a", "b"))
    table = store.champion("steps").predict(np.eye(2)[[[0, 1, 1, 0]]])
    assert list(table["prediction"]) == [["a", "b", "b", "a"]]


def test_a_champion_whose_files_are_gone_is_said_in_one_line(store, workplace):
    model = network(2, outputs=1, activation="linear", loss="mse")
    store.log("gone", model, np.zeros((2, 2)), metric="mse")
    for files in store.folder.rglob("artifacts/models/*"):
        files.rename(files.with_name(f"{files.name}.away"))
    Path("rows.csv").write_text("1,2\n")
    try:
        with pytest.raises(
            InputError, match="The files of the model of the champion of 'gone' are"
        ):
            predict(store.uri, "gone", Path("rows.csv"), None)
    finally:
        for files in store.folder.rglob("artifacts/models/*.away"):
            files.rename(files.with_suffix(""))


def test_several_inputs_go_by_name(store, workplace):
    inputs = [keras.Input((2,)), keras.Input((1,))]
    outputs = keras.layers.Dense(1, kernel_initializer="ones")(keras.layers.Concatenate()(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "mse")
    store.log("two", model, (np.zeros((2, 2)), np.zeros((2, 1))), metric="r2")
    np.savez("new.npz", input_0=np.ones((3, 2)), input_1=np.ones((3, 1)))
    predict(store.uri, "two", Path("new.npz"), None)
    assert list(pd.read_csv("new.predictions.csv")["prediction"]) == [3.0] * 3
    np.savez("less.npz", input_0=np.ones((3, 2)))
    with pytest.raises(InputError, match="lacks input_1; it has input_0"):
        predict(store.uri, "two", Path("less.npz"), None)


def test_the_keras_model_is_inside_with_what_it_needs(store, images):
    place = Path(mlflow.artifacts.download_artifacts(f"models:/{images}@champion"))
    assert (place / "artifacts" / "model.keras").is_file()
    required = (place / "requirements.txt").read_text()
    assert f"keras=={keras.__version__}" in required
    assert "tensorflow" in required or "jax" in required or "torch" in required


def test_what_its_preprocessing_imports_is_required_too(store):
    def transform(rows: Any) -> Any:
        return np.stack([np.asarray(Image.fromarray(each)) for each in rows])

    model, rows = network(2, 2, outputs=1, activation="linear", loss="mse"), np.zeros((3, 2, 2))
    address = store.log("pictures", model, rows.astype("uint8"), transform=transform, metric="mse")
    place = Path(mlflow.artifacts.download_artifacts(address))
    required = (place / "requirements.txt").read_text().lower().split()
    names = [each.partition("==")[0] for each in required]
    assert "pillow" in names
    assert len(names) == len(set(names))
    assert not {"occam", "pytest"} & {*names}
    assert not any("+" in each for each in required), "a build that no index has"


def test_of_no_rows_nothing_is_predicted(store):
    """On a day without any; scikit-learn's transforms refuse that themselves."""
    rows = np.zeros((2, 2))
    store.log("days", network(2, outputs=1, activation="linear", loss="mse"), rows, metric="mse")
    table = store.champion("days").predict(rows[:0])
    assert (list(table), len(table)) == (["prediction"], 0)


def test_a_champion_that_cannot_be_loaded_here_is_said_in_one_line(
    store, houses, workplace, monkeypatch
):
    Path("new.csv").write_text("rooms,zip\n4,02\n")
    with monkeypatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "nowhere")
        with pytest.raises(InputError, match=r"'houses' cannot be loaded: .*'nowhere' is not inst"):
            predict(store.uri, houses, Path("new.csv"), None)
    monkeypatch.setattr(sys, "version_info", (4, 1, 0))
    with pytest.raises(InputError, match=r"is packed with it can be read by Python 3\.\d+ alone"):
        predict(store.uri, houses, Path("new.csv"), None)


def test_a_champion_is_served_where_occam_is_not_installed(store, images):
    """Nor the user's own pipeline file, its layer and its helper."""
    code = (
        "import sys\n"
        "for name in ('occam', 'occam.search', 'my_task', 'helper_of_my_task'):\n"
        "    sys.modules[name] = None\n"
        "import mlflow, numpy as np\n"
        f"mlflow.set_tracking_uri({store.uri!r})\n"
        f"model = mlflow.pyfunc.load_model('models:/{images}@champion')\n"
        "print(model.predict(np.ones((1, 2, 2)))['prediction'][0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.stdout.strip() == "hen", done.stderr


def test_preprocessing_that_cannot_travel_is_said_in_one_line(store):
    with (store.folder / "held open").open("w") as file:
        model = network(1, outputs=1, activation="linear", loss="mse")
        with pytest.raises(InputError, match="cannot travel with its model: .*Its transform must"):
            store.log("open", model, np.zeros((2, 1)), transform=lambda x: (file, x)[1])


def test_a_csv_file_is_read_in_the_types_of_the_signature(store, houses, workplace):
    Path("new.csv").write_text("id,rooms,zip\n1,4,02\n2,1,01\n")
    written = predict(store.uri, houses, Path("new.csv"), None)
    assert written == Path("new.predictions.csv")
    assert list(pd.read_csv(written)["prediction"]) == [5.0, 2.0]


def test_numbers_and_truths_are_read_as_people_write_them(store, workplace):
    table = pd.DataFrame({"floors": [1, 2, 3], "garden": [True, False, True]})
    model = network(2, outputs=1, activation="linear", loss="mse")
    store.log("flats", model, table, transform=lambda frame: frame.astype("float32"), metric="mae")
    Path("new.csv").write_text("garden;floors\nFalse;2.0\nTRUE;3\n")
    predict(store.uri, "flats", Path("new.csv"), None)
    assert list(pd.read_csv("new.predictions.csv")["prediction"]) == [2.0, 4.0]
    Path("new.csv").write_text("garden;floors\nlarge;2\n")
    with pytest.raises(InputError, match="column 'garden': 'large' is neither true nor false"):
        predict(store.uri, "flats", Path("new.csv"), None)
    for floors in ("3.9", "", "inf", "1e30"):
        Path("new.csv").write_text(f"garden;floors\n1;2\n0;{floors}\n")
        message = rf"'floors': '{floors}' is no whole number, but all were .* \(row 2 below"
        with pytest.raises(InputError, match=message):
            predict(store.uri, "flats", Path("new.csv"), None)


def test_whole_numbers_may_be_missing_though_the_first_rows_have_all(store, workplace):
    floors = pd.array([1, 2] * 200 + [None], dtype="Int64")
    model = network(1, outputs=1, activation="linear", loss="mse")
    fill = partial(pd.DataFrame.fillna, value=7)
    store.log("towers", model, pd.DataFrame({"floors": floors}), transform=fill, metric="mae")
    Path("new.csv").write_text("floors\n3\nNA\n")
    predict(store.uri, "towers", Path("new.csv"), None)
    assert list(pd.read_csv("new.predictions.csv")["prediction"]) == [3.0, 7.0]


def test_a_table_of_numbers_and_truths_needs_no_preprocessing(store, workplace):
    table = pd.DataFrame({"rooms": [1.0, 2.5], "garden": [True, False]})
    model = network(2, outputs=1, activation="linear", loss="mse")
    store.log("huts", model, table, metric="mae")
    assert store.champion("huts").predict(table)["prediction"].tolist() == [2.0, 2.5]
    store.log("cabins", model, table, transform=lambda frame: frame.convert_dtypes(), metric="mae")
    table.to_csv("new.csv", index=False)
    for name in ("huts", "cabins"):
        predict(store.uri, name, Path("new.csv"), None)
        assert list(pd.read_csv("new.predictions.csv")["prediction"]) == [2.0, 2.5]


@pytest.mark.parametrize(
    ("file", "encoding", "header"),
    [
        ("pixels.csv", "utf-8", ""),
        ("pixels.csv", "utf-8", "a,b,c,d\n"),
        ("pixels.csv", "utf-8", "0,1,2,3\n"),
        ("pixels.csv", "utf-8-sig", ""),
        ("pixels.csv", "utf-16", "0,1,2,3\n"),
        ("pixels.txt", "utf-8", "a\tb\tc\td\n"),
        ("pixels", "utf-8", "a;b;c;d\n"),
    ],
)
def test_images_come_as_rows_of_pixels_in_a_table(store, images, workplace, file, encoding, header):
    delimiter = header[1:2] or ","
    rows = "0,0,0,0\n16,0,0,0\n".replace(",", delimiter)
    Path(file).write_text(header + rows, encoding=encoding)
    predict(store.uri, images, Path(file), Path("out.csv"))
    assert list(pd.read_csv("out.csv")["prediction"]) == ["cat", "hen"]


BLANKS = "1,0\n,0\n0,inf\n1,0\n1e300,0\n0,NA\n"


@pytest.mark.parametrize(
    ("kind", "known"),
    [("float64", ["yes", "yes"]), ("int64", ["yes", "yes"]), ("regression", ["1.0", "1.0"])],
)
def test_rows_that_are_not_whole_have_no_prediction_and_are_said(
    store, workplace, capsys, kind, known
):
    end = {"outputs": 1, "activation": "sigmoid", "loss": "binary_crossentropy"}
    if kind == "regression":
        end = {"outputs": 1, "activation": "linear", "loss": "mse"}
    sample = np.zeros((3, 2), "int64" if kind == "int64" else "float64")
    name, metric = f"blanks-{kind}", "r2" if kind == "regression" else "accuracy"
    classes = () if kind == "regression" else ("no", "yes")
    store.log(name, network(2, **end), sample, classes=classes, metric=metric)
    Path("rows.csv").write_text(BLANKS)
    predict(store.uri, name, Path("rows.csv"), Path("out.csv"))
    table = pd.read_csv("out.csv", dtype=str, keep_default_na=False)
    assert list(table["prediction"]) == [known[0], "", "", known[1], "", ""]
    assert set(table.iloc[1]) == {""}
    assert capsys.readouterr().err == (
        "occam: 4 of 6 rows have no prediction, as values in them are missing, infinite or too "
        "large: row 2, 3, 5, ... (the first is 1).\n"
    )


def test_a_preprocessing_that_fills_missing_numbers_or_takes_none_is_left_to_it(
    store, workplace, capsys
):
    model = network(2, outputs=1, activation="linear", loss="mse")
    rows = np.array([[1.0, 2.0], [3.0, 5.0], [2.0, 1.0]])
    fill, takes_none = SimpleImputer().fit(rows), PCA(2).fit(rows)
    store.log("filled", model, rows, transform=fill.transform, metric="r2")
    store.log("strict", model, rows, transform=takes_none.transform, metric="r2")
    Path("rows.csv").write_text("1,2\nNaN,3\n3,5\n")
    predict(store.uri, "filled", Path("rows.csv"), Path("out.csv"))
    assert list(pd.read_csv("out.csv")["prediction"]) == [3.0, 5.0, 8.0]
    assert not capsys.readouterr().err
    predict(store.uri, "strict", Path("rows.csv"), Path("out.csv"))
    assert list(pd.read_csv("out.csv")["prediction"].isna()) == [False, True, False]
    assert "1 of 3 rows have no prediction" in capsys.readouterr().err


def test_what_an_integer_cannot_say_is_refused_with_its_row(store, workplace):
    model = network(2, outputs=1, activation="linear", loss="mse")
    store.log("bytes", model, np.zeros((3, 2), "uint8"), metric="r2")
    np.savez("rows.npz", x=np.array([[1, 2], [0.5, 0]]))
    with pytest.raises(InputError, match="rows.npz, row 2: 0.5 is no uint8, as the champion takes"):
        predict(store.uri, "bytes", Path("rows.npz"), None)
    np.savez("rows.npz", x=np.array([["a", "b"]]))
    with pytest.raises(InputError, match="rows.npz holds <U1; the champion takes numbers"):
        predict(store.uri, "bytes", Path("rows.npz"), None)


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": np.zeros((3, 2, 2)), "y": np.zeros(3)},
        {"anything": np.zeros((3, 4), dtype="uint8")},
        {"x": np.zeros((3, 2, 2, 1), dtype="float32")},
    ],
    ids=["x", "only array", "channel"],
)
def test_an_npz_file_is_read(store, images, workplace, arrays):
    np.savez("rows.npz", **arrays)
    predict(store.uri, images, Path("rows.npz"), None)
    assert len(pd.read_csv("rows.predictions.csv")) == 3


def test_a_folder_of_images_is_read_in_the_order_of_its_names(store, images, workplace):
    for name, value in (("b.png", 255), ("a.jpg", 0)):
        Path("pictures/inner").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 7), (value, value, value)).save(Path("pictures/inner", name))
    palette = Image.new("P", (3, 3))
    palette.info["transparency"] = bytes(range(200))  # of which Pillow warns
    palette.save("pictures/inner/c.png")
    for hidden in ("pictures/inner/._b.png", "pictures/.thumbnails/b.png"):
        Path(hidden).parent.mkdir(exist_ok=True)
        Path(hidden).write_bytes(b"no picture")
    predict(store.uri, images, Path("pictures"), None)
    table = pd.read_csv("pictures.predictions.csv")
    assert list(table["file"]) == ["inner/a.jpg", "inner/b.png", "inner/c.png"]
    assert list(table["prediction"]) == ["cat", "hen", "cat"]


def test_a_file_may_be_called_by_what_is_no_text(store, images, workplace):
    Path("pictures").mkdir()
    Image.new("RGB", (9, 7)).save(os.fsdecode(b"pictures/\xfc.png"))
    predict(store.uri, images, Path("pictures"), None)
    assert b"\n\xfc.png,cat" in Path("pictures.predictions.csv").read_bytes()


BAD_INPUTS = [
    ("houses", "none.csv", None, "does not exist"),
    ("houses", "rows.txt", "1", "first line of rows.txt holds numbers: it must name the columns"),
    ("houses", "rows.npy", "\0", "rows.npy is no text: save it as CSV"),
    ("houses", "rows.csv", "rooms\n1\n", "lacks the columns zip; it has rooms"),
    ("houses", "rows.csv", "rooms,zip\nmany,01\n", "column 'rooms': .*'many'"),
    ("houses", "rows.csv", "rooms,zip\n", "has no rows"),
    ("houses", "rows.csv", "rooms,zip\n1,99\n", "cannot use rows.csv: .*unknown categories"),
    ("houses", "rows.csv", "", "is empty: a line of column names and rows are needed"),
    ("houses", "rows.csv", "rooms,zip\n1\n", "line 2: 1 cells, but 2 columns are named"),
    ("images", "rows.csv", "1,2,3\n", r"rows of shape \(3,\); .* takes rows of shape \(2, 2\)"),
    ("images", "rows.csv", "a,b,c,d\n1,2,3,x\n", "as numbers: cell 4 of line 2 is 'x'"),
    ("images", "rows.csv", "1,2,3,4\n5,6\n", "line 2: 2 cells, but 4 columns"),
    ("images", "rows.csv", "a,b,c,d\n", "has no rows"),
    ("images", "rows.npz", "no archive", "cannot be read as an .npz file"),
    ("nothing", "rows.csv", "1\n", "'nothing' has no champion: run `occam search nothing`"),
]


@pytest.mark.parametrize(("name", "file", "content", "message"), BAD_INPUTS)
def test_input_that_cannot_be_used_is_said_in_one_line(
    store, images, houses, workplace, name, file, content, message
):
    if content is not None:
        Path(file).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        predict(store.uri, name, Path(file), None)
    assert "\n" not in str(caught.value)
    assert not Path("rows.predictions.csv").exists()


def test_npz_files_with_objects_or_without_a_clear_input_are_refused(store, images, workplace):
    np.savez("objects.npz", x=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="plain arrays"):
        predict(store.uri, images, Path("objects.npz"), None)
    np.savez("two.npz", a=np.zeros((1, 4)), b=np.zeros((1, 4)))
    with pytest.raises(InputError, match="holds the arrays a, b: name the inputs `x`"):
        predict(store.uri, images, Path("two.npz"), None)


def test_folders_that_hold_no_images_are_refused(store, images, houses, workplace):
    Path("empty").mkdir()
    with pytest.raises(InputError, match="holds no images"):
        predict(store.uri, images, Path("empty"), None)
    with pytest.raises(InputError, match="takes no images"):
        predict(store.uri, houses, Path("empty"), None)
    Path("empty/broken.png").write_text("no picture")
    with pytest.raises(InputError, match="broken.png cannot be read as an image"):
        predict(store.uri, images, Path("empty"), None)
    Image.fromarray(np.zeros((4, 4), "uint16")).save("empty/broken.png")
    with pytest.raises(InputError, match="broken.png has more than 8 bits a pixel"):
        predict(store.uri, images, Path("empty"), None)
    with pytest.raises(InputError, match="takes no images"):
        predict(store.uri, houses, Path("empty"), None)


def test_output_that_would_replace_the_input_is_refused(store, houses, workplace):
    Path("rows.csv").write_text("rooms,zip\n1,01\n")
    with pytest.raises(InputError, match="give the name of a new file"):
        predict(store.uri, houses, Path("rows.csv"), Path("rows.csv"))
    with pytest.raises(InputError, match="of the output does not exist"):
        predict(store.uri, houses, Path("rows.csv"), Path("nowhere/out.csv"))
    with pytest.raises(InputError, match="Output /dev/full cannot be written: No space left"):
        predict(store.uri, houses, Path("rows.csv"), Path("/dev/full"))
