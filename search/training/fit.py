"""Trains one model on any Keras backend, until its last epoch or an absolute stop."""

from __future__ import annotations

import gc
import itertools
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..models.building import build
from ..models.configuration import GivenHyperParameters
from ..models.evaluation import score
from ..models.schedules import going_on
from ..nests import arrays, first_rows, rows
from ..stopping import Stop, final_score
from .features import without_backbone
from .users_fit import train_as_user_says, trains_itself

if TYPE_CHECKING:
    from ..pipeline import Pipeline, Split
    from ..stopping import Stops
    from ..trials import Parent

History = dict[str, list[float]]
OnEpoch = Callable[[int, float], bool]  # (epochs trained, score): whether to end the trial now
RELEASE_EVERY = 10  # trials: a full collection takes as long as a third of a small trial


@dataclass(frozen=True, kw_only=True)
class Run:
    """How a training went, with one value an epoch in `history`, and what makes its model."""

    history: History
    epochs: int
    stop: Stop | None
    model: Callable[[], keras.Model]
    note: str = ""  # what it began with, where it has a parent


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
    initial_epoch: int = 0,
    initial_weights: str | None = None,
    parent: Parent | None = None,
) -> Run:
    """Build the model of a configuration and train it: the same seed gives the same weights.

    Args:
        epochs: to train at most, those of an earlier run not counted.
        on_epoch: is told the epochs trained so far and the validation score; true ends the run.
        initial_epoch: epochs that an earlier run has trained, whose weights are `initial_weights`.
        parent: a trial whose units this one begins with.
    """
    seed_everything(seed)
    hp = GivenHyperParameters(hyperparameters)
    model = build(pipeline, hp)
    batch_size = min(int(hp.values.get("batch_size", pipeline.batch_size)), rows(train[0]))
    if initial_weights is not None:
        _begin_with(initial_weights, model, train[0])
    note, behind = _inherited(pipeline, parent, model, train[0])
    trained, own = model, trains_itself(pipeline.space)
    if not own:
        inputs = train[0], validation[0]
        trained, (features, validated) = without_backbone(model, *inputs)
        train, validation = (features, train[1]), (validated, validation[1])
    train, validation = _as_arrays(train), _as_arrays(validation)
    watch = _Watch(validation, stops, on_epoch)
    arguments: dict[str, Any] = {  # of `model.fit`, which counts epochs from the very first
        "epochs": initial_epoch + epochs,
        **({"initial_epoch": initial_epoch} if initial_epoch else {}),
        "batch_size": batch_size,
        "callbacks": [watch],
        "verbose": 0,
    }
    if keras.backend.backend() == "tensorflow":
        trained.jit_compile = False  # XLA takes longer to compile a small model than to train it
    with going_on(model.optimizer, behind * math.ceil(rows(train[0]) / batch_size)):
        if own:
            arguments["validation_data"] = validation
            returned = train_as_user_says(pipeline.space, hp, model, train, arguments)
        else:
            returned = _train(trained, train, arguments, epochs=epochs, seed=seed, watch=watch)
    _unshare(trained)
    if not watch.scores:
        return _unwatched(model, returned, epochs, score(trained, validation, stops.metric))
    scores, stop = watch.scores, watch.stop
    if own:  # which may have put back weights of an earlier epoch
        final = score(model, validation, stops.metric)
        if stops.metric.better(final_score(scores), final):
            scores = [*scores[:-2], *[final] * len(scores[-2:])]
            stop = None if stop is Stop.REACHED and not stops.reached(scores) else stop
    return Run(
        history={**watch.history, "score": scores},
        epochs=len(scores),
        stop=stop,
        model=lambda: model,
        note=note,
    )


def release() -> None:
    """Free the memory of trials that are over; to be called after each, works at every tenth."""
    if next(_releases) % RELEASE_EVERY:
        return
    if keras.backend.backend() == "tensorflow":
        from .tensorflow_loop import release_memory

        release_memory()
        return
    gc.collect()
    if keras.backend.backend() == "jax":
        import jax

        jax.clear_caches()


_releases = itertools.count(1)


def seed_everything(seed: int) -> None:
    """Seed every random generator that a trial can draw from.

    `keras.utils.set_random_seed` imports TensorFlow wherever it is installed, 400 megabytes and
    some seconds of each worker process: where another backend computes, its parts are called here.
    """
    if keras.backend.backend() == "tensorflow" or "tensorflow" in sys.modules:
        keras.utils.set_random_seed(seed)
        return
    from keras.src.backend.common import global_state  # private; a test pins it

    global_state.set_global_attribute("global_seed_generator", None)
    random.seed(seed)
    np.random.seed(seed)
    if keras.backend.backend() == "torch":
        import torch

        torch.manual_seed(seed)


