"""A search from Python: three lines in a notebook, the same search as on the command line."""

from __future__ import annotations

import itertools
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import tensorflow as tf
from keras import layers
from occam import search
from occam.search.api import _checked
from occam.search.data.batches import in_arrays
from occam.search.errors import InputError
from occam.search.figures import figure
from occam.search.pipeline import Data, Pipeline, split
from occam.search.result import Result
from tasks import blobs

USERS = Path(__file__).with_name("users")
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 300)
X = RNG.normal(size=(300, 4)).astype("float32") + 4.0 * Y[:, None]


def build_model(hp) -> keras.Model:
    model = keras.Sequential([keras.Input((4,))])
    model.add(layers.Dense(hp.Int("units", 4, 16, default=8), activation="relu"))
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
    return model


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("notebook"))
        yield search.run(build_model, data=(X, Y), target=0.8, trials=3, epochs=8, quiet=True)


def test_the_answer_is_there_as_values(result):
    assert result.holds
    assert result.parameter_count == result.summary["selected"]["parameter_count"]
    assert set(result.hyperparameters) == {"units"}
    assert result.summary["pipeline"] == "build_model"
    assert repr(result) == f"<Result: {result.parameter_count} parameters hold accuracy 0.8>"


def test_the_best_model_is_the_trained_one(result):
    model = result.best_model()
    assert model.count_params() == result.parameter_count
    assert np.mean(model.predict(X, verbose=0).argmax(-1) == Y) > 0.8


def test_a_model_is_searched_for_smaller_copies_of_it(workplace):
    stack = [keras.Input((4,)), layers.Dense(16, "relu", name="hidden"), layers.Dense(2, "softmax")]
    model = keras.Sequential(stack, name="churn_model_3")
    model.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
    before = model.get_weights()
    found = search.run(model, data=(X, Y), target=0.8, epochs=8, trials=6, quiet=True)
    assert found.holds
    assert found.summary["pipeline"] == "churn_model"
    assert set(found.hyperparameters) <= {"has_hidden", "hidden_units", "learning_rate"}
    assert found.parameter_count == found.best_model().count_params() < model.count_params()
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    again = search.run(model, data=(X, Y), target=0.8, epochs=8, trials=6, quiet=True)
    assert again.summary["name"] == found.summary["name"]
    assert again.summary["epochs_trained"] == found.summary["epochs_trained"]


def test_a_layer_that_was_adapted_to_data_trains_in_populations_and_is_kept(workplace, capsys):
    units = layers.Normalization()
    units.adapt(X)

    def normalized(hp) -> keras.Model:
        hidden = layers.Dense(hp.Int("units", 2, 8), activation="relu")
        stack = [keras.Input((4,)), units, hidden, layers.Dense(2, activation="softmax")]
        model = keras.Sequential(stack)
        model.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
        return model

    found = search.run(normalized, data=(X, Y), target=0.8, trials=4, epochs=8)
    printed = capsys.readouterr().out
    assert "one at a time" not in printed
    assert "No units are removed" not in printed
    assert found.holds
    assert found.trials()["epochs"].sum() > 0
    model = found.best_model()
    np.testing.assert_allclose(model.layers[0].mean, units.mean)
    assert np.mean(model.predict(X, verbose=0).argmax(-1) == Y) > 0.8


