"""A search is recorded in MLflow so that it can be read, reviewed and gone on with."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import sqlalchemy
from occam.search.errors import InputError, OccamError
from occam.search.fingerprint import of_rows
from occam.search.pipeline import Data
from occam.search.runs import child_runs, store
from occam.search.runs.datasets import datasets
from occam.search.runs.searches import find, last_search, quoted
from occam.search.runs.store import connect, default_uri, mlflow
from occam.search.studies.sharing import Alone
from occam.search.tracking import Tracker
from occam.search.trials import FinishedTrial, TrialState
from tasks import blobs

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy is deprecated"  # MLflow's own use of SQLAlchemy 2.1
)

SETTINGS = {"metric": "accuracy", "target": 0.95, "backend": "tensorflow", "trials": 40}
TRIAL = FinishedTrial(
    number=0,
    state=TrialState.COMPLETE,
    hyperparameters={"units": 16, "learning rate (log)": 0.01},
    parameter_count=784,
    trainable_parameter_count=760,
    seed=7,
    reached=True,
    score=0.975,
    history={"score": [0.9, 0.97, 0.98], "loss": [0.5, 0.2, math.nan]},
    epochs=3,
    seconds=2.0,
    reason="reached the search target",
)


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for all tests of this file, each with its own pipeline; its path has a space."""
    return f"sqlite:///{tmp_path_factory.mktemp('a store')}/mlflow.db"


@pytest.fixture
def tracker(uri: str, request: pytest.FixtureRequest) -> Tracker:
    """The tracker of a search that has started."""
    tracker = Tracker(uri, pipeline=request.node.name, search="a search", study="a search")
    tracker.start(SETTINGS, data=None)
    return tracker


def child(tracker: Tracker, number: int = 0) -> mlflow.entities.Run:
    return connect(tracker.uri).get_run(tracker.run_ids().get(number))


def parent(tracker: Tracker) -> mlflow.entities.Run:
    return connect(tracker.uri).get_run(tracker.run_id)


def summary_of(tracker: Tracker, selected: int | None, verdict: str = "certified") -> dict:
    """A summary as the contract has it, of the trials 0 and 1."""
    test = {"score": 0.9723, "correct": 350, "rows": 360, "lower_bound": 0.9531, "opened": 1}
    model = {
        "trial": selected,
        "parameter_count": 784,
        "trainable_parameter_count": 760,
        "hyperparameters": {"units": 16},
        "validation": 0.975,
        "test": {**test, "verdict": verdict},
        "run_id": None if selected is None else tracker.run_ids().get(selected),
        "model_uri": None,
    }
    rung = {"trial": 0, "parameter_count": 784, "validation": 0.975, "run_id": None}
    return {
        "pipeline": "digits",
        "metric": "accuracy",
        "target": 0.95,
        "search_target": 0.973,
        "rows": {"train": 900, "validation": 540, "test": 360},
        "seconds": 12.5,
        "epochs_trained": 30,
        "trials": {"complete": 2, "pruned": 1, "rejected": 4, "fail": 0},
        "selected": None if selected is None else model,
        "ladder": [] if selected is None else [rung],
        "incumbents": [{"epochs_trained": 9, "seconds": 3.0, "parameter_count": 784, "trial": 0}],
        "mlflow": {"tracking_uri": tracker.uri, "experiment_id": tracker.experiment_id},
    }


def test_a_trial_becomes_a_child_run_with_its_numbers(tracker):
    tracker.log(TRIAL)
    run = child(tracker)
    assert run.info.run_name == "trial 0 · 784 · 0.9750"
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 2000
    assert run.data.metrics["parameter_count"] == 784
    assert run.data.metrics["score"] == 0.975
    assert run.data.params == {"units": "16", "learning rate _log_": "0.01"}
    expected = {"reached_target": "true", "state": "COMPLETE", "seed": "7", "occam.trial": "0"}
    assert expected.items() <= run.data.tags.items()
    assert run.data.tags["mlflow.parentRunId"] == tracker.run_id


