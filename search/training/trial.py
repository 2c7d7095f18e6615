"""One trial from start to end: train, confirm with a fresh seed, save what reached."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

from ..metrics import metric
from ..pipeline import Data, Pipeline
from ..stopping import Stop, Stops, final_score
from ..trials import FinishedTrial, Trial, TrialState, failed
from ..trials import finished as finish
from .fit import Run, fit, release

Course = Generator["Request", Run, FinishedTrial]
OnEpoch = Callable[[int, float], bool]  # (epochs trained, score): whether to end the trial now


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every trial of a search has in common."""

    pipeline: Pipeline
    search_target: float
    models: Path  # folder for the models that reach


@dataclass(frozen=True, kw_only=True)
class Request:
    """A run that a trial needs: who trains it answers with a `Run`."""

    seed: int
    epochs: int  # at most


def run_trial(
    task: Task, trial: Trial, data: Data, on_epoch: OnEpoch | None = None
) -> FinishedTrial:
    """Train a trial, and once more with a fresh seed where it reached; a failure is a value too."""
    started = time.perf_counter()
    stops = stops_of(task, trial)

    def answer(request: Request) -> Run:
        return fit(
            task.pipeline,
            trial.hyperparameters,
            train=data.train,
            validation=data.validation,
            epochs=request.epochs,
            seed=request.seed,
            stops=stops,
            on_epoch=on_epoch,
        )

    try:
        finished = _answered(course(task, trial), answer)
    except Exception as error:
        finished = failed(trial, f"{type(error).__name__}: {error}")
    release()
    return replace(finished, seconds=time.perf_counter() - started)


def stops_of(task: Task, trial: Trial) -> Stops:
    """The stops of each run of a trial."""
    measured = metric(task.pipeline.metric)
    return Stops(metric=measured, search_target=task.search_target, epochs=trial.epochs)


def course(task: Task, trial: Trial) -> Course:
    """The runs of one trial in turn: a first, and where it reached one to confirm it."""
    stops = stops_of(task, trial)
    first = yield Request(seed=trial.seed, epochs=trial.epochs)
    if not _reached(first, stops):
        return _ended(trial, first, stops)
    left = min(trial.epochs, (trial.epoch_budget or 2 * trial.epochs) - first.epochs)
    if left < 1:
        return replace(
            _ended(trial, first, stops), reason="no epoch was left to confirm it", reached=False
        )
    second = yield Request(seed=trial.seed + 1, epochs=left)
    history = {
        **{f"first_{name}": values for name, values in first.history.items()},
        **second.history,
    }
    finished = replace(
        _ended(trial, second, stops), history=history, epochs=first.epochs + second.epochs
    )
    if not _reached(second, stops):
        return replace(finished, reason=f"not confirmed with a second seed: {finished.reason}")
    return replace(finished, reached=True, model_path=_save(second, task.models, trial.number))


def _answered(course: Course, answer: Callable[[Request], Run]) -> FinishedTrial:
    """Train what a trial asks for until it has ended."""
    try:
        request = next(course)
        while True:
            request = course.send(answer(request))
    except StopIteration as end:
        finished: FinishedTrial = end.value
        return finished


def _reached(run: Run, stops: Stops) -> bool:
    """A run that stopped itself says so; one that went its whole way is judged by how it ended."""
    if run.stop is not None:
        return run.stop is Stop.REACHED
    return stops.metric.reaches(final_score(run.history["score"]), stops.search_target)


def _ended(trial: Trial, run: Run, stops: Stops) -> FinishedTrial:
    if run.stop is Stop.NOT_FINITE:
        return failed(trial, f"{run.stop.value}, in epoch {run.epochs}", epochs=run.epochs)
    scores = run.history["score"]
    early = run.stop not in (None, Stop.REACHED)
    return finish(
        trial,
        TrialState.PRUNED if early else TrialState.COMPLETE,
        score=final_score(scores),
        projected_score=stops.best_future(scores),
        history=run.history,
        epochs=run.epochs,
        reason=run.stop.value if run.stop else "trained to its last epoch",
    )


def _save(run: Run, folder: Path, number: int) -> str:
    """Written aside and then renamed: a path that exists holds a whole model."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"trial-{number}.keras"
    part = folder / f".part-{number}.keras"
    run.model().save(part)
    part.replace(path)
    return str(path)