def test_rows_may_come_in_batches(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(300).batch(32)
    rows.class_names = ["near", "far"]  # as of `image_dataset_from_directory`
    held_out = tf.data.Dataset.from_tensor_slices((X + 0.1, Y)).batch(32)
    options = {"target": 0.8, "trials": 1, "epochs": 8, "quiet": True}
    result = search.run(build_model, data=rows, test=held_out, **options)
    assert result.summary["rows"] == {"train": 240, "validation": 60, "test": 300}
    assert result._plan.pipeline.classes == ("near", "far")
    again = search.run(build_model, data=rows, test=held_out, **options)
    assert again.summary["name"] == result.summary["name"], "shuffled anew, it is another search"


def test_all_trials_and_the_ladder_are_tables(result):
    trials = result.trials()
    assert isinstance(trials, pd.DataFrame)
    assert {"state", "parameter_count", "score", "epochs", "units"} <= set(trials.columns)
    assert (trials["state"] != "REJECTED").sum() <= 3
    assert result.ladder()["parameter_count"].is_monotonic_increasing
    assert result.ladder().index[0] in trials.index
    selected, rung = result.summary["selected"], result.ladder().loc[trial_of(result)]
    assert rung["test"] == selected["test"]["score"]
    assert rung["verdict"] == selected["test"]["verdict"]


def trial_of(result) -> int:
    return result.summary["selected"]["trial"]


def test_a_notebook_shows_answer_table_and_picture(result):
    shown = result._repr_html_()
    assert f"{result.parameter_count} parameters hold accuracy 0.8" in shown
    assert "<table" in shown
    assert "<svg" in shown
    assert len(result.plot().axes) == 2
    assert result.plot()._repr_svg_().startswith("<svg")  # a notebook shows it
    assert f"<td>{figure(result.summary['selected']['test']['score'])}</td>" in shown
    assert "NaN" not in shown
    assert "None" not in shown


def test_sizes_below_a_plot_are_plain_numbers_that_stand_apart(result):
    trial = next(each for each in result._trials if each.reached)
    trials = [replace(trial, parameter_count=size) for size in (65, 280, 1200)]
    drawn = Result(result.summary, trials, result._plan).plot()
    drawn.draw_without_rendering()
    labels = [each for each in drawn.axes[0].get_xticklabels(which="both") if each.get_text()]
    assert [each.get_text() for each in labels] == ["65", "172", "454", "1,200"]
    boxes = [each.get_window_extent() for each in labels]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_a_subclassed_model_is_selected_and_served(workplace):
    result = search.run(
        str(USERS / "subclassed.py"), trials=1, engine="keras-tuner", sampler="grid", quiet=True
    )
    assert result.best_model().count_params() == result.parameter_count
    assert result.summary["selected"]["model_uri"]


def test_a_model_that_cannot_be_written_down_is_kept_and_not_served(workplace, capsys):
    result = search.run(str(USERS / "subclassed_of_hp.py"), trials=1, margin=0)
    assert "cannot be served" in capsys.readouterr().out
    assert result.best_model().count_params() == result.parameter_count
    assert result.summary["selected"]["model_uri"] is None


def test_a_search_that_finds_nothing_says_so(workplace):
    result = search.run(
        build_model, data=(X, Y), target=0.999, margin=0, trials=1, epochs=1, quiet=True
    )
    assert not result.holds
    assert result.parameter_count is None
    assert result.hyperparameters == {}
    shown = result._repr_html_()
    assert "no model reached accuracy 0.999<" in shown
    assert "The best was trial 0:" in shown
    assert "would help." in shown
    assert "<table" not in shown
    assert [str(kind) for kind in result.ladder().dtypes][:3] == ["int64", "float64", "float64"]
    assert [each.get_text() for each in result.plot().axes[1].texts] == ["no model reached"]
    with pytest.raises(InputError, match="There is no model: no model reached accuracy 0.999"):
        result.best_model()


def test_a_file_is_searched_with_the_engine_asked_for(workplace):
    result = search.run(
        blobs(workplace), engine="keras-tuner", sampler="random", trials=1, quiet=True
    )
    assert (result.summary["engine"], result.summary["sampler"]) == ("keras-tuner", "random")


def test_a_changed_space_goes_on_with_what_fits(workplace, capsys):
    task = blobs(workplace)
    first = search.run(task, trials=3, quiet=True)
    blobs(workplace, ('hp.Int("layers", 0, 2', 'hp.Int("layers", 0, 3'))
    second = search.run(task, trials=4, seed=0)
    assert "The space has changed since the last run: 3 of 3 trained" in capsys.readouterr().out
    assert second.summary["name"] == first.summary["name"]
    assert second.summary["epochs_trained"] > first.summary["epochs_trained"]
    runs = [search["mlflow"]["run_id"] for search in (first.summary, second.summary)]
    assert runs[0] != runs[1]
    kept = second.trials().head(3)
    pd.testing.assert_frame_equal(kept, first.trials().reindex(columns=kept.columns))
    again = search.run(task, trials=4, quiet=True)
    assert again.summary["mlflow"]["run_id"] == runs[1]


def test_a_warm_start_is_told_and_comes_once(workplace, capsys):
    task = blobs(workplace)
    search.run(task, trials=2, quiet=True)
    known = str(next(workplace.glob("mlruns/studies/*/study.journal")))
    given = {"engine": "keras-tuner", "sampler": "random", "warm_start": known}
    search.run(task, trials=1, **given)
    assert "2 of its 2 trials fit this space, 2 are tried first" in capsys.readouterr().out
    search.run(task, trials=2, **given)
    assert "fit this space" not in capsys.readouterr().out


def share(labels, outputs):
    return np.mean(labels == outputs.argmax(axis=-1))


def skill(labels, outputs):
    """Half of what is right anyhow is worth nothing."""
    return 2 * share(labels, outputs) - 1


def sizeless(labels, outputs):
    raise ValueError("no")


def far(labels, outputs):
    return 7.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": (X, Y)}, "A space needs target=0.95"),
        ({"target": 0.9}, r"A space needs data=\(inputs, labels\)"),
        (
            {"target": 0.9, "data": (X, Y, Y)},
            "received 3 parts; weights of rows belong in the loss, or in the `fit` of a HyperModel",
        ),
        ({"target": 0.9, "data": X}, r"data must be .* or a dataset of both, received ndarray"),
        ({"target": 0.9, "data": (X, Y), "trails": 3}, "Unknown option 'trails'. Available"),
        ({"target": 0.9, "data": (X, Y), "max_trials": 3}, "here it is `trials`. Available"),
        ({"target": 0.9, "data": (X, Y), "trails": 3}, "options: space, data, .* trials, all_ep"),
        (
            {"target": 0.9, "data": (X, Y), "validation": (X, Y, Y)},
            "validation split must be .* received 3 parts; weights of rows belong in the loss",
        ),
        ({"target": 0.9, "data": (X, Y), "engine": "x"}, "Unknown engine 'x'"),
        ({"target": 0.9, "data": (X, Y), "sampler": "bayesian"}, "Unknown sampler 'bayesian'"),
        ({"target": 0.9, "data": (X, Y), "workers": 2}, "in this process alone"),
        ({"target": 0.9, "data": (X, Y[:-1])}, "299 labels"),
        ({"target": 0.9, "data": (list(X), Y)}, "The inputs are a list of 300 arrays, which stand"),
        ({"target": 0.9, "data": (X, Y), "warm_start": "nowhere"}, "nowhere does not exist"),
        ({"target": 0.9, "data": (X, Y), "seed": -1}, "seed must be a whole number from 0 to"),
        ({"target": 0.9, "data": (X, Y), "seed": 2**32}, "received 4294967296"),
        ({"target": 0.9, "data": (X, Y), "trainer": "x"}, "trainer must be auto or fit or popul"),
        ({"target": 0.9, "data": (X, Y), "trial_timeout": 5}, "in this process alone"),
        ({"target": 0.9, "data": (X, Y), "storage": 1}, "storage must be text, received 1"),
        ({"target": 0.9, "data": (X, Y), "metric": lambda labels, outputs: 1}, "by its name: def"),
        ({"target": 0.9, "data": (X, Y), "metric": sizeless}, "cannot be measured: ValueError: no"),
        ({"target": 0.9, "data": (X, Y), "metric": far}, "share from 0 to 1.* received 7"),
        ({"target": 0.9, "data": (X, [Y, Y])}, "search a model for each"),
        ({"target": 0.9, "data": (X, Y), "name": 3}, "name of a Pipeline must be text"),
        (
            {"target": 0.9, "data": (X, Y), "classes": "ab"},
            "must be a list of names, received",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(workplace, arguments, message):
    with pytest.raises(InputError, match=message) as error:
        search.run(build_model, **arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["float32", "int64"])
def test_a_model_that_begins_without_an_input_is_built_for_the_rows(workplace, kind):
    def build(hp):
        first = layers.Flatten() if kind == "float32" else layers.Embedding(9, 2)
        model = keras.Sequential([first, layers.Flatten()])
        model.add(layers.Dense(hp.Int("units", 2, 8), activation="relu"))
        model.add(layers.Dense(2, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    rows = (X + 2).clip(0, 8).astype(kind)
    given = {"data": (rows, Y), "target": 0.4, "margin": 0, "trials": 1, "epochs": 2}
    result = search.run(build, **given, trainer="population", quiet=True)
    assert result.summary["trainer"] == "population"
    assert result.best_model().input_shape == (None, *X.shape[1:])


class OfDataset(keras_tuner.HyperModel):
    """As for `tuner.search(dataset)`."""

    def build(self, hp):
        return build_model(hp)

    def fit(self, hp, model, dataset, validation_data=None, **kwargs):
        return model.fit(dataset, validation_data=validation_data, **kwargs)


class Cropping(OfDataset):
    def build(self, hp):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(hp.Int("units", 2, 8))])
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    def fit(self, hp, model, x, y, **kwargs):
        return model.fit(x[:, :1], y, **kwargs)


def test_a_fit_that_takes_no_labels_or_changes_the_rows_is_refused(workplace):
    given = {"data": (X, Y), "target": 0.9}
    with pytest.raises(InputError, match=r"is given x and y, as fit\(self, hp, model, x, y, \*\*"):
        search.run(OfDataset(), **given)
    with pytest.raises(InputError, match="on rows that its `fit` has not changed: that belongs in"):
        search.run(Cropping(), **given)


def test_what_cannot_be_built_is_told_where_the_search_ends(workplace, capsys):
    def build(hp):
        units = hp.Int("units", 2, 30, default=16)
        if units < 10:
            raise ValueError("never so few")
        model = keras.Sequential([keras.layers.Flatten(input_shape=X.shape[1:])])
        model.add(keras.layers.Dense(units, activation="relu"))
        model.add(keras.layers.Dense(2, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    with warnings.catch_warnings(record=True, action="always") as said:
        search.run(build, data=(X, Y), target=0.5, margin=0, trials=60, epochs=3)
    printed = capsys.readouterr().out
    assert " that cannot be built were passed over, as units=" in printed
    assert "ValueError: never so few." in printed
    assert sum("Do not pass an `input_shape`" in str(each.message) for each in said) == 1


def test_a_hyperparameter_is_one_thing(workplace):
    def build(hp):
        hp.Choice("units", ["few", "many"])
        return build_model(hp)

    with pytest.raises(InputError, match="Hyperparameter 'units' is asked for twice, as Choice of"):
        search.run(build, data=(X, Y), target=0.9)


def test_as_many_classes_as_rows_are_shown_make_no_labels_fit(workplace):
    def own_loss(labels, outputs):
        return keras.ops.mean(keras.ops.abs(keras.ops.cast(labels, "float32") - outputs), axis=-1)

    def build(hp):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(8, activation="softmax")])
        model.compile(loss=own_loss)
        return model

    with pytest.raises(InputError, match="default model .* cannot be trained on its data"):
        search.run(build, data=(X, np.arange(300) % 8), target=0.9)


def test_rows_that_chose_the_model_do_not_test_it(workplace):
    seen = (X[:100], Y[:100])
    with pytest.raises(InputError, match="All 100 test rows are train or validation rows, too"):
        search.run(build_model, data=(X, Y), validation=seen, test=seen, target=0.8)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (keras.Sequential([keras.layers.Dense(2)]), "does not know its input shape: begin it with"),
        (
            {"units": [4, 8]},
            r"A space is a function build\(hp\) .* smaller copies .* received dict",
        ),
        (keras_tuner.HyperModel, r"The space is the class HyperModel: .* `HyperModel\(\)`"),
        (lambda trial: trial.number, r"trial.number is not there, as models are also built where"),
    ],
)
def test_what_is_no_space_is_refused(workplace, space, message):
    with pytest.raises(InputError, match=message):
        search.run(space, data=(X, Y), target=0.9, name="spaceless")