def test_scores_of_epochs_are_kept_apart_from_the_score_of_the_trial(tracker):
    tracker.log(TRIAL)
    history = connect(tracker.uri).get_metric_history(tracker.run_ids().get(0), "epoch_score")
    assert [(each.step, each.value) for each in history] == [(1, 0.9), (2, 0.97), (3, 0.98)]
    start, end = child(tracker).info.start_time, child(tracker).info.end_time
    assert [each.timestamp for each in history] == [start + 666, start + 1333, end]
    assert child(tracker).data.metrics["score"] == 0.975


def test_a_trial_says_whose_units_it_began_with(tracker):
    tracker.log(TRIAL)
    tracker.log(replace(TRIAL, number=1, parent=0))
    assert "parent_trial" not in child(tracker).data.tags
    assert child(tracker, 1).data.tags["parent_trial"] == "0"


def test_a_failed_trial_says_why(tracker):
    tracker.log(
        replace(TRIAL, state=TrialState.FAIL, score=None, history={}, error="ValueError: no")
    )
    run = child(tracker)
    assert run.info.status == "FAILED"
    assert run.data.tags["error"] == "ValueError: no"
    assert "ValueError: no" in run.data.tags["mlflow.note.content"]
    assert "score" not in run.data.metrics


@pytest.mark.parametrize("score", [0.5, math.nan, math.inf, -math.inf])
def test_one_transaction_records_what_mlflows_own_calls_record(tracker, score):
    client = connect(tracker.uri)
    experiment = client.get_experiment(tracker.experiment_id)
    run = child_runs.child_run(replace(TRIAL, score=score), parent=tracker.run_id, tags={})
    fast = client.get_run(child_runs.write(client, experiment, [run])[0])
    slow = client.get_run(child_runs._log(client, tracker.experiment_id, run))
    as_text = [json.dumps(each.data.to_dictionary(), sort_keys=True) for each in (fast, slow)]
    assert as_text[0] == as_text[1]
    for name in ("status", "start_time", "end_time", "run_name", "lifecycle_stage", "user_id"):
        assert getattr(fast.info, name) == getattr(slow.info, name)
    places = (run.info.artifact_uri.replace(run.info.run_id, "") for run in (fast, slow))
    assert next(places) == next(places)
    histories = (
        [vars(each) | {"_run_id": None} for each in client.get_metric_history(run_id, "loss")]
        for run_id in (fast.info.run_id, slow.info.run_id)
    )
    assert str(next(histories)) == str(next(histories))


def test_a_metric_of_ones_own_does_not_pass_for_what_the_test_split_said(tracker):
    history = {"score": [0.9], "test_score": [0.99], "lower_bound": [0.9]}
    tracker.log(replace(TRIAL, history=history))
    assert {"epoch_test_score", "epoch_lower_bound"} <= child(tracker).data.metrics.keys()
    assert not {"test_score", "lower_bound"} & child(tracker).data.metrics.keys()


def test_every_hyperparameter_is_kept_whatever_it_is_called(tracker):
    names = {"a/b": 1, "a_b": 2, "a?b": 3, "/c": 4, "_c": 5}
    tracker.log(replace(TRIAL, hyperparameters=names))
    kept = child(tracker).data.params
    assert kept == {"a/b": "1", "a_b": "2", "a_b 2": "3", "_c": "4", "_c 2": "5"}


class Remote:
    """A client that sees no database, as that of a tracking server."""

    _tracking_client = SimpleNamespace(store=None)

    def __init__(self, client: mlflow.MlflowClient) -> None:
        self._client = client

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


@pytest.mark.parametrize("through", [lambda client: client, Remote])
def test_the_runs_of_trials_are_told_from_what_is_half_written_and_from_others(tracker, through):
    client, parent = connect(tracker.uri), {"mlflow.parentRunId": tracker.run_id}
    tracker.log(TRIAL)
    ids = tracker.run_ids()
    half = client.create_run(tracker.experiment_id, tags={**parent, child_runs.TRIAL: "1"})
    somebodys = client.create_run(tracker.experiment_id, tags=parent)
    deleted = client.create_run(tracker.experiment_id, tags={**parent, child_runs.TRIAL: "2"})
    client.delete_run(deleted.info.run_id)
    for mend in (False, True):
        arguments = through(client), tracker.experiment_id, tracker.run_id
        assert child_runs.read(*arguments, mend=mend) == ids
        stages = [
            client.get_run(each.info.run_id).info.lifecycle_stage for each in (half, somebodys)
        ]
        assert stages == ["deleted" if mend else "active", "active"]


