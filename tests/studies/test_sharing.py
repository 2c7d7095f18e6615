"""Several real processes share one search on a real PostgreSQL."""

from __future__ import annotations

import inspect
import io
import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
import sqlalchemy
import toy
from occam.search.errors import InputError, OccamError
from occam.search.metrics import metric
from occam.search.opening import _prepare
from occam.search.screen import Screen
from occam.search.studies import outages
from occam.search.studies import storage as module
from occam.search.studies.carrying import Depends
from occam.search.studies.database_storage import OUTLASTING
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


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Two engines of one study, as of two processes, whose leases live a second."""
    monkeypatch.setenv(outages.VARIABLE, "1")
    url = f"sqlite:///{tmp_path}/study.db"
    made = [toy.engine("optuna", tmp_path, "random", storage=url) for _ in range(2)]
    yield made
    for each in made:
        each.others.close()


def frozen(engine) -> None:
    """It gives no more sign of life."""
    engine.others._leases._ended.set()


def taken_over(engine) -> list:
    """What it gets of the trials of a process that is silent."""
    ends = time.monotonic() + 10
    while not engine.others.left() and time.monotonic() < ends:
        time.sleep(0.1)
    return engine.ask(1)


def test_what_a_frozen_process_brings_in_the_end_is_not_told_again(pair):
    one, other = pair
    [trial] = one.ask(1)
    frozen(one)
    [again] = taken_over(other)
    assert again.number == trial.number
    late, one.others.tell = one.others.tell, lambda finished: True  # frozen between two steps
    assert other.tell(toy.outcome(again))
    assert not one.tell(toy.outcome(trial))
    assert not late(toy.outcome(trial))
    assert len(one.finished) == 1


def test_a_process_that_is_frozen_while_it_tells_ends_in_no_error(pair):
    one, other = pair
    [trial] = one.ask(1)
    asked = one._asked[trial.number]
    asked.set_user_attr(RECORD, {})
    for key in ("target", "size"):
        optuna.Trial(other._study, asked._trial_id).set_constraint(key, 0.0)
    other._study.tell(trial.number, 1.0)
    one._finish(asked, toy.outcome(trial))
    with pytest.raises(ValueError, match="tell"):
        one._study.tell(trial.number, 1.0)


def test_nobody_waits_for_a_trial_that_was_recorded_by_a_process_that_is_gone(pair):
    one, other = pair
    [trial] = one.ask(1)
    one._finish = lambda *_: None  # it dies between the two
    one.tell(toy.outcome(trial))
    one.others.release()
    frozen(one)
    assert not other.others.busy()
    for _ in range(2):  # the first look only begins to watch
        assert not other.others.left()
        time.sleep(1.2)
    assert [each.number for each in other.others.news()] == [0]
    ends = time.monotonic() + 10
    while other._study.trials[0].state.name == "RUNNING" and time.monotonic() < ends:
        other.ask(1)
        time.sleep(0.3)
    assert other._study.trials[0].state.name == "COMPLETE"


def test_one_process_alone_records_what_another_has_told(pair):
    one, other = pair
    [trial] = one.ask(1)
    one.tell(toy.outcome(trial))
    assert not other.others.claim(trial.number)
    assert one.others.holds(trial.number)
    one.others.release()
    assert other.others.claim(trial.number)
    assert not one.others.claim(trial.number)
    assert not one.others.holds(trial.number)
    other.others.release()
    assert one.others.claim(trial.number)


def test_a_space_that_differs_from_the_studys_is_refused_from_any_folder(pair):
    def prepare(engine, space: str) -> None:
        planned = SimpleNamespace(
            name="toy",
            depends=Depends(space=space, rest="rest"),
            search_target=0.9,
            metric=metric("accuracy"),
        )
        _prepare(engine, SimpleNamespace(), planned, Screen(file=io.StringIO()), [])

    one, other = pair
    prepare(one, "a space")
    prepare(other, "a space")
    with pytest.raises(InputError, match="'toy' has changed, .* give this one another --name"):
        prepare(other, "another space")


def test_a_database_that_is_away_for_a_moment_loses_nothing(monkeypatch):
    monkeypatch.setattr(outages.random, "uniform", lambda low, high: 0.01)
    away = [optuna.exceptions.StorageInternalError(), _lost()]

    def tell() -> str:
        if away:
            raise away.pop()
        return "told"

    assert outages.outlasting(tell) == "told"


def test_whatever_a_database_is_asked_as_it_goes_away_the_search_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(outages.random, "uniform", lambda low, high: 0.001)
    rng, lost = random.Random(0), []

    def execute(*_: object) -> None:
        if rng.random() < 0.1:
            lost.append(_lost())
            raise lost[-1]

    there, away = (
        toy.engine("optuna", tmp_path, "tpe", storage=f"sqlite:///{tmp_path}/{name}.db")
        for name in ("there", "away")
    )
    undisturbed = _searched(there)
    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", execute)
    try:
        assert _searched(away) == undisturbed
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", execute)
    assert len(lost) > 20


def _searched(engine: Any) -> list[tuple[int, dict, bool]]:
    """What nine trials come to that are asked for by three."""
    engine.remember("key", "value")
    for _ in range(3):
        for trial in engine.ask(3):
            assert engine.tell(toy.outcome(trial)) is True
        engine.others.release()
    assert (engine.others.busy(), engine.others.elsewhere()) == (False, set())
    assert engine.recall("key") == "value"
    assert engine.others.news() == []
    engine.others.close()
    return [(each.number, dict(each.hyperparameters), each.reached) for each in engine.finished]


def test_what_optuna_asks_of_a_database_is_asked_again():
    from optuna.storages import _cached_storage  # private; its calls are those that reach it

    asked = re.findall(r"self\._backend\.(\w+)\(", inspect.getsource(_cached_storage))
    of_no_search = {"_get_best_trial_id", "set_trial_intermediate_value"}
    of_heartbeats = {each for each in asked if "heartbeat" in each or "stale" in each}
    assert set(asked) - of_no_search - of_heartbeats == set(OUTLASTING)


def test_a_database_that_stays_away_is_said_in_one_line(monkeypatch):
    monkeypatch.setenv(outages.VARIABLE, "0.1")
    monkeypatch.setattr(outages.random, "uniform", lambda low, high: 0.03)
    url = "postgresql://me:secret@host/x"
    wanted = (
        r"The database of --storage postgresql://me:\*\*\*@host/x failed: the server is gone\. "
    )
    with pytest.raises(OccamError, match=wanted), outages.reaching(url):
        outages.outlasting(lambda: _raise(_lost()))
    with pytest.raises(sqlalchemy.exc.OperationalError), outages.reaching(None):
        raise _lost()


def _lost() -> sqlalchemy.exc.OperationalError:
    return sqlalchemy.exc.OperationalError("SELECT 1", {}, RuntimeError("the server is gone"))


def _raise(error: Exception) -> None:
    raise error


def test_a_server_that_vanished_without_a_word_is_not_waited_for_longer_than_a_lease(
    database, monkeypatch
):
    monkeypatch.setenv(outages.VARIABLE, "30")
    waits = {"connect_timeout": "10", "tcp_user_timeout": "10000"}
    waits |= {"keepalives_idle": "5", "keepalives_interval": "5"}
    storage = module.storage_of(database)
    with storage.engine.connect() as connection:
        known = connection.connection.driver_connection.info.get_parameters()
    storage.engine.dispose()
    assert waits.items() <= known.items()


def test_a_process_that_is_frozen_in_a_transaction_does_not_hold_up_the_others(
    database, monkeypatch
):
    monkeypatch.setenv(outages.VARIABLE, "1")
    engine = module.storage_of(database).engine
    query = sqlalchemy.text("SELECT 1")
    with engine.connect() as connection:
        connection.execute(query)
        time.sleep(1.5)
        with pytest.raises(sqlalchemy.exc.DBAPIError):
            connection.execute(query)
        connection.invalidate()
    engine.dispose()


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
