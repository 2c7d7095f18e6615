"""Builds the model of a configuration, from a `build(hp)` function or a KerasTuner HyperModel."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import keras_tuner

from ..counting import Count, allocate, count_build, undrawn
from ..errors import InputError, OccamError, in_one_line
from ..fingerprint import of_model
from ..nests import first_rows
from .configuration import GivenHyperParameters, fits, register
from .constructor import remembered_arguments
from .copies import copies_of
from .schedules import schedule_of
from .suggesting import as_build, takes_trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..pipeline import Pipeline, Space
    from ..trials import FinishedTrial


ENOUGH = 5  # models that could not be built without weights: those to come are not tried so


def build(pipeline: Pipeline, hp: keras_tuner.HyperParameters) -> keras.Model:
    """The compiled model that the pipeline's space makes of `hp`.

    Raises InputError where the space returns no model, or one that cannot be compiled.
    """
    hypermodel = as_hypermodel(pipeline.space)
    hypermodel.declare_hyperparameters(hp)
    with remembered_arguments(), _without_collection(), _warned_once(pipeline.space):
        model = hypermodel.build(hp)
    if not isinstance(model, keras.Model):
        why = ": training and measuring is the search's" if isinstance(model, float) else ""
        raise InputError(
            f"The space of pipeline {pipeline.name!r} must return a keras.Model, "
            f"received {type(model).__name__}{why}."
        )
    if not model.compiled:
        _compile(model, pipeline, hp)
    if type(model) is keras.Sequential and not model.built and pipeline.row_shape is not None:
        model.build((None, *pipeline.row_shape))  # it begins without keras.Input
    allocate(model)
    return model


def build_undrawn(pipeline: Pipeline, hyperparameters: Mapping[str, Any]) -> keras.Model:
    """The model of a configuration whose weights are given to it later."""
    with undrawn():
        return build(pipeline, GivenHyperParameters(hyperparameters))


_built: set[int] = set()  # spaces that have been, by their identity


@contextmanager
def _warned_once(space: Space) -> Iterator[None]:
    """Let Keras say once what it says of each model, as that `input_shape` is an old argument.

    A search builds hundreds of them.
    """
    with warnings.catch_warnings():
        if id(space) in _built:
            warnings.filterwarnings("ignore", category=UserWarning, module=r"keras\.")
        _built.add(id(space))
        yield


@contextmanager
def _without_collection() -> Iterator[None]:
    """`keras.backend.clear_session()`, with which many a space begins, collects all garbage.

    That takes a tenth of a second, for each configuration that is only counted.
    """
    from keras.src.backend.common import global_state  # private; a test pins it

    collector = global_state.gc
    global_state.gc = SimpleNamespace(collect=lambda: None)
    try:
        yield
    finally:
        global_state.gc = collector


class Builder:
    """Builds what given hyperparameters say, and counts it.

    Args:
        inputs: a few rows that a model can be built on, where it does not know its input shape.
        fit_space: hyperparameters that a HyperModel's own `fit` reads.
    """

    def __init__(self, pipeline: Pipeline, inputs: Any, fit_space: Sequence[Any] = ()) -> None:
        self._pipeline, self._inputs, self._fit_space = pipeline, inputs, fit_space
        self._in_vain = 0  # models in a row that could not be built without weights

    def build(self, hp: keras_tuner.HyperParameters) -> Any:
        """The model of a configuration; `hp` then knows all hyperparameters that there are."""
        model = build(self._pipeline, hp)
        register(hp, self._fit_space)
        return model

    def counted(self, hp: keras_tuner.HyperParameters) -> tuple[Any, Count]:
        """The model of a configuration, mostly without weights, and their number.

        Raises whatever its build raises.
        """
        made: list[Any] = []  # the last is what is counted

        def make() -> Any:
            made.append(None)
            made[-1] = self.build(hp)
            return made[-1]

        count = count_build(make, self._inputs, with_weights=self._in_vain >= ENOUGH)
        if self._in_vain < ENOUGH:
            self._in_vain = self._in_vain + 1 if len(made) > 1 else 0
        return made[-1], count

    def tried(self, hp: keras_tuner.HyperParameters) -> Tried:
        """What is known of a configuration's model before it is trained, if it can be built."""
        try:
            model, size = self.counted(hp)
        except Exception as problem:  # a configuration that cannot be built is a failed trial
            return Tried(error=in_one_line(problem))
        scheduled = schedule_of(model.optimizer) is not None
        return Tried(size, scheduled=scheduled, architecture=of_model(model))

    def fitting(
        self, hp: keras_tuner.HyperParameters, hyperparameters: Mapping[str, Any]
    ) -> Tried | None:
        """The same, where the build reads just these hyperparameters and can be made; else None."""
        tried = self.tried(hp)
        return tried if tried.error is None and fits(hp, hyperparameters) else None

    def discover(self) -> keras_tuner.HyperParameters:
        """The hyperparameters of the default build and of each conditional scope it passes by.

        Those that loops and ifs read for other values only become known once such are tried.
        """
        space = keras_tuner.HyperParameters()
        tried: list[dict[str, Any]] = []
        while True:
            hp = GivenHyperParameters(tried[-1] if tried else {})
            try:
                self.build(hp)
            except Exception:
                if not tried:
                    raise
            space.merge(hp.space, overwrite=False)
            scopes = ({each.name: each.values[0] for each in scope} for scope in hp.inactive_scopes)
            untried = next((values for values in scopes if values not in tried), None)
            if untried is None:
                return space
            tried.append(untried)


