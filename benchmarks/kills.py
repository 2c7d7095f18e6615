"""Kills searches, their workers and their MLflow server with -9 at random moments.

Every search is taken up again until it has ended, and then compared with one that nobody disturbed:
the same selection, no finished trial lost or trained again, each trial once in MLflow, and all
databases whole. `python benchmarks/kills.py 200`
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

TRIALS = 10
PORT = 20_000 + os.getpid() % 20_000
KINDS = ("parent", "worker", "server")
SECONDS = 8.0  # of a search, in which it is hit
TASK = '''"""Two blobs; each training is written down."""

import os
import time

import keras
import numpy as np

from occam.search.pipeline import Data, Pipeline
from occam.search.training import trial

fit = trial.fit


def written_down(pipeline, hyperparameters, **options):
    with open("trained.log", "a") as file:
        print(time.time(), os.getpid(), hyperparameters["learning_rate"], file=file, flush=True)
    return fit(pipeline, hyperparameters, **options)


trial.fit = written_down


def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 400)
    inputs = rng.normal(size=(400, 4)).astype("float32") + 2.2 * labels[:, None]
    split = lambda a, b: (inputs[a:b], labels[a:b])
    return Data(split(0, 200), split(200, 300), split(300, 400))


def space(hp):
    model = keras.Sequential([keras.Input((4,))])
    for layer in range(hp.Int("layers", 0, 2, default=1)):
        units = hp.Int(f"units_{layer}", 1, 32, sampling="log", default=16)
        model.add(keras.layers.Dense(units, activation="relu"))
    model.add(keras.layers.Dense(2, activation="softmax"))
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=0.03)
    model.compile(keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=data, space=space, target=0.9, epochs=12)
'''


@dataclass
class Search:
    """One search in a folder of its own, which is killed and taken up again until it has ended."""

    folder: Path
    kind: str
    rng: random.Random
    kills: int = 0
    before: dict[int, dict] = field(default_factory=dict)  # what had finished at the kills
    complaints: list[str] = field(default_factory=list)

    def run(self, hits: int) -> dict:
        """Hit it so many times, then let it end; its result."""
        (self.folder / "task.py").write_text(TASK, encoding="utf-8")
        for _ in range(40):
            process = self._start()
            if self.kills < hits and self._hit(process):
                continue
            _, errors = process.communicate(timeout=600)
            if process.returncode in (0, 3):
                return json.loads((self.folder / "out.json").read_text())
            print(f"  code {process.returncode}: {errors.decode()[-200:].strip()}", flush=True)
        raise RuntimeError("the search does not come to its end")

    def check(self, result: dict, undisturbed: dict) -> None:
        """Complain about whatever differs from a search that nobody disturbed."""
        for key in ("trial", "parameter_count", "hyperparameters", "validation", "test"):
            if result["selected"][key] != undisturbed["selected"][key]:
                self.complaints.append(f"selected another {key}: {result['selected'][key]}")
        records = finished(self.folder)
        for number, record in self.before.items():
            if records.get(number) != record:
                self.complaints.append(f"trial {number} was lost or changed")
        by_rate = {str(each["hyperparameters"]["learning_rate"]): each for each in records.values()}
        for line in (self.folder / "trained.log").read_text().splitlines():
            began, _, rate = line.split()
            if rate in by_rate and float(began) > by_rate[rate]["ended"]:
                self.complaints.append(f"trial {by_rate[rate]['number']} was trained again")
        self.complaints += in_mlflow(self.folder, sorted(records))

    def _start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "occam.search.cli", "search", "task.py", "--quiet"]
        command += ["--trials", str(TRIALS), "--trainer", "fit", "--json", "out.json"]
        command += ["--backend", backend]
        if self.kind == "worker":
            command += ["--workers", "1", "--trial-timeout", "300"]
        if self.kind == "server":
            command += ["--tracking-uri", f"http://127.0.0.1:{PORT}"]
        environment = os.environ | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def _hit(self, process: subprocess.Popen) -> bool:
        """Kill at a random moment; true where the search has to be started again."""
        if self.rng.random() < 0.8:  # once it is at work; else while it starts, too
            while process.poll() is None and not self._at_work(process.pid):
                time.sleep(0.02)
        moment = time.monotonic() + self.rng.uniform(0, SECONDS)
        while process.poll() is None and time.monotonic() < moment:
            time.sleep(0.01)
        if process.poll() is not None:
            return False
        victim = self.kind if self.rng.random() < 0.7 else "parent"
        if victim == "server":
            server.restart(self.rng.uniform(0.5, 4.0))
        elif victim == "worker":
            for worker in workers(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        else:
            children = workers(process.pid)
            process.kill()
            process.communicate()
            self._orphans(children)
        self.kills += 1
        self.before |= finished(self.folder)
        return victim == "parent"

    def _at_work(self, pid: int) -> bool:
        if self.kind == "worker" and not workers(pid):
            return False
        journal = next(self.folder.glob("mlruns/studies/*/study.journal"), None)
        return journal is not None and journal.stat().st_mtime > _started(pid)

    def _orphans(self, pids: list[int]) -> None:
        """Nobody may train on once the parent is gone."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if not [pid for pid in pids if Path(f"/proc/{pid}").exists() and not _zombie(pid)]:
                return
            time.sleep(0.02)
        self.complaints.append("a worker outlived its parent")