def test_a_trial_is_recorded_once(tracker):
    for _ in range(2):
        tracker.log(TRIAL)
        assert set(tracker.run_ids()) == {0}
    again = Tracker(
        tracker.uri, pipeline=tracker._experiment.name, search="a search", study="a search"
    )
    again.log(TRIAL)
    assert again.run_ids().get(0) == tracker.run_ids().get(0)


def test_trials_that_end_faster_than_they_are_written_are_all_recorded(tracker):
    for number in range(40):
        tracker.log(replace(TRIAL, number=number))
    assert set(tracker.run_ids()) == set(range(40))


def again_of(tracker: Tracker) -> Tracker:
    """Another process's, of the same study."""
    name = tracker._experiment.name
    return Tracker(tracker.uri, pipeline=name, search="a search", study="a search")


@pytest.mark.slow
def test_more_trials_than_mlflow_shows_at_once_are_all_known_again(uri):
    tracker = Tracker(uri, pipeline="many", search="many", study="many")
    for number in range(1100):
        tracker.log(replace(TRIAL, number=number, history={}))
    assert len(tracker.run_ids()) == 1100
    again = Tracker(uri, pipeline="many", search="many", study="many")
    assert set(again.run_ids()) == set(range(1100))


def test_a_search_goes_on_with_its_run_unless_its_study_is_another(uri):
    first = Tracker(uri, pipeline="resumed", search="it's mine", study="it's mine")
    other = Tracker(uri, pipeline="resumed", search="another", study="another")
    fresh = Tracker(uri, pipeline="resumed", search="it's mine", study="begun anew")
    assert len({first.run_id, other.run_id, fresh.run_id}) == 3
    again = Tracker(uri, pipeline="resumed", search="it's mine", study="it's mine")
    assert again.run_id == first.run_id


def test_settings_that_change_when_a_search_goes_on_are_noted(tracker):
    tracker.start({**SETTINGS, "trials": 80, "timeout": 60}, data=None)
    run = parent(tracker)
    assert run.data.params["trials"] == "40"
    assert run.data.tags["resumed.trials"] == "80"
    assert run.data.params["timeout"] == "60"
    assert run.info.status == "RUNNING"


def test_versions_and_command_are_recorded_without_passwords(tracker, monkeypatch):
    url = "postgresql://me:secret@host/optuna"
    monkeypatch.setattr("sys.argv", ["/somewhere/occam", "search", "--storage", url])
    tracker.start({**SETTINGS, "storage": url}, data=None)
    run = parent(tracker)
    assert run.data.tags["command"].startswith("occam search --storage postgresql://me:***@host")
    assert "secret" not in str(run.to_dictionary())
    assert {"python", "version.keras", "version.mlflow"} <= set(run.data.tags)


def test_the_data_of_a_search_are_recorded_but_not_the_test_split(tracker):
    x, y = np.zeros((30, 8, 8)), np.arange(30) % 3
    tracker.start(SETTINGS, data=Data((x[:10], y[:10]), (x[10:20], y[10:20]), (x[20:], y[20:])))
    tracker.start(SETTINGS, data=Data((x[:10], y[:10]), (x[10:20], y[10:20]), (x[20:], y[20:])))
    inputs = parent(tracker).inputs.dataset_inputs
    assert sorted(each.tags[0].value for each in inputs) == ["training", "validation"]
    assert {each.dataset.digest for each in inputs} == {
        of_rows((x[:10], y[:10])),
        of_rows((x[10:20], y[10:20])),
    }


def frame(last: str) -> pd.DataFrame:
    return pd.DataFrame({"age": range(3), "city": ["a", "b", last]})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((12_000, 2)), np.vstack([np.zeros((11_999, 2)), [[0, 1]]])),
        (np.array(["a", "bc"], dtype=object), np.array(["ab", "c"], dtype=object)),
        (frame("c"), frame("d")),
        ({"a": np.zeros(3), "b": np.ones(3)}, {"a": np.ones(3), "b": np.zeros(3)}),
    ],
    ids=["beyond MLflow's 10,000 rows", "text", "table", "two inputs"],
)
def test_other_data_have_another_digest(one, other):
    labels = np.zeros(len(next(iter(one.values()))) if isinstance(one, dict) else len(one))
    assert of_rows((one, labels)) == of_rows((one, labels))
    assert of_rows((one, labels)) != of_rows((other, labels))
    assert len(datasets(Data((one, labels), (other, labels), (None, None)), name="x")) == 2


