"""The commands that measured what benchmarks/ says still run, with as little as they take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
COMMANDS = {
    "backbones.py": (["32", "60", "4", "2"], "a population of heads:"),
    "folds": (["--draws", "1", "--tasks", "breast cancer"], "2 folds, refit checked"),
    "overhead.py": (["3", "random"], "search / bare fit: wall"),
    "search_efficiency": (
        [
            *("--tasks", "digits dense", "--tools", "Occam", "Optuna TPE"),
            *("--seeds", "1", "--budget", "2", "--output", "results"),
        ],
        "3 of 3 searches",
    ),
    "seeds.py": (["digits", "1", "--trials", "2", "--target", "0.5"], "1 of 1 hold"),
    "selection.py": (["--searches", "2"], "| 10,000 | 0.99 | 2.5 | 0.0 |"),
    "surrogate.py": (["20"], "| 20 |"),
    "throughput": (["digits", "4", "2"], "ratio"),
    "throughput/lanes.py": (["digits", "200", "1", "2"], "digits, 2 lanes"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_measurement_can_be_repeated(tmp_path, name):
    arguments, says = COMMANDS[name]
    command = [sys.executable, str(BENCHMARKS / name), *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert says in done.stdout + done.stderr
