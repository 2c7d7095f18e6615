"""The main job: plan, search, select, open the gate, record."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from rich.console import Console

from . import loop, report
from .building import restore
from .carrying import carry_over, depends, set_aside
from .counting import first_rows
from .earlier import teach
from .errors import InputError
from .evaluation import predictions, rows
from .executors import executor
from .plan import Plan, Settings, plan
from .progress import SearchProgress
from .selection import Ladder, TestResult, gate, select
from .tracking import Tracker, default_uri
from .trials import FinishedTrial
from .warm_start import read as read_warm_start

STUDIES = Path("mlruns", "studies")
STUDY = "study.journal"
SAMPLE = 200  # raw rows that show a model's signature, missing values among them
_OTHER = (
    "Search {!r} was made with another target, data, seed or sampler: "
    "give this one another --name, or start it anew with --fresh."
)
UNSERVED = (
    "Trial {}: its model cannot be served, as its classes keep no record of their arguments: "
    "give them a get_config(). Its weights are kept."
)
REPORTED = ("margin", "engine", "sampler", "backend", "seed")


class Conducted(NamedTuple):
    """A search that has come to its end."""

    summary: report.Summary
    trials: list[FinishedTrial]
    plan: Plan


def search(settings: Settings, console: Console) -> report.Summary:
    """Run a search to its end, or go on with it, and return the contract's JSON."""
    return conduct(settings, console).summary


def conduct(settings: Settings, console: Console) -> Conducted:
    """Run a search to its end, or go on with it.

    Raises InputError, before anything is trained or written, where the settings, the pipeline or
    its data cannot be used.
    """
    started = time.monotonic()
    planned = plan(settings)
    for line in filter(None, (planned.warning, *planned.notes)):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    with _locked(planned.name):
        job = _Job(settings, planned, console, started)
        return Conducted(job.run(), job.engine.finished, planned)


class _Job:
    """One search at work: its engine, its tracker and its screen."""

    def __init__(self, settings: Settings, planned: Plan, console: Console, started: float) -> None:
        self.settings, self.plan, self.console, self.started = settings, planned, console, started
        self.data = planned.prepared.data
        self.folder = STUDIES / planned.name
        self.engine = _engine(settings, planned, self.folder, console)
        self.tracker = Tracker(
            settings.tracking_uri or default_uri(),
            pipeline=planned.pipeline.name,
            search=planned.name,
            fresh=settings.fresh or bool(self.engine.recall("carried") and not self._run()),
        )
        self.engine.remember("run", self.tracker.run_id)

    def _run(self) -> Any:
        """The MLflow run that the trials' numbers belong to."""
        return self.engine.recall("run")

    def run(self) -> report.Summary:
        self._start()
        try:
            self._search()
        except BaseException:
            self.tracker.interrupt()
            raise
        trials = self.engine.finished
        ladder = select(
            trials,
            metric=self.plan.metric,
            target=self.plan.pipeline.target,
            labels=self.plan.labels,
            margin=self.settings.margin,
        )
        summary = self._summary(trials, ladder, self._open_gate(ladder), self._models(ladder))
        self.tracker.finish(summary)
        self._draw(ladder, summary)
        if not self.settings.quiet:
            report.show(summary, self.console, best=_best(trials, self.plan))
        return summary

    def _start(self) -> None:
        described = {
            **self._described(),
            "data": self.plan.data_fingerprint,
            "trials": self.settings.trials,
            "epochs": self.settings.epochs,
            "timeout": self.settings.timeout,
            "workers": self.plan.places.workers,
            "executor": self.settings.executor,
        }
        self.tracker.start(described, data=self.data)

    def _search(self) -> None:
        """Train what the budget allows; what an earlier run left untracked is tracked first."""
        budget = loop.Budget(
            trials=self.settings.trials,
            epochs=self.settings.epochs,
            seconds=self.settings.timeout,
        )
        progress = SearchProgress(self.console, budget, quiet=self.settings.quiet)
        logged = self.tracker.logged()
        for finished in self.engine.finished:
            progress.recall(finished)
            if finished.number not in logged:
                self.tracker.log(finished)
        with progress:
            loop.run(
                self.engine,
                executor(
                    self.plan,
                    str(self.settings.pipeline),
                    self.folder / "models",
                    seconds=self.settings.timeout,
                    progress=progress,
                ),
                budget=budget,
                on_finish=[self.tracker.log, progress.finish],
                on_end=progress.end,
            )

    def _open_gate(self, ladder: Ladder) -> list[TestResult]:
        """Show the test split to the candidates; what it was shown to is kept with the search."""
        seen = [TestResult.from_record(record) for record in self.engine.recall("test", [])]
        inputs, labels = self.data.test

        def predict_test(trial: FinishedTrial) -> Any:
            return predictions(restore(self.plan.pipeline, trial, inputs), inputs)

        results = gate(
            ladder,
            predict_test,
            np.asarray(labels),
            metric=self.plan.metric,
            target=self.plan.pipeline.target,
            seen=seen,
        )
        opened = {result.trial: result for result in [*seen, *results]}
        self.engine.remember("test", [result.record() for result in opened.values()])
        return results

    def _models(self, ladder: Ladder) -> dict[int, str]:
        """Log each model of the ladder, once."""
        uris: dict[str, str] = self.engine.recall(f"models of {self.tracker.run_id}", {})
        for rung in ladder.rungs:
            if not (rung.model_path or "").endswith(".keras"):
                self.console.print(UNSERVED.format(rung.number), soft_wrap=True)
            elif str(rung.number) not in uris:
                uris[str(rung.number)] = self.tracker.log_model(
                    rung,
                    transform=self.data.transform,
                    sample=first_rows(self.plan.prepared.raw.train[0], SAMPLE),
                    classes=self.plan.pipeline.classes,
                )
                self.engine.remember(f"models of {self.tracker.run_id}", uris)
        return {int(number): uri for number, uri in uris.items()}

    def _draw(self, ladder: Ladder, summary: report.Summary) -> None:
        """A picture of the selected model's predictions, on the search's run."""
        from .pictures import ROWS, picture

        selected = summary["selected"] or {"trial": None}
        trial = next((each for each in ladder.rungs if each.number == selected["trial"]), None)
        if trial is None:
            return
        inputs, labels = (first_rows(part, ROWS) for part in self.data.validation)
        model = restore(self.plan.pipeline, trial, inputs)
        classes, predicted = self.plan.pipeline.classes, predictions(model, inputs)
        figure = picture(inputs, np.asarray(labels), predicted, self.plan.metric, classes)
        self.tracker.log_figure(figure, "picture.png")

    def _summary(
        self,
        trials: list[FinishedTrial],
        ladder: Ladder,
        results: list[TestResult],
        models: dict[int, str],
    ) -> report.Summary:
        seconds = self.engine.recall("seconds", 0.0) + time.monotonic() - self.started
        self.engine.remember("seconds", seconds)
        described = {**self._described(), "seconds": round(seconds, 3)}
        runs = {rung.number: self.tracker.run_id_of(rung.number) or "" for rung in ladder.rungs}
        summary = report.summarise(described, trials, ladder, results, runs, models)
        summary["mlflow"] = {
            "tracking_uri": self.tracker.uri,
            "experiment_id": self.tracker.experiment_id,
            "run_id": self.tracker.run_id,
        }
        return summary

    def _described(self) -> dict[str, Any]:
        splits = {name: getattr(self.data, name) for name in ("train", "validation", "test")}
        return {
            "pipeline": self.plan.pipeline.name,
            "metric": self.plan.metric.name,
            "target": self.plan.pipeline.target,
            "search_target": self.plan.search_target,
            **{key: getattr(self.settings, key) for key in REPORTED},
            "trainer": self.plan.trainer,
            "name": self.plan.name,
            "rows": {name: rows(split[0]) for name, split in splits.items()},
        }