def test_the_same_texts_have_the_same_digest_wherever_they_are_kept():
    texts = np.array(["good", "bad"], dtype=object)
    again = np.array(["".join(each) for each in texts], dtype=object)
    assert texts[0] is not again[0]
    assert of_rows((texts, np.zeros(2))) == of_rows((again, np.zeros(2)))


def test_a_name_is_asked_for_by_the_quotes_that_it_has_not():
    assert (quoted("digits"), quoted("it's")) == ("'digits'", '"it\'s"')
    with pytest.raises(InputError, match="has both kinds of quotes: MLflow cannot search for it"):
        quoted('it\'s "mine"')


def test_a_finished_search_can_be_read_again(tracker):
    tracker.log(TRIAL)
    summary = summary_of(tracker, 0)
    tracker.finish(summary)
    assert last_search(connect(tracker.uri), tracker._experiment.name) == summary
    assert last_search(connect(tracker.uri), None) == summary
    assert parent(tracker).info.status == "FINISHED"


def test_the_last_search_is_the_one_that_last_came_to_an_answer(uri):
    for name in ("one", "other", "one"):
        tracker = Tracker(uri, pipeline="two searches", search=name, study=name)
        tracker.start(SETTINGS, data=None)
        tracker.finish({**summary_of(tracker, None), "name": name})
    assert last_search(connect(uri), "two searches")["name"] == "one"
    other = Tracker(uri, pipeline="two searches", search="other", study="other")
    other.start(SETTINGS, data=None)
    assert last_search(connect(uri), "two searches")["name"] == "one"
    other.finish({**summary_of(other, None), "name": "other"})
    assert last_search(connect(uri), "two searches")["name"] == "other"


def test_a_clock_that_was_put_back_does_not_hide_what_came_last(uri, monkeypatch):
    for name, seconds in (("early", 4e9), ("late", 3e9)):
        monkeypatch.setattr("occam.search.runs.searches.time.time", lambda seconds=seconds: seconds)
        tracker = Tracker(uri, pipeline="clock", search=name, study=name)
        tracker.start(SETTINGS, data=None)
        tracker.finish({**summary_of(tracker, None), "name": name})
    assert last_search(connect(uri), "clock")["name"] == "late"


def test_what_a_search_has_found_stays_while_it_goes_on_and_is_cut_off(tracker):
    client, name = connect(tracker.uri), tracker._experiment.name
    with pytest.raises(InputError, match="No search of .* has finished yet"):
        find(client, name)
    summary = summary_of(tracker, None)
    tracker.finish(summary)
    again = again_of(tracker)
    again.start({**SETTINGS, "trials": 80}, data=None)
    for cut_off in (lambda: None, again.interrupt):
        cut_off()
        assert last_search(connect(tracker.uri), name) == summary
        assert find(client, name).info.run_id == tracker.run_id
        assert find(client, "a search").data.tags["occam.search"] == "a search"
    assert parent(tracker).info.status == "KILLED"


def test_what_an_older_version_has_found_stays_too(tracker):
    name, summary = tracker._experiment.name, summary_of(tracker, None)
    tracker.finish(summary)
    connect(tracker.uri).delete_tag(tracker.run_id, "occam.concluded")
    assert last_search(connect(tracker.uri), name) == summary
    again_of(tracker).start(SETTINGS, data=None)
    assert last_search(connect(tracker.uri), name) == summary