class Server:
    """An MLflow server that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = self._start()
        self.wait()

    def restart(self, seconds: float) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        time.sleep(seconds)
        self.process = self._start()

    def wait(self) -> None:
        for _ in range(600):
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=1).close()
                return
            time.sleep(0.2)
        raise RuntimeError("MLflow's server does not start")

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _start(self) -> subprocess.Popen:
        command = [sys.executable, "-m", "mlflow", "server", "--port", str(PORT)]
        command += ["--backend-store-uri", "sqlite:///server.db", "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        log = (self.folder / "server.log").open("ab")
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def finished(folder: Path) -> dict[int, dict]:
    """The records in the study's journal, by number; raises where it cannot be opened."""
    import optuna
    from occam.search.trials import RECORD
    from optuna.storages.journal import JournalFileBackend

    journal = next(folder.glob("mlruns/studies/*/study.journal"), None)
    if journal is None:
        return {}
    copy = folder / "copy.journal"  # a last line may be cut off: it is mended in the copy
    whole = journal.read_bytes()
    copy.write_bytes(whole[: whole.rfind(b"\n") + 1])
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(copy)))
    names = optuna.get_all_study_names(storage)
    if not names:
        return {}
    study = optuna.load_study(study_name=names[0], storage=storage)
    return {t.number: t.user_attrs[RECORD] for t in study.trials if RECORD in t.user_attrs}


def in_mlflow(folder: Path, numbers: list[int]) -> list[str]:
    """What is wrong with the records in MLflow."""
    import mlflow

    result = json.loads((folder / "out.json").read_text())["mlflow"]
    client = mlflow.MlflowClient(result["tracking_uri"])
    condition = f"tags.`mlflow.parentRunId` = '{result['run_id']}'"
    runs = client.search_runs([result["experiment_id"]], condition, max_results=1000)
    there = sorted(int(run.data.tags["occam.trial"]) for run in runs)
    wrong = [] if there == numbers else [f"MLflow has the trials {there}, not {numbers}"]
    database = sqlite3.connect(next(folder.glob("mlruns/mlflow.db"), server.folder / "server.db"))
    if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
        wrong.append("MLflow's database is broken")
    database.close()
    return wrong


def workers(parent: int) -> list[int]:
    """Spawned processes that train."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            of = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if of == parent and "spawn_main" in (entry / "cmdline").read_text():
                found.append(int(entry.name))
    return found


def _zombie(pid: int) -> bool:
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def _started(pid: int) -> float:
    with suppress(OSError):
        return Path(f"/proc/{pid}").stat().st_mtime
    return time.time()


@contextmanager
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="occam-kills-") as name:
        yield Path(name)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kills", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backend", default="jax", help="of the two, it starts faster")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    global server, backend
    backend = options.backend
    with place() as home:
        server = Server(home)
        try:
            return _campaign(options.kills, rng)
        finally:
            server.stop()


def _campaign(wanted: int, rng: random.Random) -> int:
    with place() as folder:
        undisturbed = Search(folder, "parent", rng).run(0)
    kills, searches, wrong = dict.fromkeys(KINDS, 0), 0, []
    while sum(kills.values()) < wanted:
        kind = KINDS[searches % len(KINDS)]
        server.wait()
        with place() as folder:
            search = Search(folder, kind, rng)
            search.check(search.run(rng.randint(2, 6)), undisturbed)
        kills[kind] += search.kills
        searches += 1
        wrong += search.complaints
        print(f"search {searches}, {kind}: {search.kills} kills, {search.complaints}", flush=True)
        total = sum(kills.values())
        print(f"{total} kills {kills} in {searches} searches; {len(wrong)} complaints", flush=True)
    return bool(wrong)


server: Server
backend: str

if __name__ == "__main__":
    sys.exit(main())
