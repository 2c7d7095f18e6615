"""Occam's own loop, engine, stops and selection on a table: only the training is replayed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from occam.search.engines.optuna import Engine
from occam.search.loop import Budget, run
from occam.search.pipeline import Pipeline
from occam.search.selection import search_target
from occam.search.stopping import Stops
from occam.search.training.fit import Run
from occam.search.training.trial import Task, conclude, stops_of
from occam.search.trials import FinishedTrial, Trial, TrialState, finish, not_smaller
from tables import MARGIN, SEEDS, Pick, Table
from tasks import key


@dataclass(frozen=True)
class Weights:
    """Stands for the weights of a run: where in the table it ended."""

    where: tuple[int, int, int]  # configuration, seed, epoch
    parameter_count: int

    def count_params(self) -> int:
        return self.parameter_count

    def save(self, path: Path) -> None:
        path.write_text(" ".join(map(str, self.where)), encoding="utf-8")


@dataclass(eq=False)
class Replayed:
    trial: Trial
    future: Future[FinishedTrial]
    where: tuple[int, int]  # configuration, seed
    stops: Stops
    epochs: int = 0


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
        number = self.table.index[key(dict(trial.hyperparameters))]
        seed = int(np.random.default_rng(trial.seed).integers(SEEDS))
        stops = stops_of(self.task, trial)
        self.running.append(Replayed(trial, future, (number, seed), stops))
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
        best, trial = self.best, each.trial
        if best is not None and trial.parameter_count >= best.parameter_count:
            reason = not_smaller(best)
            ended = finish(trial, TrialState.PRUNED, reason=reason, epochs=each.epochs)
            each.future.set_result(ended)
            return
        each.epochs += 1
        scores = self.table.validation[each.where][: each.epochs].tolist()
        stop = each.stops.decide(scores)
        if stop is None and each.epochs < trial.epochs:
            return
        weights = Weights((*each.where, each.epochs - 1), trial.parameter_count)
        run = Run(history={"score": scores}, epochs=each.epochs, stop=stop, model=lambda: weights)
        ended = conclude(self.task, trial, run)
        if ended.reached:
            self.best = trial
        each.future.set_result(ended)


def occam(table: Table, seed: int, epochs: int, *, batch: int = 1) -> tuple[list[Pick], int]:
    """Picks as the search went on, and the epochs that it spent in all."""
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
    spent = 0

    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(
            pipeline,
            name="table",
            storage=Path(folder, "study.journal"),
            sampler="level-set",
            seed=seed,
            metric=measured,
            search_target=aim,
            inputs=None,
            template=lambda model, hp: model.template,
        )

        def note(trial: FinishedTrial) -> None:
            nonlocal spent
            spent += trial.epochs
            if trial.reached and (not picks or trial.parameter_count < picks[-1][1]):
                where = map(int, Path(trial.model_path).read_text(encoding="utf-8").split())
                picks.append((spent, trial.parameter_count, float(table.truth[tuple(where)])))

        task = Task(pipeline=pipeline, search_target=aim, models=Path(folder))
        run(engine, Replay(table, task, batch), budget=Budget(epochs=epochs), on_finish=[note])
    return picks, spent


OURS: dict[str, dict[str, int]] = {
    "Occam": {},
    "Occam, batches of 4": {"batch": 4},
    "Occam, batches of 16": {"batch": 16},
}