def test_a_reviewer_sees_which_model_won(tracker):
    tracker.log(TRIAL)
    tracker.finish(summary_of(tracker, 0))
    winner, search = child(tracker), parent(tracker)
    assert winner.info.run_name == "smallest · 784 · 0.9723"
    assert winner.data.tags["selected"] == "true"
    assert winner.data.tags["verdict"] == "certified"
    assert winner.data.metrics["test_score"] == 0.9723
    assert search.info.run_name == "784 parameters hold accuracy 0.95"
    assert "**test 0.9723** on 360 untouched rows" in search.data.tags["mlflow.note.content"]
    assert "occam promote digits" in search.data.tags["mlflow.note.content"]
    assert search.data.metrics["smallest_parameter_count"] == 784
    tags = connect(tracker.uri).get_experiment(tracker.experiment_id).tags
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    assert tags["mlflow.note.content"].startswith("**784 parameters hold accuracy 0.95**")
    assert tracker.run_id in tags["mlflow.sharedViewState.occam"]


def test_a_search_that_goes_on_gives_the_title_to_the_new_winner(tracker):
    tracker.log(TRIAL)
    tracker.log(replace(TRIAL, number=1))
    tracker.finish(summary_of(tracker, 0))
    tracker.finish(summary_of(tracker, 1))
    assert child(tracker, 0).info.run_name == "certified · 784 · 0.9723"
    assert "selected" not in child(tracker, 0).data.tags
    assert child(tracker, 1).info.run_name == "smallest · 784 · 0.9723"


def test_a_small_score_is_read_from_the_name_of_its_run(tracker):
    tracker.log(replace(TRIAL, score=0.0004125))
    assert child(tracker).info.run_name == "trial 0 · 784 · 0.000412"


def test_a_model_that_does_not_hold_is_called_that(tracker):
    tracker.log(TRIAL)
    tracker.finish(summary_of(tracker, 0, verdict="not held"))
    assert child(tracker).info.run_name == "not held · 784 · 0.9723"
    assert parent(tracker).info.run_name == "784 parameters do not hold accuracy 0.95"


def test_a_search_without_an_answer_says_so(tracker):
    tracker.finish(summary_of(tracker, None))
    assert parent(tracker).info.run_name == "no model reached accuracy 0.95"
    assert parent(tracker).data.tags["verdict"] == "none"


def test_an_interrupted_search_can_go_on(tracker):
    tracker.log(TRIAL)
    tracker.interrupt()
    assert parent(tracker).info.status == "KILLED"
    again = Tracker(
        tracker.uri, pipeline=tracker._experiment.name, search="a search", study="a search"
    )
    assert (again.run_id, set(again.run_ids())) == (tracker.run_id, {0})


def test_a_run_that_was_cut_off_while_being_written_is_written_again(tracker):
    client = connect(tracker.uri)
    tags = {"mlflow.parentRunId": tracker.run_id, "occam.trial": "0"}
    torn = client.create_run(tracker.experiment_id, tags=tags).info.run_id
    again = Tracker(
        tracker.uri, pipeline=tracker._experiment.name, search="a search", study="a search"
    )
    assert not again.run_ids()
    again.log(TRIAL)
    assert again.run_ids().get(0) != torn


@pytest.fixture
def broken_store(tracker: Tracker) -> Iterator[sqlite3.Connection]:
    """The tracker's store without its table of runs."""
    with sqlite3.connect(tracker.uri.removeprefix("sqlite:///")) as connection:
        connection.execute("ALTER TABLE runs RENAME TO gone")
        connection.commit()
        yield connection
    connection.close()


def test_trials_wait_while_the_store_fails_which_is_said_once(tracker, broken_store, caplog):
    for number in range(3):
        tracker._next_write = 0.0
        tracker.log(replace(TRIAL, number=number, ended=1000.0 + number))
    (said,) = (record.message for record in caplog.records)
    assert said.startswith("MLflow failed, training goes on; trials that wait for it, safe in the ")
    with pytest.raises(OccamError, match="failed: .*run the same command again"):
        tracker.deliver()
    broken_store.execute("ALTER TABLE gone RENAME TO runs")
    broken_store.commit()
    assert set(tracker.run_ids()) == {0, 1, 2}
    assert caplog.records[1].message == "MLflow is back: 3 trials were delivered."
    ends = [child(tracker, number).info.end_time for number in range(3)]
    assert ends == [1000_000, 1001_000, 1002_000]
    assert not tracker.waiting


class Frozen(Alone):
    """Of a process that was frozen: what it has told is another's to record by now."""

    def holds(self, number: int) -> bool:
        return number > 0


