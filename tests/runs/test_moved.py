"""A project that is moved or copied keeps its searches and models, and writes nothing elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from occam.search.errors import InputError
from occam.search.loading import own
from occam.search.runs.searches import last_search
from occam.search.runs.store import connect
from occam.search.tracking import Tracker
from tasks import blobs

SUMMARY = {
    "pipeline": "p",
    "metric": "accuracy",
    "target": 0.95,
    "search_target": 0.97,
    "rows": {"train": 9, "validation": 9, "test": 9},
    "seconds": 1.0,
    "epochs_trained": 1,
    "trials": {"complete": 0, "pruned": 1, "rejected": 0, "fail": 0},
    "selected": None,
    "ladder": [],
    "incumbents": [],
    "mlflow": {"experiment_id": "1"},
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables: to make them takes seconds."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    connect(f"sqlite:///{path}", create=True)
    return path


@pytest.fixture
def project(tmp_path: Path, empty: Path) -> Callable[[str], Path]:
    """Makes a folder of this name with a store that holds nothing."""

    def make(name: str) -> Path:
        (tmp_path / name / "mlruns").mkdir(parents=True)
        shutil.copy(empty, tmp_path / name / "mlruns")
        return tmp_path / name

    return make


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/mlruns/mlflow.db"


def started(folder: Path) -> Tracker:
    tracker = Tracker(store(folder), pipeline="p", search="s", study="s")
    tracker.start({"metric": "accuracy", "target": 0.95, "source": f"{folder}/p.py"}, data=None)
    return tracker


def ended(folder: Path, seconds: float = 1.0) -> Tracker:
    tracker = started(folder)
    tracker.finish({**SUMMARY, "seconds": seconds})
    return tracker


def seconds(folder: Path) -> float:
    return float(last_search(connect(store(folder)), "p")["seconds"])


def test_a_search_is_found_where_its_project_was_moved_to_which_is_said_once(project, capfd):
    old = project("a project")
    new = old.with_name("a better name")
    run_id = ended(old).run_id
    old.rename(new)
    assert seconds(new) == 1
    said = f"{new}/mlruns was moved from {old}/mlruns: its runs and models are used from here on.\n"
    assert capfd.readouterr().err == said
    assert connect(store(new)).get_run(run_id).data.params["source"] == f"{new}/p.py"
    assert ended(new, 2).run_id == run_id
    assert seconds(new) == 2
    assert capfd.readouterr().err == ""
    assert not old.exists()


@pytest.mark.parametrize("ascii_alone", [False, True])  # as older versions wrote it
def test_data_in_a_folder_of_any_name_are_found(project, ascii_alone):
    old = project("Müller")
    given = {"csv": f"{old}/a.csv", "label": "y"}
    tracker = Tracker(store(old), pipeline="p", search="s", study="s")
    source = f"own:{json.dumps(given)}" if ascii_alone else own(**given)
    tracker.start({"metric": "accuracy", "target": 0.95, "source": source}, data=None)
    new = old.with_name("Meier")
    old.rename(new)
    params = connect(store(new)).get_run(tracker.run_id).data.params
    assert json.loads(params["source"].removeprefix("own:"))["csv"] == f"{new}/a.csv"


def test_a_search_that_was_moved_before_its_end_goes_on_where_it_is(project):
    old = project("old")
    new = old.with_name("new")
    run_id = started(old).run_id
    old.rename(new)
    assert ended(new).run_id == run_id
    assert seconds(new) == 1
    assert not old.exists()


def test_a_copy_has_files_of_its_own(project, capfd):
    one = project("one")
    other = one.with_name("other")
    ended(one, 1)
    shutil.copytree(one, other)
    ended(other, 2)
    assert f"{other}/mlruns was copied from {one}/mlruns" in capfd.readouterr().err
    assert (seconds(one), seconds(other)) == (1, 2)
    assert capfd.readouterr().err == ""


def test_a_project_under_another_name_is_left_as_it_is(project, capfd):
    one = project("one")
    link = one.with_name("link")
    ended(one)
    link.symlink_to(one)
    assert seconds(link) == 1
    assert capfd.readouterr().err == ""


def test_files_that_stay_behind_are_used_where_they_are(project, capfd):
    one = project("one")
    other = one.with_name("other")
    ended(one)
    (other / "mlruns").mkdir(parents=True)
    (one / "mlruns/mlflow.db").rename(other / "mlruns/mlflow.db")
    assert seconds(other) == 1
    assert capfd.readouterr().err == ""


def test_an_experiment_that_was_given_another_place_keeps_it(project):
    one = project("one")
    place = one.with_name("disk") / "artifacts"
    place.parent.mkdir()
    connect(store(one)).create_experiment("p", artifact_location=place.as_uri())
    ended(one)
    assert seconds(one) == 1
    assert list(place.iterdir())
    assert not (one / "mlruns/artifacts").exists()


def test_files_that_are_gone_are_missed_in_one_line_and_not_made_anew(project):
    old = project("old")
    new = old.with_name("new")
    ended(old)
    old.rename(new)
    shutil.rmtree(new / "mlruns/artifacts")
    with pytest.raises(InputError, match=f"its files are gone from file://{old}/mlruns/artifacts"):
        seconds(new)
    with pytest.raises(InputError, match=f"keeps its files in {old}/mlruns/artifacts, which is go"):
        started(new)
    assert not old.exists()


@pytest.mark.slow
def test_every_command_works_after_a_move(tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    blobs(old)
    np.savez(old / "rows.npz", np.zeros((3, 4), dtype="float32"))
    search = "search blobs.py --name s --trainer fit --quiet --trials"
    occam(old, f"{search} 2")
    occam(old, "promote blobs")
    old.rename(new)
    occam(new, "results blobs")
    occam(new, "report blobs --output r.html")
    assert "is the champion already" in occam(new, "promote blobs --dry-run")
    occam(new, "predict blobs rows.npz --output out.csv")
    occam(new, "export blobs --format keras --output out")
    occam(new, f"{search} 3")
    assert not old.exists()


def occam(folder: Path, command: str) -> str:
    words = [sys.executable, "-m", "occam.search.cli", *command.split()]
    own = {name: each for name, each in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    done = subprocess.run(words, cwd=folder, env=own, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout
