"""Finding and loading pipelines, and refusing what is none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from keras import ops
from occam.search.errors import InputError
from occam.search.loading import describe, goal, load, names, task_name
from occam.search.pipeline import Data, Pipeline, data_file, split

MINE = """
from occam.search.pipeline import Data, Pipeline
import neighbour

pipeline = Pipeline(data=lambda: Data((), (), ()), space=lambda hp: None, target=neighbour.TARGET)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def written(folder: Path, text: str, name: str = "my_task.py") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_pipeline_of_ours_is_found_by_its_name_and_described():
    assert "digits" in names()
    assert describe("digits")
    assert load("digits").name == "digits"


def test_the_goal_of_a_pipeline_is_read_without_running_it():
    assert goal("digits") == ("accuracy 0.95", 295)
    assert goal("number_sequence")[0] == "mae 2"
    assert goal("mnist_gan")[0] == "recognized 0.4"
    assert goal("stocks") == ("r2 0.01", None)


def test_a_file_of_the_users_own_is_loaded_with_its_neighbours(folder):
    written(folder, "TARGET = 0.8\n", "neighbour.py")
    loaded = load(written(folder, MINE))
    assert (loaded.name, loaded.target) == ("my_task", 0.8)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("digits", "digits"),
        ("tasks/my_task.py", "my_task"),
        ("../my customers.csv", "my-customers"),
        ("digits.npz", "my-digits"),
        ("photos/", "photos"),
        ("customers.TSV", "customers"),
        ("v1.2", "v1.2"),
        ("team/a", "team/a"),
    ],
)
def test_a_file_that_was_searched_says_the_name_of_its_task(given, name):
    assert task_name(given) == name


def test_a_task_is_called_what_its_pipeline_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("studies").mkdir()
    made = "import occam.search.pipeline as p\npipeline = p.Pipeline(space=build, name='clinic')\n"
    Path("studies/first.py").write_text(made)
    Path("studies/second.py").write_text("pipeline = Pipeline(space=build, name=NAME)\n")
    Path("studies/broken.py").write_text("pipeline = (\n")
    assert task_name("studies/first.py") == task_name("studies.first") == "clinic"
    assert task_name("studies/second.py") == task_name("studies.second") == "second"
    assert task_name("studies/broken.py") == "broken"
    assert task_name("studies.none") == "studies.none"


def test_a_folder_beside_does_not_hide_a_pipeline_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for each in ("digits", "my photos"):
        Path(each).mkdir()
    assert (task_name("digits"), task_name("my photos")) == ("digits", "my-photos")


def test_a_module_is_loaded_by_its_dotted_name():
    assert load("occam.pipelines.digits").name == "digits"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit", "Unknown pipeline 'digit'. Did you mean: digits"),
        ("no.such.module", "Unknown pipeline 'no.such.module'"),
        ("occam.nothing", "cannot be loaded: ModuleNotFoundError"),
        ("nowhere.py", "Pipeline file 'nowhere.py' does not exist"),
    ],
)
def test_an_unknown_pipeline_is_refused_in_one_line(name, message):
    with pytest.raises(InputError, match=message) as caught:
        load(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pipeline = (", r"not valid Python: .* \(my_task.py, line 1\)"),
        ("x = 1", "must define `pipeline = Pipeline"),
        ("pipeline = 3", "received int"),
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise ValueError('a\\nb')", "ValueError: a b"),
        (
            "from occam.search.pipeline import Pipeline\npipeline = Pipeline(target=1)",
            "missing 2 required keyword-only arguments",
        ),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused_in_one_line(folder, text, message):
    with pytest.raises(InputError, match=message) as caught:
        load(written(folder, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["statistics.py", "optuna.py"])
def test_a_file_that_would_hide_a_module_of_others_is_refused(tmp_path, name):
    (tmp_path / name).write_text("x = 1")
    with pytest.raises(InputError, match="called as a module of Python or of an installed pack"):
        load(str(tmp_path / name))


def test_a_file_may_be_called_as_one_beside_it(folder):
    path = Path(written(folder, MINE, "a.neighbour.py"))
    assert load(str(path)).name == "a.neighbour"


def test_a_missing_data_file_says_where_to_put_it(tmp_path, monkeypatch):
    monkeypatch.setenv("OCCAM_DATA", str(tmp_path))
    with pytest.raises(InputError, match=f"put it at {tmp_path}/a/b.csv, or set OCCAM_DATA"):
        data_file("a/b.csv")
    (tmp_path / "there.csv").touch()
    assert data_file("there.csv") == tmp_path / "there.csv"


def test_transforming_data_keeps_labels_and_remembers_how():
    split = (np.ones((2, 1)), np.zeros(2))
    data = Data(split, split, split).transformed(lambda x: 2 * x)
    assert data.train[0].tolist() == [[2.0], [2.0]]
    assert data.test[1] is split[1]
    assert data.transform is not None
    with pytest.raises(InputError, match="transformed twice"):
        data.transformed(lambda x: x)


def test_a_pipeline_is_a_value():
    pipeline = load("digits")
    assert isinstance(pipeline, Pipeline)
    with pytest.raises(AttributeError):
        pipeline.target = 0.5


def test_tensors_of_a_backend_are_split_like_arrays():
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    arrays, tensors = (split(wrap(x), wrap(y)) for wrap in (np.asarray, ops.convert_to_tensor))
    for name in ("train", "validation", "test"):
        for array, tensor in zip(getattr(arrays, name), getattr(tensors, name), strict=True):
            assert isinstance(tensor, np.ndarray)
            assert (array == tensor).all()