def test_what_another_process_has_taken_over_is_not_recorded_twice(uri, request):
    tracker = Tracker(
        uri, pipeline=request.node.name, search="any", study=request.node.name, others=Frozen()
    )
    tracker._next_write = math.inf
    for number in range(2):
        tracker.log(replace(TRIAL, number=number))
    assert set(tracker.run_ids()) == {1}
    assert not tracker.waiting


def test_mlflow_is_quiet_though_it_was_imported_before(tmp_path):
    made = "import mlflow\nfrom occam.search.runs.store import connect\nconnect({!r}, create=True)"
    code = made.format(f"sqlite:///{tmp_path}/mlflow.db")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (tmp_path / "mlflow.db").stat().st_size
    assert not [line for line in done.stderr.splitlines() if "mlflow" in line]


def test_only_a_store_that_is_being_made_waits_for_no_disk(tmp_path):
    def synchronous(name):
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / name}")
        with engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        engine.dispose()
        return found

    with store._unsynced(tmp_path / "part"):
        assert [synchronous("part"), synchronous("other")] == [0, 2]
    assert synchronous("part") == 2


def test_reading_before_any_search_says_what_to_run(uri, tmp_path):
    with pytest.raises(InputError, match="No search of 'nothing' .* `occam search nothing`"):
        last_search(connect(uri), "nothing")
    with pytest.raises(InputError, match="No search yet: .* Run `occam search PIPELINE`"):
        last_search(connect(f"sqlite:///{tmp_path}/mlflow.db"), None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["sqlite:///{}/file/mlflow.db", "sqlite:///{}/file", "x://y"])
def test_a_store_that_cannot_be_used_is_said_in_one_line(tmp_path, address):
    (tmp_path / "file").write_text(
        "this is no database, and longer than its header of 100 bytes" * 9
    )
    with pytest.raises(InputError, match="cannot be used: .*--tracking-uri") as caught:
        Tracker(address.format(tmp_path), pipeline="p", search="s", study="s")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_given_up_within_seconds():
    started = time.monotonic()
    with pytest.raises(InputError, match="cannot be used"):
        Tracker("http://127.0.0.1:9", pipeline="p", search="s", study="s")
    assert time.monotonic() - started < 30


def test_a_deleted_experiment_is_not_written_to(uri):
    tracker = Tracker(uri, pipeline="deleted", search="s", study="s")
    connect(uri).delete_experiment(tracker.experiment_id)
    with pytest.raises(InputError, match="was deleted in MLflow: bring it back with"):
        Tracker(uri, pipeline="deleted", search="s", study="s")


def test_a_trial_without_a_model_cannot_log_one(tracker):
    tracker.log(TRIAL)
    with pytest.raises(InputError, match="Trial 0 has no trained model"):
        tracker.log_model(TRIAL)


@pytest.mark.slow
def test_the_store_is_in_mlruns_unless_the_environment_says_otherwise(workplace, monkeypatch):
    assert default_uri() == f"sqlite:///{Path.cwd()}/mlruns/mlflow.db"
    tracker = Tracker(default_uri(), pipeline="p", search="s", study="s")
    place = connect(default_uri()).get_experiment(tracker.experiment_id).artifact_location
    assert place == Path("mlruns/artifacts").resolve().as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert default_uri() == "http://localhost:5000"


@pytest.mark.slow
def test_commands_show_the_last_answer_of_a_search_that_was_killed_while_it_went_on(workplace):
    blobs(workplace)
    search = ["search", "blobs.py", "--name", "s", "--trainer", "fit", "--sampler", "random"]
    occam = [sys.executable, "-m", "occam.search.cli"]
    subprocess.run([*occam, *search, "--quiet", "--trials", "2"], check=True)
    with subprocess.Popen([*occam, *search, "--trials", "500"]) as going_on:
        try:
            while going_on.poll() is None and _trials(workplace / "mlruns/mlflow.db") <= 2:
                time.sleep(0.1)
        finally:
            going_on.kill()
    for command in (["results", "blobs"], ["promote", "blobs"], ["report", "blobs"]):
        subprocess.run([*occam, *command], check=True)


def _trials(database: Path) -> int:
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        query = "SELECT count(*) FROM tags WHERE key = 'state' AND value <> 'REJECTED'"
        return int(connection.execute(query).fetchone()[0])