def test_a_picture_that_cannot_be_drawn_costs_a_search_nothing_else(workplace, monkeypatch, capsys):
    def broken(*_: object) -> None:
        raise ValueError("no")

    monkeypatch.setattr("occam.search.report.reporting.picture", broken)
    found = search.run(build_model, data=(X, Y), target=0.5, trials=1, epochs=2)
    assert found.holds
    said = "The picture of the predictions could not be drawn (ValueError: no): all else is"
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("loss", "used"),
    [
        ("sparse_categorical_crossentropy", True),
        ("SparseCategoricalCrossentropy", True),
        ("mse", False),
    ],
)
def test_a_loss_that_a_space_does_not_use_is_told(workplace, capsys, loss, used):
    search.run(build_model, data=(X, Y), target=0.5, trials=1, epochs=1, loss=loss)
    said = f"The space compiles its models itself: the pipeline's loss {loss!r} is not used."
    assert (said in capsys.readouterr().out) is not used


def test_a_loss_that_keras_does_not_have_is_refused(workplace):
    with pytest.raises(InputError, match="Keras has no loss 'x'"):
        search.run(build_model, data=(X, Y), target=0.5, loss="x")


def test_a_function_is_a_metric(workplace):
    found = search.run(build_model, data=(X, Y), target=0.8, metric=share, trials=6, quiet=True)
    assert found.summary["metric"] == f"{__name__}:share"
    assert found.parameter_count


