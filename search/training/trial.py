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
    stops: Stops
    initial_epoch: int = 0
    initial_weights: str | None = None


def run_trial(
    task: Task, trial: Trial, data: Data, on_epoch: OnEpoch | None = None
) -> FinishedTrial:
    """Train a trial, and once more with a fresh seed where it reached; a failure is a value too."""
    started = time.perf_counter()

    def answer(request: Request) -> Run:
        return fit(
            task.pipeline,
            trial.hyperparameters,
            train=data.train,
            validation=data.validation,
            epochs=request.epochs,
            seed=request.seed,
            stops=request.stops,
            on_epoch=on_epoch,
            initial_epoch=request.initial_epoch,
            initial_weights=request.initial_weights,
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
    return Stops(
        metric=measured,
        search_target=task.search_target,
        epochs=max(trial.initial_epoch + trial.epochs, trial.horizon or 0),
        trained=trial.initial_epoch,
    )


def course(task: Task, trial: Trial) -> Course:
    """The runs of one trial in turn: a first, and where it reached one to confirm it."""
    stops = stops_of(task, trial)
    first = yield Request(
        seed=trial.seed,
        epochs=trial.epochs,
        stops=stops,
        initial_epoch=trial.initial_epoch,
        initial_weights=trial.initial_weights,
    )
    if trial.weights_path is not None:
        _save(first, Path(trial.weights_path))
    if not _reached(first, stops):
        return _ended(trial, first, stops)
    most = trial.initial_epoch + trial.epochs
    left = min(most, (trial.epoch_budget or trial.epochs + most) - first.epochs)
    if left < 1:
        return replace(
            _ended(trial, first, stops), reason="no epoch was left to confirm it", reached=False
        )
    stops = replace(stops, trained=0)
    second = yield Request(seed=trial.seed + 1, epochs=left, stops=stops)
    history = {
        **{f"first_{name}": values for name, values in first.history.items()},
        **second.history,
    }
    finished = replace(
        _ended(trial, second, stops), history=history, epochs=first.epochs + second.epochs
    )
    if not _reached(second, stops):
        return replace(finished, reason=f"not confirmed with a second seed: {finished.reason}")
    path = task.models / f"trial-{trial.number}.keras"
    return replace(finished, reached=True, model_path=_save_model(second, path))


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


def _save_model(run: Run, path: Path) -> str:
    """Of a model that cannot be written down, the weights: its space can build it again."""
    try:
        return _save(run, path)
    except (NotImplementedError, TypeError, ValueError):
        return _save(run, path.with_suffix(".weights.h5"))


def _save(run: Run, path: Path) -> str:
    """Written aside and then renamed: what exists holds all of a model, or of its weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    if path.suffix == ".h5":
        run.model().save_weights(part)
    else:
        run.model().save(part)
    part.replace(path)
    return str(path)
