"""What `occam --help` costs: processor seconds, the median of 15 runs. Goal: under 0.3.

.venv/bin/python benchmarks/startup.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 15


def cpu_seconds(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    occam = str(Path(sys.executable).with_name("occam"))
    help_, nothing = (
        statistics.median(cpu_seconds(command) for _ in range(RUNS))
        for command in ([occam, "--help"], [sys.executable, "-c", ""])
    )
    print(f"occam --help: {help_:.3f} s of processor time; an empty Python: {nothing:.3f} s")


if __name__ == "__main__":
    main()
