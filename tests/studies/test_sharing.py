"""Several real processes share one search on a real PostgreSQL."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from occam.search.trials import RECORD
from tasks import blobs

TRIALS = 8
FAST = (  # trained.log: a line for each training
    "pipeline = Pipeline(data=data, space=space, target=0.9, epochs=12)",
    """from occam.search.training import trial

fit = trial.fit


def written_down(pipeline, hyperparameters, **options):
    with open("trained.log", "a") as file:
        print(options["seed"], hyperparameters["learning_rate"], file=file, flush=True)
    return fit(pipeline, hyperparameters, **options)


trial.fit = written_down
pipeline = Pipeline(data=data, space=space, target=0.9, epochs=12)""",
)


def command(storage: str, *more: str) -> list[str]:
    arguments = ["search", "blobs.py", "--trials", str(TRIALS), "--storage", storage, *more]
    arguments += ["--name", "shared", "--sampler", "random", "--trainer", "fit", "--seed", "5"]
    return [sys.executable, "-m", "occam.search.cli", *arguments]


def records(url: str) -> dict[int, dict]:
    storage = optuna.storages.RDBStorage(url)
    trials = optuna.load_study(study_name="shared", storage=storage).trials
    storage.remove_session()
    storage.engine.dispose()
    return {t.number: t.user_attrs[RECORD] for t in trials if RECORD in t.user_attrs}


@pytest.mark.slow
def test_two_processes_share_a_search_and_the_death_of_one_loses_nothing(
    tmp_path, database, monkeypatch
):
    """Each has a folder of its own, as on another machine; both have one MLflow store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        blobs(folder, FAST)
    victim, other = (
        subprocess.Popen(
            command(database, "--json", "out.json"),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in folders
    )
    while not all(map(_lines, folders)) and victim.poll() is None and other.poll() is None:
        time.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    _, errors = other.communicate(timeout=240)
    assert other.returncode in (0, 3), errors
    told = records(database)
    trained = [each for each in told.values() if each["state"] != "REJECTED"]
    assert len(trained) == TRIALS
    assert all(each["state"] != "FAIL" for each in trained)
    assert all(map(_lines, folders)), "both have trained"
    assert len(set(_lines(folders[1]))) == len(_lines(folders[1]))
    assert sorted(told) == [*range(len(told))]
    assert sorted(_in_mlflow(json.loads((folders[1] / "out.json").read_text()))) == sorted(told)


@pytest.mark.slow
def test_every_process_of_a_shared_search_ends_with_the_same_answer(tmp_path):
    """Each concludes on trials of both: the first to do so has not recorded all of them itself."""
    blobs(tmp_path, FAST)
    storage = f"sqlite:///{tmp_path}/study.db"
    processes = [
        subprocess.Popen(
            command(storage, "--quiet", "--json", f"{name}.json"),
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    first, second = (json.loads((tmp_path / f"{name}.json").read_text()) for name in "ab")
    assert first["selected"] == second["selected"]


@pytest.mark.slow
def test_a_study_is_not_set_aside_while_a_process_is_at_work_on_it(tmp_path, capfd):
    """Its trials take less time than a lease lives."""
    from occam.search.errors import InputError
    from occam.search.studies.storage import set_study_aside

    optuna.logging.set_verbosity(optuna.logging.INFO)  # as in a new process
    blobs(tmp_path, FAST)
    storage = f"sqlite:///{tmp_path}/study.db"
    words = command(storage, "--quiet", "--trials", "500")
    set_study_aside(storage, "shared")
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as other:
        try:
            for trials in (1, 4, 8):
                while len(_lines(tmp_path)) < trials and other.poll() is None:
                    time.sleep(0.01)
                with pytest.raises(InputError, match="'shared' is running in other processes: "):
                    set_study_aside(storage, "shared")
            assert other.poll() is None, other.stderr.read()
        finally:
            other.kill()
    told = len(records(storage))
    set_study_aside(storage, "shared")
    names = optuna.get_all_study_names(storage)
    assert [name[:7] for name in names] == ["shared."], "it is there under another name"
    assert len(optuna.load_study(study_name=names[0], storage=storage).trials) >= told > 0
    assert "A new study" not in capfd.readouterr().err


def _lines(folder: Path) -> list[str]:
    log = folder / "trained.log"
    return log.read_text().splitlines() if log.exists() else []


def _in_mlflow(summary: dict) -> list[int]:
    import mlflow

    place = summary["mlflow"]
    client = mlflow.MlflowClient(place["tracking_uri"])
    runs = client.search_runs(
        [place["experiment_id"]], f"tags.`mlflow.parentRunId` = '{place['run_id']}'"
    )
    return [int(run.data.tags["occam.trial"]) for run in runs]


@pytest.mark.parametrize(
    "storage",
    [
        "sqlite:////secret/missing/x.db",
        "nonsense://me:secret@host/x",
        "secretless",
    ],
)
def test_a_database_that_is_not_there_is_said_in_one_line_without_its_password(storage):
    from occam.search.errors import InputError
    from occam.search.studies.storage import storage_of

    with pytest.raises(InputError, match="--storage .* cannot be used: .* Give the URL") as caught:
        storage_of(storage)
    assert "secret@" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_driver_that_is_not_there_is_said_in_one_line_without_the_password():
    from occam.search.errors import InputError
    from occam.search.studies.storage import storage_of

    with pytest.raises(InputError, match="needs a driver .* pip install") as caught:
        storage_of("postgresql+pg8000://me:secret@127.0.0.1:9/none")
    assert "secret@" not in str(caught.value)
