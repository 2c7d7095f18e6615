"""The main job: plan, search, select, open the gate, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from typing import Any, NamedTuple, TypeVar

from rich.progress import track

from . import loop, report
from .errors import InputError, OccamError, Unreachable, in_one_line, redacted
from .executors.choice import executor
from .gate import Gate, judged
from .interrupts import Interrupts
from .models.building import loss_of, restore
from .nests import rows
from .opening import IDENTITY, check, check_planned, leaving, locked, open_engine
from .plan import Plan, plan
from .progress import SearchProgress
from .runs.store import default_uri
from .screen import Screen
from .selection import Ladder, TestResult, select
from .settings import Settings, asked_for
from .studies import STUDIES
from .studies.earlier import Earlier
from .studies.outages import reaching
from .tracking import Tracker
from .trials import FinishedTrial

UNSERVED = (
    "Trial {}: its model cannot be served, as its classes keep no record of their arguments: "
    "give them a get_config(). Its weights are kept."
)
UNDRAWN = "The picture of the predictions could not be drawn ({}): all else is recorded."
UNREPORTED = "The report could not be made ({}): all else is recorded; `occam report` tries again."
Made = TypeVar("Made")
REPORTED = ("margin", "engine", "sampler", "backend", "seed")


class Conducted(NamedTuple):
    """A search that has come to its end."""

    summary: report.Summary
    trials: list[FinishedTrial]
    plan: Plan


def conduct(settings: Settings, screen: Screen) -> Conducted:
    """Run a search to its end, or go on with it.

    Raises InputError, before anything is trained or written, where the settings, the pipeline or
    its data cannot be used.
    """
    started = time.monotonic()
    with Interrupts().listening() as interrupts:
        uri = settings.tracking_uri or default_uri()
        asked = asked_for(settings)
        earlier = check(settings, asked, uri)
        planned = plan(settings, asked)
        for line in filter(None, (planned.warning, *planned.notes)):
            screen.say(line)
        check_planned(settings, planned, uri)
        interrupts.check()
        with (
            reaching(settings.storage),
            locked(planned, settings.storage),
            closing(_Job(settings, planned, screen, started, interrupts, uri, earlier)) as job,
        ):
            return Conducted(job.run(), job.trials, planned)


class _Job:
    """One search at work: its engine, its tracker and its screen."""

    def __init__(
        self,
        settings: Settings,
        planned: Plan,
        screen: Screen,
        started: float,
        interrupts: Interrupts,
        uri: str,
        earlier: list[Earlier],
    ) -> None:
        self.settings, self.plan, self.screen, self.started = settings, planned, screen, started
        self.interrupts = interrupts
        self.data = planned.prepared.data
        self.folder = STUDIES / planned.name
        self.engine = open_engine(settings, planned, self.folder, screen, earlier)
        self.gate = Gate(planned, self.engine, self.folder / "test")
        self.beside: report.Record = {"standard_error": planned.standard_error}
        self.before: float = self.engine.recall("seconds", 0.0)  # of earlier runs
        self.worked = False
        self.others = self.engine.others
        with leaving(self.engine), self.others.alone("opening"):
            self.tracker = Tracker(
                uri,
                pipeline=planned.pipeline.name,
                search=planned.name,
                study=self.engine.recall(IDENTITY),
                others=self.others,
            )

    def run(self) -> report.Summary:
        self._start()
        try:
            self._search()
            self.engine.leave()
            self.interrupts.check()
            with self.others.alone("conclusion"):
                return self._conclude()
        except BaseException as error:
            self.worked = True  # at what has not ended
            with suppress(Exception):  # whatever ends the search is what is told
                if isinstance(error, KeyboardInterrupt | OccamError):  # else it may be the trial's
                    self.engine.leave()
            with suppress(Exception):
                self.engine.remember("seconds", self._seconds())
            self.tracker.interrupt()
            raise

    def _seconds(self) -> float:
        """Of this run and of those before; a run that found all done already took none."""
        if self.before and not self.worked:
            return self.before
        return self.before + time.monotonic() - self.started

    def _conclude(self) -> report.Summary:
        """Select, open the gate and record the answer."""
        trials = self.trials
        ladder = select(
            trials,
            metric=self.plan.metric,
            target=self.plan.pipeline.target,
            labels=self.plan.labels,
            margin=self.settings.margin,
        )
        with self._waiting(f"judging on {rows(self.data.test[0]):,} test rows"):
            results = self.gate.open(ladder)
        self.interrupts.check()
        try:
            self._track(trials)
            self._keep_answers(judged(ladder, results))
            summary = self._summary(
                trials, ladder, results, self._models(ladder), self.tracker.run_ids()
            )
            self.beside["opened_before"] = self.tracker.opened_elsewhere(self.plan.test_rows)
            model = self._selected(ladder, summary)
            self.tracker.finish(summary, *self._review(trials, summary, model))
        except Unreachable:
            self._show(self._summary(trials, ladder, results, {}, {}), trials)
            raise
        self._show(summary, trials)
        return summary

    def close(self) -> None:
        """Leave what is under way to the other processes."""
        self.others.close()

    @property
    def trials(self) -> list[FinishedTrial]:
        """All that have finished, with their models in files of this machine."""
        return [self.others.localised(trial) for trial in self.engine.finished]

    def _show(self, summary: report.Summary, trials: list[FinishedTrial]) -> None:
        record = self.beside | {"best": report.best(summary, trials)}
        report.show(summary, self.screen, record=record, uri=self.tracker.uri)

    def _track(self, trials: list[FinishedTrial]) -> None:
        """Have a run in MLflow for each trial, but for those that another process still records.

        One of the processes at a time, and in this order: who has let go of a trial has written
        its run before.
        """
        with self.others.alone("recording"):
            elsewhere = self.others.elsewhere()
            logged = self.tracker.run_ids(anew=True, mend=not elsewhere)
            for finished in trials:
                if finished.number not in logged and self.others.claim(finished.number):
                    self.tracker.log(finished)
            if self.others.shared:
                self.tracker.deliver()
            self.others.release()

    def _note(self, finished: FinishedTrial) -> None:
        self.worked = True

    def _release(self, finished: FinishedTrial) -> None:
        """Let the processes that share the search know that a trial is told and recorded."""
        if not self.tracker.waiting:
            self.others.release()

    def _start(self) -> None:
        described = {
            **self._described(),
            "source": self.settings.source,
            "data": self.plan.data_fingerprint,
            "test_rows": self.plan.test_rows,
            "trials": self.settings.budget.trials,
            "epochs": self.settings.epochs,
            "timeout": self.settings.timeout,
            "workers": self.plan.places.workers,
            "executor": self.settings.executor,
        }
        self.tracker.start(described, data=self.data)

    def _search(self) -> None:
        """Train what the budget allows; what an earlier run left untracked is tracked first."""
        budget = self.settings.budget
        progress = SearchProgress(self.screen, budget)
        known = self.engine.finished
        for finished in known:
            progress.recall(finished)
        self._track(known)
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
                on_finish=[self._note, self.tracker.log, progress.finish, self._release],
                on_end=progress.end,
                on_turn=self.interrupts.check,
                on_idle=self._settle,
                others=self.others,
            )
        self._settle()

    def _waiting(self, what: str) -> AbstractContextManager[Any]:
        """Show what takes long on many rows."""
        return self.screen.status(what) if self.screen.is_watched else nullcontext()

    def _settle(self) -> None:
        """Have nothing left to record, before this process waits for the others."""
        if not self.others.shared:
            return
        try:
            self.tracker.deliver()
        except Unreachable:
            self.tracker.drop()  # the study has them: who comes to the conclusion delivers them
        self.others.release()

    def _keep_answers(self, models: Iterable[FinishedTrial]) -> None:
        """Keep the answers on the test split with their trials, once those have runs."""
        runs = self.tracker.run_ids()
        for trial in models:
            if trial.number in runs:  # else another process still records it, and concludes later
                self.tracker.log_file(runs[trial.number], self.gate.answers(trial.number))

    def _models(self, ladder: Ladder) -> dict[int, str]:
        """Log each model of the ladder, once, and again where MLflow has lost it."""
        uris: dict[int, str] = {}
        recorded = self.tracker.run_ids()  # else another process is at it
        rungs = [rung for rung in ladder.rungs if rung.number in recorded]
        screen, hidden = self.screen, not self.screen.is_watched
        for rung in track(rungs, "logging models", console=screen, transient=True, disable=hidden):
            if not (rung.model_path or "").endswith(".keras"):
                self.screen.say(UNSERVED.format(rung.number))
            elif uri := self.tracker.model_uri(rung.number) or self._logged(rung):
                uris[rung.number] = uri
        return uris

    def _logged(self, rung: FinishedTrial) -> str | None:
        """Address of a model that is logged now; None, which is said, where it cannot be served."""
        try:
            return self.tracker.log_model(
                rung,
                transform=self.data.transform,
                raw=self.plan.prepared.raw.train[0],
                classes=self.plan.pipeline.classes,
                loss=loss_of(self.plan.pipeline, rung),
                classifier=self.plan.metric.needs_classes,
            )
        except InputError as error:
            self.screen.say(f"Trial {rung.number}: {error}")
            return None

    def _selected(self, ladder: Ladder, summary: report.Summary) -> Any:
        """The selected model, trained; None where there is none."""
        selected = summary["selected"] or {"trial": None}
        trial = next((each for each in ladder.rungs if each.number == selected["trial"]), None)
        return trial and restore(self.plan.pipeline, trial, self.data.validation[0])

    def _review(
        self, trials: list[FinishedTrial], summary: report.Summary, model: Any
    ) -> tuple[report.Record, dict[str, bytes]]:
        """What the report is drawn from, and the files of it and of a picture of the model."""
        from .report import reporting  # imports Altair

        selected = summary["selected"]
        record, files = self._attempted(
            lambda: reporting.reported(
                self.plan,
                self.tracker,
                trials,
                summary,
                model=model,
                held_out=self.gate.answers(selected["trial"]) if selected else None,
                beside=self.beside,
            ),
            UNREPORTED,
        ) or ({}, {})
        drawn = self._attempted(lambda: reporting.drawn(self.plan, model), UNDRAWN) or {}
        return record, files | drawn

    def _attempted(self, made: Callable[[], Made], failed: str) -> Made | None:
        """What is made of a search that is done, which is not lost to it: `failed` says why."""
        try:
            return made()
        except Exception as error:
            self.screen.say(failed.format(in_one_line(error)))
            return None

    def _summary(
        self,
        trials: list[FinishedTrial],
        ladder: Ladder,
        results: list[TestResult],
        models: dict[int, str],
        runs: dict[int, str],
    ) -> report.Summary:
        seconds = self._seconds()
        self.engine.remember("seconds", seconds)
        described = {**self._described(), "seconds": round(seconds, 3)}
        summary = report.summarise(described, trials, ladder, results, runs, models)
        summary["mlflow"] = {
            "tracking_uri": redacted(self.tracker.uri),
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
