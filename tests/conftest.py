"""What all tests share: a backend, an empty working directory, data that is optional."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import databases
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture(autouse=True)
def _own_store() -> Iterator[None]:
    """MLflow keeps the store that it was last told in the environment: it ends with the test."""
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in: mlruns/ of a test is written there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a screen."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """URL of a real PostgreSQL that the session started; skips where there can be none."""
    if reason := databases.missing():
        pytest.skip(reason)
    pytest.importorskip("psycopg", reason="make install EXTRAS=...,postgresql")
    with tempfile.TemporaryDirectory(prefix="occam-pg-") as name:
        Path(name).chmod(0o755)
        with databases.postgresql(Path(name, "server")) as url:
            yield url
