"""How a search grows: processes that share a PostgreSQL study, and a simulated cluster.

    python benchmarks/cluster.py share 8 500    eight `occam search` for 500 short trials in all
    python benchmarks/cluster.py lease 8 500    the same without training, two of the eight killed
    python benchmarks/cluster.py simulate mlruns/studies/NAME/study.journal

The simulation has up to 1,000 workers that train nothing: each takes as long as a trial of the
study did, scaled to the median that is wanted. It asks, tells and stores for real. Time is the sum
of what that takes, and of the waiting for workers, which is skipped.
"""

from __future__ import annotations

import collections
import heapq
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]
os.environ.setdefault("KERAS_BACKEND", "jax")  # of the two, it starts faster
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import databases  # noqa: E402  # that of the tests
import kills  # noqa: E402
import mlflow  # noqa: E402
import optuna  # noqa: E402
from occam.search import loop  # noqa: E402
from occam.search.engines.optuna import Engine  # noqa: E402
from occam.search.loading import load  # noqa: E402
from occam.search.metrics import metric  # noqa: E402
from occam.search.pipeline import Data, Pipeline  # noqa: E402
from occam.search.trials import RECORD, FinishedTrial, Trial, TrialState, finish  # noqa: E402

ROWS = (  # sampler, storage, workers, trials, minutes of a median trial
    ("random", "journal", 100, 400, 1.0),
    ("random", "journal", 1000, 2000, 1.0),
    ("random", "journal", 1000, 2000, 10.0),
    ("random", "postgresql", 1000, 2000, 10.0),
    ("tpe", "journal", 1000, 2000, 10.0),
    ("level-set", "journal", 100, 300, 10.0),
)


class Recorded:
    """Workers that take as long as a recorded trial did, on a clock that skips the waiting."""

    batch = 1

    def __init__(self, size: int, minutes: float, seconds: list[float]) -> None:
        self.size, self._rng = size, random.Random(0)
        self._seconds = [60 * minutes * each / statistics.median(seconds) for each in seconds]
        self._skipped, self.busy = 0.0, 0.0
        self._heap: list[tuple[float, int, Trial, Future[FinishedTrial]]] = []

    def now(self) -> float:
        return time.perf_counter() + self._skipped

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        future: Future[FinishedTrial] = Future()
        seconds = self._rng.choice(self._seconds)
        self.busy += seconds
        heapq.heappush(self._heap, (self.now() + seconds, trial.number, trial, future))
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        end, _, trial, future = heapq.heappop(self._heap)
        self._skipped += max(0.0, end - self.now())
        score = self._rng.uniform(0.5, 0.94)
        history = {"score": [score] * 10, "loss": [1 - score] * 10}
        future.set_result(
            finish(
                trial,
                TrialState.PRUNED,
                score=score,
                projected_score=score,
                epochs=10,
                history=history,
            )
        )
        return [future]

    def shutdown(self) -> None:
        """There is nothing to end."""