class _Watch(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Scores the model after each epoch and ends the training when a stop says so."""

    def __init__(self, validation: Split, stops: Stops, on_epoch: OnEpoch | None) -> None:
        super().__init__()
        self.validation, self.stops, self.on_epoch = validation, stops, on_epoch
        self.scores: list[float] = []
        self.history: History = {}
        self.stop: Stop | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        for name, value in numbers.items():
            self.history.setdefault(name, []).append(value)
        finite = math.isfinite(numbers.get("loss", 0.0))
        self.scores.append(self._score() if finite else math.nan)
        self.stop = self.stops.decide(self.scores)
        ended = self.on_epoch is not None and self.on_epoch(len(self.scores), self.scores[-1])
        if ended and self.stop is None:
            self.stop = Stop.OUT_OF_TIME
        if self.stop:
            self.model.stop_training = True

    def _score(self) -> float:
        with _averaged(self.model):
            return score(self.model, self.validation, self.stops.metric)


@contextmanager
def _averaged(model: keras.Model) -> Iterator[None]:
    """The weights with which a training that ended now would leave the model.

    An optimizer with `use_ema` then puts the averages of its steps in their place.
    """
    optimizer = _averaging(model)
    if optimizer is None:
        yield
        return
    variables = model.trainable_variables
    kept = [keras.ops.convert_to_numpy(each) for each in variables]
    try:
        optimizer.finalize_variable_values(variables)
        _unshare(model)
        yield
    finally:
        for variable, value in zip(variables, kept, strict=True):
            variable.assign(value)


def _averaging(model: keras.Model) -> Any:
    """The optimizer, where it keeps averages of the weights."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # of a loss scale
    return optimizer if getattr(optimizer, "use_ema", False) else None


def _unshare(model: keras.Model) -> None:
    """Give weights that are averages memory of their own.

    On JAX they share the optimizer's, which is deleted when the model next computes.
    """
    for variable in model.trainable_variables if _averaging(model) is not None else ():
        variable.assign(keras.ops.copy(variable))


def _train(
    model: keras.Model,
    train: Split,
    arguments: Mapping[str, Any],
    *,
    epochs: int,
    seed: int,
    watch: _Watch,
) -> Any:
    if keras.backend.backend() == "tensorflow":
        from . import tensorflow_loop

        if tensorflow_loop.suits(model, train):
            watch.set_model(model)
            return tensorflow_loop.train(
                model,
                train,
                batch_size=arguments["batch_size"],
                epochs=epochs,
                seed=seed,
                on_epoch_end=watch.on_epoch_end,
            )
    return model.fit(*train, **arguments)


def _inherited(
    pipeline: Pipeline, parent: Parent | None, model: keras.Model, inputs: Any
) -> tuple[str, int]:
    """Give a model units of its parent: what it began with, and epochs that those have behind."""
    if parent is None:
        return "", 0
    from .inheritance import Inheritance  # imports JAX, which nothing else here needs

    weights, note = Inheritance(pipeline, inputs).give(parent, model)
    return note, parent.epochs if weights is not None else 0


def _begin_with(weights: str, model: keras.Model, inputs: Any) -> None:
    """Weights, and what the optimizer had gathered, where it is the model's own."""
    if not model.built:
        model(first_rows(inputs, 1))
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    with warnings.catch_warnings(action="ignore"):  # of an optimizer that was not saved
        model.load_weights(weights)


def _as_arrays(split: Split) -> Split:
    inputs, labels = split
    return arrays(inputs), arrays(np.asarray(labels))


def _unwatched(model: keras.Model, returned: Any, epochs: int, final: float) -> Run:
    """A run whose `fit` did not call the callbacks: all that is known is what it returned."""
    history = _history(returned)
    trained = max((len(values) for values in history.values()), default=epochs)
    stop = None if math.isfinite(final) else Stop.NOT_FINITE
    return Run(
        history={**history, "score": [final]}, epochs=trained, stop=stop, model=lambda: model
    )


def _history(returned: Any) -> History:
    """What a user's `fit` returned: a History, a dictionary, a number, or a list of these."""
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