def _engine(settings: Settings, planned: Plan, folder: Path, console: Console) -> Any:
    """The engine of this search, with all that it knows from earlier runs and other studies."""
    module = importlib.import_module(f".engines.{settings.engine.replace('-', '_')}", __package__)

    def make(place: Path) -> Any:
        return module.Engine(
            planned.pipeline,
            name=planned.name,
            storage=settings.storage or place / STUDY,
            sampler=settings.sampler,
            seed=settings.seed,
            metric=planned.metric,
            search_target=planned.search_target,
            inputs=planned.prepared.data.train[0],
            fit_space=planned.fit_space,
            **_grouping(settings, planned),
        )

    earlier = read_warm_start(settings.warm_start, planned.metric) if settings.warm_start else []
    if settings.fresh and folder.exists():
        set_aside(folder)
    now, before = planned.depends, depends(folder)
    if before is not None and before.rest != now.rest:
        raise InputError(_OTHER.format(planned.name))
    if before is not None and before.space != now.space:
        if settings.storage:
            raise InputError(
                f"The space of search {planned.name!r} has changed, and trials are carried over "
                "only without --storage: give this one another --name."
            )
        finished, kept = module.records(folder / STUDY, planned.name)
        console.print(carry_over(folder, finished, kept, make, now), soft_wrap=True)
    engine = make(folder)
    if engine.recall("fingerprint", now.rest) != now.rest:  # a shared storage, with no folder here
        raise InputError(_OTHER.format(planned.name))
    engine.remember("fingerprint", now.rest)
    now.write(folder)
    if earlier and settings.warm_start != engine.recall("warm start"):
        said = teach(engine, earlier, planned.metric, planned.search_target)
        console.print(f"Warm start from {settings.warm_start}: {said}.", soft_wrap=True)
        engine.remember("warm start", settings.warm_start)
    return engine


def _grouping(settings: Settings, planned: Plan) -> dict[str, Any]:
    """What tells Optuna's engine which models can be trained together."""
    if settings.engine != "optuna" or planned.trainer == "fit":
        return {}
    from .training.population.executor import Templates

    return {"template": Templates(planned.pipeline, rows(planned.prepared.data.train[0]))}


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One process a search: a second would train the same trials."""
    lock = FileLock(STUDIES / f"{name}.lock")
    try:
        STUDIES.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"Search {name!r} is already running in another process: wait for it, "
            "or give this one another --name."
        ) from error
    except OSError as error:
        raise InputError(f"Cannot write to {STUDIES}: {error.strerror or error}.") from error
    try:
        yield
    finally:
        lock.release()


def _best(trials: list[FinishedTrial], planned: Plan) -> FinishedTrial | None:
    """The trial with the best score, whatever its size."""
    scored = [trial for trial in trials if trial.score is not None]
    return min(scored, key=lambda trial: planned.metric.error(trial.score or 0.0), default=None)
