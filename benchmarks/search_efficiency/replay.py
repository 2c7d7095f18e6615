"""Occam's own loop, engine, stops and confirmation on a table: only the training is replayed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from occam.search.engines.optuna import Engine
from occam.search.loop import Budget, run
from occam.search.pipeline import Pipeline
from occam.search.selection import search_target
from occam.search.training.fit import Run
from occam.search.training.trial import Request, Task, course
from occam.search.trials import FinishedTrial, Trial, TrialState, finished, not_smaller

from tables import MARGIN, SEEDS, Table
from tasks import key


@dataclass(frozen=True)
class Pick:
    """What a tool would deliver after so many epochs."""

    epochs: int
    size: int
    truth: float


@dataclass(frozen=True)
class Weights:
    """Stands for the weights of a run: where in the table it ended."""

    where: tuple[int, int, int]  # configuration, seed, epoch

    def save(self, path: Path) -> None:
        path.write_text(" ".join(map(str, self.where)), encoding="utf-8")


@dataclass(eq=False)
class Replayed:
    trial: Trial
    future: Future[FinishedTrial]
    course: Any
    request: Request
    number: int
    first_seed: int
    epochs: int = 0  # in earlier runs
    position: int = 0  # epochs of the run under way

    @property
    def seed(self) -> int:
        return (self.first_seed + self.request.seed - self.trial.seed) % SEEDS


@dataclass
class Replay:
    """An executor: all trials of a batch go on together, an epoch at a time, as a population."""

    table: Table
    task: Task
    size: int = 1
    running: list[Replayed] = field(default_factory=list)
    best: Trial | None = None

    @property
    def batch(self) -> int:
        return self.size

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        future: Future[FinishedTrial] = Future()
        path = course(self.task, trial)
        number = self.table.index[key(dict(trial.hyperparameters))]
        seed = int(np.random.default_rng(trial.seed).integers(SEEDS))
        self.running.append(Replayed(trial, future, path, next(path), number, seed))
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        while not (done := [future for future in running if future.done()]):
            for each in sorted(self.running, key=lambda each: each.trial.parameter_count):
                self._advance(each)
            self.running = [each for each in self.running if not each.future.done()]
        return done

    def shutdown(self) -> None:
        self.running = []

    def _advance(self, each: Replayed) -> None:
        best = self.best
        if best is not None and each.trial.parameter_count >= best.parameter_count:
            trained, reason = each.epochs + each.position, not_smaller(best)
            each.future.set_result(
                finished(each.trial, TrialState.PRUNED, reason=reason, epochs=trained)
            )
            return
        each.position += 1
        scores = self.table.validation[each.number, each.seed, : each.position].tolist()
        stop = each.request.stops.decide(scores)
        if stop is None and each.position < each.request.epochs:
            return
        where = each.number, each.seed, each.position - 1
        ended = Run(
            history={"score": scores},
            epochs=each.position,
            stop=stop,
            model=lambda: Weights(where),
        )
        each.epochs, each.position = each.epochs + each.position, 0
        try:
            each.request = each.course.send(ended)
        except StopIteration as end:
            if end.value.reached:
                self.best = each.trial
            each.future.set_result(end.value)


def occam(
    table: Table, seed: int, epochs: int, *, sampler: str = "level-set", batch: int = 1
) -> tuple[list[Pick], str]:
    """Picks as the search went on, and why it ended."""
    measured, target = table.metric, table.target
    aim = search_target(measured, target, table.labels, MARGIN)
    pipeline = Pipeline(
        data=lambda: None,  # type: ignore[arg-type,return-value]  # nothing is trained
        space=table.build,
        target=target,
        metric=table.task.metric,
        epochs=table.task.epochs,
        name="table",
    )
    picks: list[Pick] = []
    spent, ends = 0, []

    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(
            pipeline,
            name="table",
            storage=Path(folder, "study.journal"),
            sampler=sampler,
            seed=seed,
            metric=measured,
            search_target=aim,
            inputs=None,
            template=lambda model, hp: model.template,
        )

        def note(trial: FinishedTrial) -> None:
            nonlocal spent
            spent += trial.epochs
            if trial.reached and (not picks or trial.parameter_count < picks[-1].size):
                where = map(int, Path(trial.model_path).read_text(encoding="utf-8").split())
                picks.append(Pick(spent, trial.parameter_count, float(table.truth[tuple(where)])))

        workers = Replay(table, Task(pipeline=pipeline, search_target=aim, models=Path(folder)), batch)
        run(
            engine,
            workers,
            budget=Budget(epochs=epochs),
            on_finish=[note],
            on_end=ends.append,
        )
    return picks, f"{spent} epochs: {ends[-1]}"
