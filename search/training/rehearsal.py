"""Builds the default model of a space, and has it predict and be scored, before any trial is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from .. import fingerprint
from ..counting import count
from ..data.labels import check_classes, check_labels
from ..errors import InputError, in_one_line
from ..losses import loss_names
from ..models.backbones import parted
from ..models.building import build
from ..models.configuration import DefaultHyperParameters, GivenHyperParameters, register
from ..models.evaluation import predictions
from ..nests import arrays, first_rows
from .users_fit import fit_space, keeps_step, trains_itself

if TYPE_CHECKING:
    from ..data.preparation import Prepared
    from ..metrics import Metric
    from ..pipeline import Pipeline

SHOWN = 23  # rows: no usual number of classes, or labels of a wrong shape would seem to fit
MEASURED = 256  # rows
ROUNDING = 1e-6  # by which a perfect score may be more than 1
OWN = {  # what the `fit` of a HyperModel may give to `model.fit` itself
    "callbacks": "The space's `fit` has callbacks of its own: no trial is stopped early; give "
    "`callbacks=[*callbacks, ...]` with those that it is given.",
    "epochs": "The space's `fit` has epochs of its own: those of the pipeline do not count.",
}


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """What the default model of a space has shown.

    Args:
        fingerprint: of the space.
        code: of the user's own functions and classes that the model is made of; mostly empty.
        outputs: of the model, a row, or a step of one; 1 where that is not known.
        fit_space: hyperparameters that a HyperModel's own `fit` reads.
        notes: names for two hyperparameters, and what that `fit` means for the search.
    """

    fingerprint: str
    code: dict[str, str]
    outputs: int
    fit_space: tuple[Any, ...]
    notes: tuple[str, ...]


def rehearse(pipeline: Pipeline, prepared: Prepared, measured: Metric) -> Rehearsed:
    """Show that the space builds a model which fits the inputs, the labels and its loss.

    Raises InputError where it does not.
    """
    hp = DefaultHyperParameters()
    inputs, labels = prepared.data.train
    try:
        model = build(pipeline, hp)
        count(model, inputs)
    except InputError:
        raise
    except Exception as error:
        problem = in_one_line(error)
        raise InputError(
            f"The space of pipeline {pipeline.name!r} cannot build its default model: {problem}."
        ) from error
    for loss in (model.loss, pipeline.loss):
        _check_loss(loss)
    shape = _output_shape(model, inputs)
    check_labels(labels, model.loss, shape, measured)
    check_classes(pipeline.classes, shape)
    _check_fit(model, pipeline, prepared)
    if ":" in measured.name:
        _check_metric(model, prepared, measured)
    extra, own = fit_space(pipeline, prepared.data)
    register(hp, extra)
    return Rehearsed(
        fingerprint=fingerprint.of_space(pipeline.space, hp, model),
        code=fingerprint.own_code(model),
        outputs=_columns(shape),
        fit_space=extra,
        notes=(
            *hp.twice.values(),
            *(OWN[name] for name in own),
            *_unused(pipeline.loss, model),
            *_frozen(pipeline, model),
        ),
    )


def task_fingerprint(pipeline: Pipeline, prepared: Prepared) -> str:
    """Fingerprint of what trials are made of: the space by its default model, and the raw rows."""
    hp = GivenHyperParameters({})
    model = build(pipeline, hp)
    count(model, prepared.data.train[0])
    return fingerprint.of_values(
        space=fingerprint.of_space(pipeline.space, hp, model),
        code=fingerprint.own_code(model),
        rows=fingerprint.of_rows_nearly([prepared.raw.train, prepared.raw.validation]),
    )


def _check_fit(model: keras.Model, pipeline: Pipeline, prepared: Prepared) -> None:
    """Have the default model predict a few rows and, where Keras trains it, compute its loss."""
    inputs, labels = (arrays(first_rows(part, SHOWN)) for part in prepared.data.train)
    try:
        predictions(model, inputs)
        if not trains_itself(pipeline.space) and keeps_step(model):
            outputs = model(inputs)
            model.compute_loss(x=inputs, y=labels, y_pred=outputs)
            model.compute_metrics(inputs, labels, outputs)
    except InputError:
        raise
    except Exception as error:
        problem, what = in_one_line(error), "trained on its data"
        if trains_itself(pipeline.space):
            what = "measured on rows that its `fit` has not changed: that belongs in a layer"
        raise InputError(
            f"The default model of pipeline {pipeline.name!r} cannot be {what}: {problem}."
        ) from error


def _check_metric(model: keras.Model, prepared: Prepared, measured: Metric) -> None:
    """Have a metric of the user's own measure the default model, on all validation rows if need be.

    Some rows alone may lack a class that it cannot do without.
    """
    inputs, labels = prepared.data.validation
    for rows in (MEASURED, len(labels)):
        some, truth = first_rows(inputs, rows), np.asarray(labels)[:rows]
        predicted = predictions(model, some)
        try:
            score = measured.measure(truth, predicted)
        except Exception as error:
            problem = in_one_line(error)
            continue
        if score > 1 + ROUNDING:
            raise InputError(
                f"Metric {measured.name!r} must give a share from 0 to 1, where more is better, "
                f"received {score:g}: have it give 1 - x of a share x that is wrong."
            )
        return
    raise InputError(
        f"Metric {measured.name!r} cannot be measured: {problem}. It is given labels of shape "
        f"{truth.shape} and the model's outputs, {predicted.shape}."
    )


def _unused(loss: str | None, model: keras.Model) -> Iterator[str]:
    """Say of a pipeline's loss that the space has compiled the model with another."""
    if loss is None:
        return
    given = keras.losses.get(loss)
    name = getattr(given, "__name__", type(given).__name__).replace("_", "").lower()
    own = keras.losses.get(model.loss) if isinstance(model.loss, str) else model.loss
    if name not in loss_names(own):
        yield f"The space compiles its models itself: the pipeline's loss {loss!r} is not used."


def _frozen(pipeline: Pipeline, model: keras.Model) -> Iterator[str]:
    """Say that what frozen layers compute is kept, and not computed in each epoch."""
    parts = parted(model) if keeps_step(model) and not trains_itself(pipeline.space) else None
    if parts is not None:
        yield (
            f"Frozen layers in front, {parts.backbone.count_params():,} parameters: what they make "
            "of each row is computed once."
        )


def _check_loss(loss: Any) -> None:
    """A name is looked up by Keras in the first step only, in every trial anew."""
    if isinstance(loss, str):
        try:
            keras.losses.get(loss)
        except ValueError as error:
            raise InputError(
                f"Keras has no loss {loss!r}: see https://keras.io/api/losses for their names."
            ) from error


def _columns(output_shape: Any) -> int:
    last = output_shape[-1] if isinstance(output_shape, tuple) and len(output_shape) > 1 else 1
    return last if isinstance(last, int) else 1


def _output_shape(model: Any, inputs: Any) -> Any:
    """As `model.output_shape`, which subclassed models do not have."""
    try:
        return model.output_shape
    except AttributeError:
        return getattr(model(first_rows(inputs, 1)), "shape", None)