class Timed:
    """An engine whose ask and tell are timed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.asks: list[float] = []
        self.tells: list[float] = []

    @property
    def finished(self) -> list[FinishedTrial]:
        return self._engine.finished

    @property
    def exhausted_because(self) -> str:
        return self._engine.exhausted_because

    def ask(self, n: int) -> list[Trial]:
        began = time.perf_counter()
        asked = self._engine.ask(n)
        self.asks.append(time.perf_counter() - began)
        return asked

    def tell(self, ended: FinishedTrial) -> bool:
        began = time.perf_counter()
        told = self._engine.tell(ended)
        self.tells.append(time.perf_counter() - began)
        return told


def engine_of(pipeline: Pipeline, data: Data, where: Path | str, sampler: str) -> Engine:
    return Engine(
        pipeline,
        name="simulated",
        storage=where,
        sampler=sampler,
        seed=0,
        metric=metric("accuracy"),
        search_target=0.97,
        inputs=data.train[0][:1],
    )


def recorded(journal: Path) -> list[float]:
    """Seconds that each trial of a study took to train."""
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    storage = optuna.storages.JournalStorage(backend)
    [name] = optuna.get_all_study_names(storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    records = [each.user_attrs[RECORD] for each in trials if RECORD in each.user_attrs]
    return [each["seconds"] for each in records if each["epochs"]]


def simulate(seconds: list[float]) -> None:
    """One row a setting; trials of the study: `seconds`."""
    print(f"{len(seconds)} recorded durations, median {statistics.median(seconds):.1f} s")
    pipeline = load("digits")
    data = pipeline.preprocessing(pipeline.data())
    print("| sampler | storage | workers | trials | minutes | ask | tell | ask, last 100 | busy |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for sampler, storage, size, trials, minutes in ROWS:
        with tempfile.TemporaryDirectory() as folder, place(storage, Path(folder)) as where:
            engine = engine_of(pipeline, data, where, sampler)
            timed, workers = Timed(engine), Recorded(size, minutes, seconds)
            began = workers.now()
            loop.run(timed, workers, budget=loop.Budget(trials=trials), others=engine.others)
            share = workers.busy / (size * (workers.now() - began))
            asks, tells = timed.asks, timed.tells
            print(
                f"| {sampler} | {storage} | {size:,} | {trials:,} | {minutes:g} "
                f"| {1000 * mean(asks):.0f} ms | {1000 * mean(tells):.1f} ms "
                f"| {1000 * mean(asks[-100:]):.0f} ms | {100 * share:.0f} % |",
                flush=True,
            )
            engine.others.close()


def mean(values: list[float]) -> float:
    return sum(values) / max(len(values), 1)


@contextmanager
def place(storage: str, folder: Path) -> Iterator[Path | str]:
    """Where a study is kept."""
    if storage == "journal":
        yield folder / "study.journal"
        return
    folder.chmod(0o755)
    with databases.postgresql(folder / "server") as url:
        yield url


def share(processes: int, trials: int) -> int:
    """Search together; the exit code says whether anything was lost or done twice."""
    with tempfile.TemporaryDirectory(prefix="occam-share-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "task.py").write_text(kills.TASK, encoding="utf-8")
        with databases.postgresql(folder / "server") as url:
            began = time.time()
            command = [sys.executable, "-m", "occam.search.cli", "search", "task.py", "--quiet"]
            command += ["--trials", str(trials), "--storage", url, "--sampler", "random"]
            command += ["--trainer", "fit", "--name", "shared", "--target", "0.999"]
            command += ["--json", "out.json", "--backend", "jax"]  # it starts faster
            running = [subprocess.Popen(command, cwd=folder) for _ in range(processes)]
            codes = [process.wait() for process in running]
            storage = optuna.storages.RDBStorage(url)
            study = optuna.load_study(study_name="shared", storage=storage)
            told = {t.number: t.user_attrs.get(RECORD) for t in study.trials}
            storage.engine.dispose()
        return report(folder, told, trials, codes, time.time() - began)


def report(folder: Path, told: dict, wanted: int, codes: list[int], seconds: float) -> int:
    trained = [each for each in told.values() if each and each["epochs"]]
    rates = [line.split() for line in (folder / "trained.log").read_text().splitlines()]
    twice = [rate for rate, many in collections.Counter(r for *_, r in rates).items() if many > 1]
    shares = sorted(collections.Counter(pid for _, pid, _ in rates).values())
    place = json.loads((folder / "out.json").read_text())["mlflow"]
    runs = runs_of(place)
    print(f"exit codes {codes}; {seconds:.0f} s; trials of each process: {shares}")
    print(
        f"{len(trained)} of {wanted} trained, {sum(each is None for each in told.values())} lost,"
    )
    print(f"{len(twice)} trained twice; {len(runs)} runs in MLflow of {len(told)} trials")
    good = len(trained) == wanted and not twice and sorted(runs) == sorted(told)
    return 0 if good and None not in told.values() else 1


class Short:
    """A worker whose trials take a twentieth of a second and are written down."""

    size = batch = 1

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        time.sleep(0.05)
        with Path("trained.log").open("a", encoding="utf-8") as file:
            print(trial.number, os.getpid(), file=file, flush=True)
        future: Future[FinishedTrial] = Future()
        ended = {"score": 0.9, "projected_score": 0.9, "epochs": 1}
        future.set_result(finish(trial, TrialState.PRUNED, **ended))
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        return list(running)

    def shutdown(self) -> None:
        """There is nothing to end."""


def member(url: str, trials: int) -> None:
    """One of the processes that lease trials of one study."""
    pipeline = load("breast_cancer")
    engine = engine_of(pipeline, pipeline.preprocessing(pipeline.data()), url, "random")
    others = engine.others
    release = [lambda _: others.release()]
    loop.run(engine, Short(), budget=loop.Budget(trials=trials), on_finish=release, others=others)
    others.close()


def lease(processes: int, trials: int) -> int:
    """Share a study without training, and kill two processes; whether all went well."""
    with tempfile.TemporaryDirectory(prefix="occam-lease-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        log = folder / "trained.log"
        with databases.postgresql(folder / "server") as url:
            command = [sys.executable, __file__, "member", url, str(trials)]
            running = [subprocess.Popen(command, cwd=folder) for _ in range(processes)]
            for victim in running[:2]:
                wanted = 20 + (len(log.read_text().splitlines()) if log.exists() else 0)
                while not log.exists() or len(log.read_text().splitlines()) < wanted:
                    time.sleep(0.05)
                victim.kill()
            began, at = time.time(), len(log.read_text().splitlines())
            codes = [process.wait() for process in running]
            seconds, lines = time.time() - began, log.read_text().splitlines()
            storage = optuna.storages.RDBStorage(url)
            study = optuna.load_study(study_name="simulated", storage=storage)
            told = {t.number: t.user_attrs.get(RECORD) for t in study.trials}
            storage.engine.dispose()
    trained = [each for each in told.values() if each and each["epochs"]]
    twice = len(lines) - len({line.split()[0] for line in lines})
    lost = sum(each is None for each in told.values())
    print(f"exit codes {codes}; {(len(lines) - at) / seconds:.1f} trials a second")
    print(f"{len(trained)} of {trials} trained; {lost} lost; {twice} begun again, 2 killed")
    return int(len(trained) != trials or lost > 0 or twice > 2)


def runs_of(place: dict[str, str]) -> list[int]:
    """Trial numbers of the child runs in MLflow."""
    client, found, token = mlflow.MlflowClient(place["tracking_uri"]), [], None
    condition = f"tags.`mlflow.parentRunId` = '{place['run_id']}'"
    while True:
        page = client.search_runs([place["experiment_id"]], condition, page_token=token)
        found += [int(run.data.tags["occam.trial"]) for run in page]
        token = page.token
        if not token:
            return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["share"]:
        sys.exit(share(*map(int, sys.argv[2:] or ("8", "500"))))
    if sys.argv[1:2] == ["member"]:
        sys.exit(member(sys.argv[2], int(sys.argv[3])))
    if sys.argv[1:2] == ["lease"]:
        sys.exit(lease(*map(int, sys.argv[2:] or ("8", "500"))))
    simulate(recorded(Path(sys.argv[2])))
