"""Builds the model of a configuration, from a `build(hp)` function or a KerasTuner HyperModel."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner

from .counting import first_rows
from .errors import InputError

if TYPE_CHECKING:
    from .pipeline import Pipeline, Space
    from .trials import FinishedTrial


def as_hyperparameters(values: Mapping[str, Any]) -> keras_tuner.HyperParameters:
    """KerasTuner's `hp` with these values: what a space reads is what the trial was given."""
    hp = keras_tuner.HyperParameters()
    hp.values = dict(values)
    return hp


def build(pipeline: Pipeline, hp: keras_tuner.HyperParameters) -> keras.Model:
    """The compiled model that the pipeline's space makes of `hp`.

    Raises InputError where the space returns no model, or one that cannot be compiled.
    """
    hypermodel = as_hypermodel(pipeline.space)
    hypermodel.declare_hyperparameters(hp)
    model = hypermodel.build(hp)
    if not isinstance(model, keras.Model):
        raise InputError(
            f"The space of pipeline {pipeline.name!r} must return a keras.Model, "
            f"received {type(model).__name__}."
        )
    if not model.compiled:
        _compile(model, pipeline, hp)
    return model


def restore(pipeline: Pipeline, trial: FinishedTrial, inputs: Any) -> keras.Model:
    """The trained model of a trial that reached: built again, with the weights that were saved."""
    if trial.model_path is None:
        raise InputError(f"Trial {trial.number} has no saved model: it did not reach the target.")
    model = build(pipeline, as_hyperparameters(trial.hyperparameters))
    if not model.built:
        model(first_rows(inputs, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the optimizer's state is not loaded: none is needed
        model.load_weights(trial.model_path)
    return model


def as_hypermodel(space: Space) -> keras_tuner.HyperModel:
    """The space itself, or a HyperModel around a `build(hp)` function."""
    if isinstance(space, keras_tuner.HyperModel):
        return space
    hypermodel = keras_tuner.HyperModel()
    hypermodel.build = space
    return hypermodel


def _compile(model: keras.Model, pipeline: Pipeline, hp: keras_tuner.HyperParameters) -> None:
    if pipeline.loss is None:
        raise InputError(
            f"The space of pipeline {pipeline.name!r} returns a model that is not compiled: "
            "compile it there, or give the pipeline a loss."
        )
    rate = hp.values.get("learning_rate", 1e-3)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=rate), loss=pipeline.loss)
