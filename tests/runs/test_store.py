"""Where MLflow's store is, whether it can be used, and whose it is afterwards."""

from __future__ import annotations

import http.server
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from filelock import FileLock, Timeout
from occam.search.errors import InputError
from occam.search.runs import store
from occam.search.runs.store import mlflow


@pytest.fixture
def elsewhere(tmp_path) -> Iterator[str]:
    """MLflow's current store, which somebody has chosen."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri := f"sqlite:///{tmp_path}/elsewhere.db")
    yield uri
    mlflow.set_tracking_uri(before)


def test_the_store_that_somebody_has_chosen_is_current_again(elsewhere, tmp_path):
    with store.users_store_kept():
        store.connect(f"sqlite:///{tmp_path}/mlflow.db", create=True)
        assert mlflow.get_tracking_uri() != elsewhere
    assert mlflow.get_tracking_uri() == elsewhere
    with pytest.raises(InputError), store.users_store_kept():
        store.connect(f"sqlite:///{tmp_path}/none.db")
    assert mlflow.get_tracking_uri() == elsewhere


def test_searches_in_one_process_keep_to_their_folders(tmp_path, monkeypatch):
    monkeypatch.delenv(store.DEFAULT, raising=False)
    mlflow.set_tracking_uri(None)
    for name in ("first", "second", "third"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        with store.users_store_kept():
            assert str(tmp_path / name) in store.default_uri()
            store.connect(store.default_uri(), create=True)
        assert mlflow.get_tracking_uri() == store.default_uri()


def test_a_store_of_the_environment_stays_the_users_default(tmp_path, monkeypatch):
    monkeypatch.setenv(store.DEFAULT, "http://127.0.0.1:9")
    store.connect(f"sqlite:///{tmp_path}/mlflow.db", create=True)
    assert os.environ[store.DEFAULT] == "http://127.0.0.1:9"
    assert store.default_uri() == "http://127.0.0.1:9"


@pytest.mark.parametrize("folder", ["plain", "with space", "feature%2Fx", "what?"])
def test_the_default_store_is_in_the_working_directory_whatever_that_is_called(
    folder, tmp_path, monkeypatch
):
    place = tmp_path / folder
    place.mkdir()
    monkeypatch.chdir(place)
    database = store.sqlite_file(store.default_uri())
    assert database is not None
    assert database.resolve() == place / "mlruns" / "mlflow.db"


def test_a_sqlite_store_answers_once_nothing_locks_it(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert not store.answers(uri)
    store.connect(uri, create=True)
    assert store.answers(uri)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not store.answers(uri)
    assert store.answers(uri)


@pytest.mark.parametrize("status", [200, 401])
def test_a_server_answers_whatever_it_says(status):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 500)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{server.server_port}"
    assert store.answers(uri + "/")
    server.shutdown()
    server.server_close()
    assert not store.answers(uri)


@pytest.mark.parametrize("home", ["home", "file"])
def test_a_registry_is_locked_for_others_even_where_no_home_takes_a_file(
    home, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / home))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with store.registering("http://127.0.0.1:9"):
        (lock,) = tmp_path.rglob("*.registry.lock")
        with pytest.raises(Timeout):
            FileLock(lock, timeout=0).acquire()


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_store_that_could_keep_nothing_is_refused(uri):
    with pytest.raises(InputError, match="names no file"):
        store.sqlite_file(uri)
    assert store.sqlite_file("http://there:5000") is None
