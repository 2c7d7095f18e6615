"""Trains one model on any Keras backend, until its last epoch or an absolute stop."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner
import numpy as np

from ..errors import InputError
from ..evaluation import arrays, rows, score
from ..stopping import Stop

if TYPE_CHECKING:
    from ..pipeline import Pipeline, Space, Split
    from ..stopping import Stops

    History = dict[str, list[float]]
    OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A trained model, and how its training went: `history` holds one value an epoch."""

    history: dict[str, list[float]]
    epochs: int
    stop: Stop | None
    model: keras.Model


def fit(
    pipeline: Pipeline,
    hyperparameters: Mapping[str, Any],
    *,
    train: Split,
    validation: Split,
    epochs: int,
    seed: int,
    stops: Stops,
    on_epoch: OnEpoch | None = None,
) -> Run:
    """Build the model of a configuration and train it: the same seed gives the same weights.

    Args:
        on_epoch: is told the epochs trained so far and the validation score.
    """
    keras.utils.set_random_seed(seed)
    hp, model = build(pipeline, hyperparameters)
    train, validation = _split(train), _split(validation)
    batch_size = min(int(hp.values.get("batch_size", pipeline.batch_size)), rows(train[0]))
    watch = _Watch(validation, stops, on_epoch)
    hypermodel = _hypermodel(pipeline.space)
    arguments = dict(epochs=epochs, batch_size=batch_size, callbacks=[watch], verbose=0)
    if _trains_itself(hypermodel):
        arguments["validation_data"] = validation
        arguments = _accepted(hypermodel.fit, arguments)
    returned = hypermodel.fit(hp, model, *train, **arguments)
    if not watch.scores:
        return _unwatched(model, returned, epochs, score(model, validation, stops.metric))
    history = {"score": watch.scores, **watch.history}
    return Run(history=history, epochs=len(watch.scores), stop=watch.stop, model=model)


def build(
    pipeline: Pipeline, hyperparameters: Mapping[str, Any]
) -> tuple[keras_tuner.HyperParameters, keras.Model]:
    """The compiled model of a configuration, and the hyperparameters that the build has read."""
    hp = keras_tuner.HyperParameters()
    hp.values = dict(hyperparameters)
    model = _hypermodel(pipeline.space).build(hp)
    if not isinstance(model, keras.Model):
        raise InputError(
            f"The space of pipeline {pipeline.name!r} must return a keras.Model, "
            f"received {type(model).__name__}."
        )
    if not model.compiled:
        _compile(model, pipeline, hp)
    return hp, model


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Scores the model after each epoch and ends the training when a stop says so."""

    def __init__(self, validation: Split, stops: Stops, on_epoch: OnEpoch | None) -> None:
        super().__init__()
        self.validation, self.stops, self.on_epoch = validation, stops, on_epoch
        self.scores: list[float] = []
        self.history: History = {}
        self.stop: Stop | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        logs = {name: float(value) for name, value in (logs or {}).items()}
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        self.scores.append(score(self.model, self.validation, self.stops.metric))
        if self.on_epoch:
            self.on_epoch(len(self.scores), self.scores[-1])
        finite = math.isfinite(logs.get("loss", 0.0))
        self.stop = self.stops.decide(self.scores) if finite else Stop.NOT_FINITE
        if self.stop:
            self.model.stop_training = True


def _hypermodel(space: Space) -> keras_tuner.HyperModel:
    if isinstance(space, keras_tuner.HyperModel):
        return space
    hypermodel = keras_tuner.HyperModel()
    hypermodel.build = space
    return hypermodel


def _trains_itself(hypermodel: keras_tuner.HyperModel) -> bool:
    return getattr(hypermodel.fit, "__func__", None) is not keras_tuner.HyperModel.fit


def _accepted(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return arguments
    names = {each.name for each in parameters}
    return {name: value for name, value in arguments.items() if name in names}


def _compile(model: keras.Model, pipeline: Pipeline, hp: keras_tuner.HyperParameters) -> None:
    if pipeline.loss is None:
        raise InputError(
            f"The space of pipeline {pipeline.name!r} returns a model that is not compiled: "
            "compile it there, or give the pipeline a loss."
        )
    rate = hp.values.get("learning_rate", 1e-3)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=rate), loss=pipeline.loss)


def _split(split: Split) -> Split:
    inputs, labels = split
    return arrays(inputs), np.asarray(arrays(labels))


def _unwatched(model: keras.Model, returned: Any, epochs: int, final: float) -> Run:
    history = _history(returned)
    trained = max((len(values) for values in history.values()), default=epochs)
    return Run(history={**history, "score": [final]}, epochs=trained, stop=None, model=model)


def _history(returned: Any) -> History:
    if isinstance(returned, list | tuple):
        returned = returned[-1] if returned else None
    returned = getattr(returned, "history", returned)
    if not isinstance(returned, Mapping):
        return {}
    return {
        name: [float(value) for value in values]
        for name, values in returned.items()
        if isinstance(values, list | tuple)
    }
