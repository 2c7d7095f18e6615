"""What `make` prints and which commands its targets stand for; nothing is run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments: str) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PIPELINE", "TARGET", "TRIALS", "WORKERS", "ENGINE", "ARGS", "MAKEFLAGS")
    }
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout


def test_make_alone_prints_help():
    printed = make()
    for target in (
        "search",
        "install",
        "results",
        "ui",
        "dashboard",
        "promote",
        "test",
        "lint",
        "bench",
        "docs",
        "table",
        "clean",
    ):
        assert f"make {target}" in printed


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["search"], "occam search digits"),
        (
            ["search", "PIPELINE=churn", "TARGET=0.8", "TRIALS=5", "WORKERS=2", "ENGINE=optuna"],
            "occam search churn --target 0.8 --trials 5 --workers 2 --engine optuna",
        ),
        (["search", "PIPELINE=my task.py"], "occam search 'my task.py'"),
        (["search", "ARGS=--seed 3"], "occam search digits    --seed 3"),
        (["promote", "PIPELINE=churn"], "occam promote churn"),
        (["results"], "occam results"),
        (["ui", "PORT=5001"], "occam ui --port 5001"),
        (["test"], "-m pytest -n 2"),
        (["table", "TRIALS=5"], "benchmarks/table.py --trials 5"),
    ],
)
def test_a_target_stands_for_its_command(arguments, command):
    printed = " ".join(make("-n", *arguments).split())
    assert " ".join(command.split()) in printed


def test_promote_and_results_are_of_the_last_search_where_none_is_named():
    assert "occam promote digits" not in make("-n", "promote")
    assert "occam results digits" not in make("-n", "results")


def test_the_extras_that_make_installs_exist():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"tensorflow", "cuda", "jax", "torch", "ray", "onnx", "docs", "dev"} <= set(
        project["optional-dependencies"]
    )
