"""Takes MLflow's server away for a minute in mid-search: nothing may be lost, all in order.

python benchmarks/outage.py
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

import kills
import mlflow

SECONDS = 60
TRIALS = 40


def main() -> int:
    home = Path(tempfile.mkdtemp(prefix="occam-outage-"))
    kills.server, kills.backend, kills.TRIALS = kills.Server(home), "jax", TRIALS
    try:
        return outage(home / "search")
    finally:
        kills.server.stop()


def outage(folder: Path) -> int:
    """One search; the exit code says whether its records are complete and in order."""
    folder.mkdir()
    (folder / "task.py").write_text(kills.TASK, encoding="utf-8")
    search = kills.Search(folder, "server", random.Random(0))
    process = search._start()
    while len(kills.finished(folder)) < 3 and process.poll() is None:
        time.sleep(0.1)
    before = len(kills.finished(folder))
    kills.server.restart(SECONDS)
    during = len(kills.finished(folder)) - before
    _, errors = process.communicate(timeout=900)
    print(errors.decode().strip())
    while process.returncode not in (0, 3):  # it ended while the server was away
        kills.server.wait()
        process = search._start()
        process.communicate(timeout=900)
    records = kills.finished(folder)
    wrong = kills.in_mlflow(folder, sorted(records)) + in_order(folder, records)
    print(f"{during} trials ended while MLflow was down for {SECONDS} s; {len(records)} in all")
    print(f"complaints: {wrong}")
    return bool(wrong)


def in_order(folder: Path, records: dict[int, dict]) -> list[str]:
    """Complain where a run does not say when its trial ended."""
    client = mlflow.MlflowClient(f"http://127.0.0.1:{kills.PORT}")
    runs = client.search_runs(["1"], "tags.`occam.trial` LIKE '%'", max_results=1000)
    ends = {int(run.data.tags["occam.trial"]): run.info.end_time for run in runs}
    return [
        f"trial {number} ended at another time"
        for number, record in records.items()
        if ends.get(number) != round(record["ended"] * 1000)
    ]


if __name__ == "__main__":
    sys.exit(main())