class Tried(NamedTuple):
    """A model that was built to be counted, or could not be."""

    size: Count = Count(0, 0)
    scheduled: bool = False  # its learning rate changes while it trains
    architecture: str = ""  # fingerprint of the model
    error: str | None = None  # why it cannot be built


def restore(pipeline: Pipeline, trial: FinishedTrial, inputs: Any) -> keras.Model:
    """The trained model of a trial that reached: built again, with the weights that were saved."""
    if trial.model_path is None:
        raise InputError(f"Trial {trial.number} has no saved model: it did not reach the target.")
    if not Path(trial.model_path).exists():
        raise OccamError(
            f"The model of trial {trial.number} is gone from {trial.model_path}: bring it back, or "
            "begin the search anew with --fresh."
        )
    with undrawn():
        model = build(pipeline, GivenHyperParameters(trial.hyperparameters))
        if not model.built:
            model(first_rows(inputs, 1))
    with warnings.catch_warnings(action="ignore"):  # of the optimizer's state
        model.load_weights(trial.model_path)
    return model


def loss_of(pipeline: Pipeline, trial: FinishedTrial) -> Any:
    """What a trial's model is compiled with, as Keras holds it."""
    return build_undrawn(pipeline, trial.hyperparameters).loss


def as_hypermodel(space: Space) -> keras_tuner.HyperModel:
    """The space itself, or a HyperModel around a `build(hp)`, an Optuna function or a Keras model.

    Raises InputError where it is none of these.
    """
    if isinstance(space, keras_tuner.HyperModel):
        return space
    if isinstance(space, type) and issubclass(space, keras_tuner.HyperModel):
        raise InputError(
            f"The space is the class {space.__name__}: give one of it, as `{space.__name__}()`."
        )
    hypermodel = keras_tuner.HyperModel()
    if isinstance(space, keras.Model):
        hypermodel.build = copies_of(space)
    elif callable(space):
        hypermodel.build = as_build(space) if takes_trial(space) else space
    else:
        raise InputError(
            "A space is a function build(hp) that returns a compiled model, a HyperModel, or a "
            f"Keras model whose smaller copies are searched, received {type(space).__name__}."
        )
    return hypermodel


def _compile(model: keras.Model, pipeline: Pipeline, hp: keras_tuner.HyperParameters) -> None:
    if pipeline.loss is None:
        raise InputError(
            f"The space of pipeline {pipeline.name!r} returns a model that is not compiled: "
            "compile it there, or give the pipeline a loss."
        )
    rate = hp.values.get("learning_rate", 1e-3)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=rate), loss=pipeline.loss)