def test_a_metric_may_be_below_0_before_anything_is_learned(workplace):
    found = search.run(build_model, data=(X, Y), target=0.6, metric=skill, trials=6, quiet=True)
    assert found.parameter_count


def test_what_is_none_is_not_asked_for(workplace):
    options = {"sampler": None, "engine": None, "margin": None, "seed": None}
    assert _checked({**options, "trials": 3}) == {
        "sampler": "level-set",
        "epochs": None,
        "trials": 3,
    }


def test_a_pipeline_has_its_own_data(workplace):
    pipeline = Pipeline(data=lambda: split(X, Y), space=build_model, target=0.9)
    with pytest.raises(InputError, match="A pipeline has its own data and name: leave that out"):
        search.run(pipeline, data=(X, Y), name="mine")
    with pytest.raises(InputError, match="A pipeline has its own metric"):
        search.run(pipeline, metric="f1")


def test_rows_are_set_aside_with_the_shares_of_the_classes():
    labels = np.repeat([0, 1], [200, 100])
    data = split(np.arange(300), labels)
    assert [len(rows) for rows, _ in (data.train, data.validation, data.test)] == [180, 60, 60]
    assert [int(y.sum()) for _, y in (data.train, data.validation, data.test)] == [60, 20, 20]
    assert not set(data.train[0]) & set(data.validation[0]) | set(data.test[0]) & set(
        data.validation[0]
    )
    np.testing.assert_array_equal(split(np.arange(300), labels).train[0], data.train[0])


