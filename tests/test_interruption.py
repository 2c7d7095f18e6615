"""Real processes, really killed: nothing that finished is lost, nothing is trained twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import optuna
import pytest
from occam.search.trials import RECORD
from optuna.storages.journal import JournalFileBackend
from tasks import RINGS, blobs

pytestmark = pytest.mark.slow

TRIALS = 12


def command(*more: str) -> list[str]:
    more = more or ("--trainer", "fit")  # one trial after the other: all of it can be repeated
    arguments = ["search", "blobs.py", "--trials", str(TRIALS), "--json", "out.json", *more]
    return [sys.executable, "-m", "occam.search.cli", *arguments]


def finished(folder: Path) -> dict[int, dict]:
    """The records in the study's journal, by number."""
    journals = list(folder.glob("mlruns/studies/*/study.journal"))
    if not journals:
        return {}
    try:
        storage = optuna.storages.JournalStorage(JournalFileBackend(str(journals[0])))
        study = optuna.load_study(study_name=None, storage=storage)
    except (KeyError, ValueError):  # the study is being made
        return {}
    return {t.number: t.user_attrs[RECORD] for t in study.trials if RECORD in t.user_attrs}


def interrupted(
    folder: Path, how: signal.Signals, *more: str, after: int
) -> tuple[int, dict[int, dict]]:
    """Start the search, send it a signal once `after` trials have finished; code and records."""
    process = subprocess.Popen(
        command(*more), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while len(finished(folder)) < after and process.poll() is None:
        assert time.monotonic() < deadline, "no trial finished in five minutes"
        time.sleep(0.02)
    process.send_signal(how)
    process.communicate(timeout=60)
    return process.returncode, finished(folder)


def completed(folder: Path, *more: str) -> dict:
    done = subprocess.run(command(*more), cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 3), done.stderr
    return json.loads((folder / "out.json").read_text())


def told(records: dict[int, dict]) -> list[tuple]:
    """What must not depend on an interruption."""
    keys = ("number", "state", "hyperparameters", "parameter_count", "score", "epochs", "seed")
    return [tuple(map(str, (record[key] for key in keys))) for _, record in sorted(records.items())]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    blobs(folder)
    return completed(folder), finished(folder)


def test_kill_minus_9_loses_nothing_and_repeats_nothing(tmp_path, undisturbed):
    blobs(tmp_path)
    code, before = interrupted(tmp_path, signal.SIGKILL, after=3)
    assert code == -signal.SIGKILL
    assert len(before) >= 3
    summary, after = completed(tmp_path), finished(tmp_path)
    assert {number: after[number] for number in before} == before
    whole, records = undisturbed
    assert told(after) == told(records)
    for key in ("name", "trials", "epochs_trained"):
        assert summary[key] == whole[key]
    assert summary["selected"]["hyperparameters"] == whole["selected"]["hyperparameters"]
    assert summary["selected"]["validation"] == whole["selected"]["validation"]
    client = mlflow.MlflowClient(summary["mlflow"]["tracking_uri"])
    children = f"tags.`mlflow.parentRunId` = '{summary['mlflow']['run_id']}'"
    runs = client.search_runs([summary["mlflow"]["experiment_id"]], children)
    assert sorted(int(run.data.tags["occam.trial"]) for run in runs) == sorted(after)


def test_a_search_that_is_killed_while_a_model_loses_units_goes_on_the_same(tmp_path):
    folders = [tmp_path / "whole", tmp_path / "killed"]
    for folder in folders:
        folder.mkdir()
        blobs(folder, RINGS, ("target=0.9, epochs=12", "target=0.7, epochs=30"))
    completed(folders[0])
    whole = finished(folders[0])
    children = [number for number, record in whole.items() if record["parent"] is not None]
    assert len(children) > 1
    assert any(whole[number]["reached"] for number in children)
    code, before = interrupted(folders[1], signal.SIGKILL, after=children[0] + 1)
    assert code == -signal.SIGKILL
    completed(folders[1])
    after = finished(folders[1])
    assert {number: after[number] for number in before} == before
    assert told(after) == told(whole)
    assert [record["parent"] for record in after.values()] == [
        record["parent"] for record in whole.values()
    ]


def test_a_population_that_is_killed_loses_nothing_and_trains_nothing_twice(tmp_path):
    more = ("--trainer", "population", "--trials", "40")
    blobs(tmp_path)
    code, before = interrupted(tmp_path, signal.SIGKILL, *more, after=5)
    assert code == -signal.SIGKILL
    summary, after = completed(tmp_path, *more), finished(tmp_path)
    assert {number: after[number] for number in before} == before
    assert summary["trainer"] == "population"
    trained = [record for record in after.values() if record["epochs"]]
    # a child trains what has failed from scratch anew, from its parent's weights
    begun = {(str(record["hyperparameters"]), record["parent"]) for record in trained}
    assert len(begun) == len(trained)
    assert sorted(after) == list(range(len(after)))


def test_the_interrupt_key_ends_cleanly_and_the_search_goes_on(tmp_path, undisturbed):
    blobs(tmp_path)
    code, before = interrupted(tmp_path, signal.SIGINT, after=3)
    assert code == 130
    completed(tmp_path)
    after = finished(tmp_path)
    assert {number: after[number] for number in before} == before
    assert told(after) == told(undisturbed[1])


def test_a_second_process_may_not_work_on_the_same_search(tmp_path):
    blobs(tmp_path, ("target=0.9", "target=0.9999"))  # which nothing reaches
    endless = ("--trainer", "fit", "--sampler", "random", "--trials", "100000", "--margin", "0")
    first = subprocess.Popen(command(*endless), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    while not finished(tmp_path) and first.poll() is None:
        time.sleep(0.02)
    second = subprocess.run(
        command(*endless), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    first.send_signal(signal.SIGTERM)  # as polite as the interrupt key
    first.communicate(timeout=120)
    assert first.returncode == 130
    assert second.returncode == 2
    assert "is already running in another process" in second.stderr
    assert second.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers through /proc")
def test_worker_processes_find_a_model_and_survive_the_death_of_one(tmp_path):
    blobs(tmp_path)
    process = subprocess.Popen(
        command("--workers", "2"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while len(finished(tmp_path)) < 2 and process.poll() is None:
        time.sleep(0.02)
    os.kill(_workers(process.pid)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=240)
    assert process.returncode in (0, 3), errors
    summary = json.loads((tmp_path / "out.json").read_text())
    assert sum(summary["trials"].values()) - summary["trials"]["rejected"] == TRIALS


def _workers(parent: int) -> list[int]:
    """Spawned processes that train: children of `parent` whose command line says so."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
            line = (entry / "cmdline").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == parent and "spawn_main" in line:
            found.append(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("how", "seconds"),
    [(signal.SIGINT, 2.0), (signal.SIGINT, 4.0), (signal.SIGTERM, 3.0), (signal.SIGHUP, 3.0)],
)
def test_a_signal_while_a_search_starts_ends_it(tmp_path, how, seconds):
    """Much of what is imported then has callbacks that swallow exceptions."""
    blobs(tmp_path)
    process = subprocess.Popen(command(), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip() == "Interrupted: all that finished is kept, the same command goes on."
