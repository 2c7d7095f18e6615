"""One trial from start to end: train, judge, save what reached."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import in_one_line
from ..files import written_whole
from ..metrics import metric
from ..pipeline import Data, Pipeline
from ..stopping import EXPONENT, Stop, Stops, final_score
from ..trials import FinishedTrial, Trial, TrialState, failed, finish
from .fit import OnEpoch, Run, fit, release

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True)
class Task:
    """What every trial of a search has in common."""

    pipeline: Pipeline
    search_target: float
    models: Path  # folder for the models that reach


def run_trial(
    task: Task, trial: Trial, data: Data, on_epoch: OnEpoch | None = None
) -> FinishedTrial:
    """Train a trial; a failure is a value too."""
    started, trained = time.perf_counter(), 0

    def count(epochs: int, score: float) -> bool:
        nonlocal trained
        trained = epochs
        return on_epoch is not None and on_epoch(epochs, score)

    try:
        run = fit(
            task.pipeline,
            trial.hyperparameters,
            train=data.train,
            validation=data.validation,
            epochs=trial.epochs,
            seed=trial.seed,
            stops=stops_of(task, trial),
            on_epoch=count,
            initial_epoch=trial.initial_epoch,
            initial_weights=trial.initial_weights,
            parent=trial.parent,
        )
        finished = conclude(task, trial, run)
    except Exception as error:
        finished = failed(trial, in_one_line(error), epochs=trained)
    release()
    return replace(finished, seconds=time.perf_counter() - started)


def stops_of(task: Task, trial: Trial) -> Stops:
    """The stops of a trial's run."""
    return Stops(
        metric=metric(task.pipeline.metric),
        search_target=task.search_target,
        epochs=max(trial.initial_epoch + trial.epochs, trial.horizon or 0),
        trained=trial.initial_epoch,
        exponent=EXPONENT if trial.exponent is None else trial.exponent,
    )


def conclude(task: Task, trial: Trial, run: Run) -> FinishedTrial:
    """What became of a trial, its model saved where it reached."""
    stops = stops_of(task, trial)
    if trial.weights_path is not None:
        _save(run.model(), Path(trial.weights_path))
    ended = _ended(trial, run, stops)
    if not _reached(run, stops, trial):
        return ended
    model = run.model()
    trained = int(model.count_params())
    if trained != trial.parameter_count:
        error = (
            f"its model had {trial.parameter_count:,} parameters when it was counted and "
            f"{trained:,} when it was trained: have all its parts made in build() or call()"
        )
        return failed(trial, error, epochs=run.epochs)
    path = task.models / f"trial-{trial.number}.keras"
    return replace(ended, reached=True, model_path=_save_model(model, path))


def _reached(run: Run, stops: Stops, trial: Trial) -> bool:
    """A run that stopped itself says so; one that went its whole way is judged by how it ended.

    One epoch is enough where the pipeline trains no more, not where the budget ended then.
    """
    if run.stop is not None:
        return run.stop is Stop.REACHED
    scores = run.history["score"]
    if len(scores) > 1 or trial.cut_short:
        return stops.reached(scores)
    return stops.metric.reaches(final_score(scores), stops.search_target)


def _ended(trial: Trial, run: Run, stops: Stops) -> FinishedTrial:
    if run.stop is Stop.NOT_FINITE:
        return failed(trial, f"{run.stop.value}, in epoch {run.epochs}", epochs=run.epochs)
    scores, stop = run.history["score"], run.stop
    final = final_score(scores)
    if stop is None and trial.cut_short and not _reached(run, stops, trial):
        stop = Stop.OUT_OF_EPOCHS
    early = stop not in (None, Stop.REACHED)
    how = stop.value if stop else "trained to its last epoch"
    return finish(
        trial,
        TrialState.PRUNED if early else TrialState.COMPLETE,
        score=final,
        # A curve that had come to rest would have brought no more, however many epochs were left.
        projected_score=final if stop is Stop.PLATEAU else stops.best_future(scores),
        history=run.history,
        epochs=run.epochs,
        reason=", ".join(filter(None, (how, run.note))),
    )


def _save_model(model: keras.Model, path: Path) -> str:
    """Without its loss and optimizer where those cannot be written down.

    Of a model that cannot itself, the weights: its space can build it again.
    """
    with suppress(NotImplementedError, TypeError, ValueError):
        return _save(model, path)
    model.compiled = False
    try:
        return _save(model, path)
    except (NotImplementedError, TypeError, ValueError):
        return _save(model, path.with_suffix(".weights.h5"))
    finally:
        model.compiled = True


def _save(model: keras.Model, path: Path) -> str:
    with written_whole(path) as part:
        if path.suffix == ".h5":
            model.save_weights(part)
        else:
            model.save(part)
    return str(path)