def test_what_is_given_is_not_set_aside():
    test, validation = (X[:30], Y[:30]), (X[30:90], Y[30:90])
    data = split(X[90:], Y[90:], validation=validation, test=test)
    assert (data.validation, data.test) == (validation, test)
    assert len(data.train[0]) == len(data.train[1]) == 210
    assert len(split(X[30:], Y[30:], test=test).validation[0]) == 54


@pytest.mark.parametrize("kind", [list, tuple])
def test_labels_may_be_numbers_in_a_list(kind):
    data = split(X, kind(Y))
    assert data.train[1].shape == (180,)
    given = Data(*[(X, kind(Y))] * 3)
    assert in_arrays(given, ordered=False).test[1].tolist() == Y.tolist()


@pytest.mark.parametrize(
    "inputs",
    [
        {"a": X, "b": [X, Y]},
        (X, pd.DataFrame(X)),
        [X, Y],
        pd.DataFrame(X, index=np.arange(300) + 7),
        X.tolist(),
    ],
    ids=["dictionary", "tuple", "list", "table", "rows"],
)
def test_any_nest_of_inputs_is_split(inputs):
    data = split(inputs, Y)
    rows = keras.tree.flatten(data.train[0])[0] if not isinstance(inputs, list) else data.train[0]
    assert len(rows if not isinstance(rows, list) or len(rows) > 2 else rows[0]) == 180


def test_numbers_to_predict_are_split_as_they_come():
    data = split(X, X[:, 0])
    assert len(data.validation[1]) == 60


@pytest.mark.parametrize("labels", [Y[:1], ["a"], [0.5]])
def test_too_few_rows_are_refused(labels):
    with pytest.raises(InputError, match="The data cannot be split: too few rows"):
        split(X[:1], labels)


def test_rows_without_a_label_are_refused():
    with pytest.raises(InputError, match="The labels have missing values: drop those rows"):
        split(X, np.where(X[:, 0] > 0, Y, np.nan))
    with pytest.raises(InputError, match="There are 300 rows of inputs and 299 labels"):
        split(X, Y[1:])
    with pytest.raises(InputError, match="The inputs are a sparse matrix: make them dense"):
        split(scipy.sparse.csr_matrix(X), Y)


def test_tables_and_named_classes_stay_what_they_are_with_their_shares():
    table = pd.DataFrame(X, index=np.arange(300) + 7)
    labels = pd.Series(np.repeat(["no", "yes"], [291, 9]), index=table.index, dtype=object)
    data = split(table, labels)
    for rows, names in (data.train, data.validation, data.test):
        assert list(rows.index) == list(names.index)
        assert (names == "yes").sum() == round(0.03 * len(names))
    assert (
        len(split(table, np.where(Y, "yes", None)).test[1]) == 60
    )  # it is refused later, in a line


def test_importing_the_package_imports_nothing_heavy():
    code = (
        "import sys\nimport occam.search\n"
        "heavy = {'keras', 'keras_tuner', 'optuna', 'mlflow', 'numpy', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_other_name_is_made_up():
    with pytest.raises(AttributeError, match="has no attribute 'walk'"):
        search.walk  # noqa: B018  # the access is what is tested


def test_a_hyperparameter_that_is_called_as_a_column_has_one_of_its_own(workplace):
    result = search.run(str(USERS / "own_epochs_and_callbacks.py"), trials=2, quiet=True)
    trials = result.trials()
    assert trials.columns.is_unique
    trained = trials[trials["state"] == "COMPLETE"]
    assert (trained["epochs"] <= trained["hyperparameter epochs"]).all()
