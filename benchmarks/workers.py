"""What workers bring and cost.

python benchmarks/workers.py           overhead of a worker per trial, then two workers against one
python benchmarks/workers.py random 50 one pair of searches with this sampler, 50 seconds each
python benchmarks/workers.py ray       the digits search on a local Ray cluster, one actor killed
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import optuna
from occam.search.devices import environments
from occam.search.executors.processes import Processes
from occam.search.trials import RECORD, FinishedTrial, Trial, TrialState, finish
from occam.search.workers import Pool
from optuna.storages.journal import JournalFileBackend

PAIRS = 2  # of a search with one worker and one with two, in turn
SECONDS = 150  # of each search
HISTORY = {"loss": [0.5] * 50, "score": [0.9] * 50}


@dataclass(frozen=True)
class Nothing:
    """A recipe for workers that train nothing, and answer with a history of 50 epochs."""

    def executor(self) -> _Answers:
        return _Answers()


class _Answers:
    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        future: Future[FinishedTrial] = Future()
        future.set_result(finish(trial, TrialState.COMPLETE, history=HISTORY))
        return future

    def wait(self, running: set[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        return list(running)


def overhead(trials: int = 400) -> float:
    """Milliseconds between the sending of a trial and its result, nothing trained."""
    pool = Pool(Processes(Nothing(), environments(1)), 1)
    values = {"layers": 2, "units_0": 16, "units_1": 8, "learning_rate": 0.01}
    made = [
        Trial(
            number=number,
            hyperparameters=values,
            parameter_count=1,
            trainable_parameter_count=1,
            epochs=50,
            seed=number,
        )
        for number in range(trials + 1)
    ]
    pool.wait([pool.submit(made[0])])  # it starts meanwhile
    began = time.perf_counter()
    for trial in made[1:]:
        pool.wait([pool.submit(trial)])
    took = time.perf_counter() - began
    pool.shutdown()
    return 1000 * took / trials


def rate(workers: int, *, sampler: str, seconds: float) -> tuple[float, float]:
    """Trials a minute between the first that ended and the last, and of the whole command."""
    with tempfile.TemporaryDirectory(prefix="occam-workers-") as folder:
        command = [sys.executable, "-m", "occam.search.cli", "search", "digits", "--trainer", "fit"]
        command += ["--trials", "10000", "--timeout", str(seconds), "--sampler", sampler]
        command += ["--target", "0.995", "--workers", str(workers), "--quiet"]
        began = time.time()
        subprocess.run(command, cwd=folder, check=False, stderr=subprocess.DEVNULL)
        ended = sorted(each["ended"] for each in records(Path(folder)) if each["epochs"])
    return 60 * (len(ended) - 1) / (ended[-1] - ended[0]), 60 * len(ended) / (ended[-1] - began)


def records(folder: Path) -> list[dict]:
    journal = next(folder.glob("mlruns/studies/*/study.journal"))
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    [name] = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    return [trial.user_attrs[RECORD] for trial in trials if RECORD in trial.user_attrs]


def ray() -> None:
    """Search digits with two actors and kill one of them with -9 once it trains."""
    with tempfile.TemporaryDirectory(prefix="occam-ray-") as folder:
        command = [sys.executable, "-m", "occam.search.cli", "search", "digits", "--workers", "2"]
        command += ["--executor", "ray", "--trials", "30", "--json", "out.json"]
        search = subprocess.Popen(command, cwd=folder)
        while search.poll() is None and not next(
            Path(folder).glob("mlruns/studies/*/*.journal"), 0
        ):
            time.sleep(0.2)
        while search.poll() is None and len(records(Path(folder))) < 4:
            time.sleep(0.2)
        victim = _actors()[0]
        os.kill(victim, signal.SIGKILL)
        print(f"killed actor {victim} with -9")
        search.wait()
        result = json.loads(Path(folder, "out.json").read_text())
    print(f"exit code {search.returncode}; {result['trials']}; selected: {result['selected']}")


def _actors() -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cmdline").read_text().startswith("ray::_Actor"):
                found.append(int(entry.name))
    return sorted(found)


def pairs(sampler: str, seconds: float, count: int) -> None:
    """Searches with one worker and with two, in turn."""
    rates = [[rate(n, sampler=sampler, seconds=seconds) for n in (1, 2)] for _ in range(count)]
    for one, two in rates:
        print(
            f"{sampler}: {one[0]:.1f} and {two[0]:.1f} trials a minute, ratio "
            f"{two[0] / one[0]:.2f} (goal: 1.85); with start-up {two[1] / one[1]:.2f}",
            flush=True,
        )


def main() -> None:
    if sys.argv[1:] == ["ray"]:
        return ray()
    if sys.argv[1:]:
        return pairs(sys.argv[1], float(sys.argv[2]), 1)
    print(f"overhead of a worker: {overhead():.2f} ms a trial (goal: under 50)", flush=True)
    for sampler in ("random", "level-set"):
        pairs(sampler, SECONDS, PAIRS)
    return None


if __name__ == "__main__":
    main()
