"""A HyperModel's own `fit`: how it is called, and which hyperparameters it reads."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import keras_tuner

from ..errors import InputError
from ..models.building import build
from ..models.configuration import GivenHyperParameters
from ..nests import arrays, first_rows

if TYPE_CHECKING:
    from ..pipeline import Data, Pipeline, Space, Split

KERAS_OWN = frozenset(
    {"fit", "train_step", "make_train_function", "compute_loss", "compute_metrics"}
)
ROWS = 64  # of each split, for a rehearsal


def trains_itself(space: Space) -> bool:
    """Whether a space is a HyperModel with a `fit` of its own."""
    if not isinstance(space, keras_tuner.HyperModel):
        return False
    return getattr(space.fit, "__func__", None) is not keras_tuner.HyperModel.fit


def keeps_step(model: keras.Model) -> bool:
    """Whether a model is trained by Keras's own step: its class or it replaces nothing of that."""
    replaced = KERAS_OWN & vars(model).keys()
    kind = type(model)
    return not replaced and all(getattr(kind, n) is getattr(keras.Model, n) for n in KERAS_OWN)


def fit_space(pipeline: Pipeline, data: Data) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """The hyperparameters that a HyperModel's own `fit` reads beyond those of its `build`.

    They have to be known before the first trial is proposed: `fit` is called once, on a few rows,
    and what it does after an error is not known. Told too is what it does not let itself be told,
    of the epochs and the callbacks that end a trial.
    """
    space: Any = pipeline.space
    if not trains_itself(space):
        return (), ()
    hp = GivenHyperParameters({})
    model = build(pipeline, hp)
    if keras.backend.backend() == "tensorflow":
        model.jit_compile = False  # as in training
    known = len(hp.space)
    train, validation = (arrays(first_rows(each, ROWS)) for each in (data.train, data.validation))
    arguments = {
        "epochs": 1,
        "batch_size": pipeline.batch_size,
        "callbacks": [keras.callbacks.Callback()],
        "validation_data": validation,
        "verbose": 0,
    }
    _check_takes_labels(space.fit, _accepted(space.fit, arguments))
    with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):
        train_as_user_says(space, hp, model, train, arguments)
    own = tuple(name for name in ("callbacks", "epochs") if name not in arguments)
    return tuple(hp.space[known:]), own


def _check_takes_labels(fit: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse a `fit` that does not take inputs and labels, as one that takes a dataset."""
    try:
        inspect.signature(fit).bind("hp", "model", "x", "y", **arguments)
    except TypeError as error:
        raise InputError(
            f"The `fit` of a HyperModel is given x and y, as fit(self, hp, model, x, y, **kwargs) "
            f"takes them: {error}."
        ) from error


def train_as_user_says(
    hypermodel: keras_tuner.HyperModel,
    hp: keras_tuner.HyperParameters,
    model: keras.Model,
    train: Split,
    arguments: dict[str, Any],
) -> Any:
    """Call the user's own `fit`, without those arguments that it gives to `model.fit` itself.

    These are taken from `arguments`.
    """
    accepted = _accepted(hypermodel.fit, arguments)
    if "epochs" in accepted and "initial_epoch" not in accepted:
        accepted["epochs"] -= arguments.get("initial_epoch", 0)
    while True:
        try:
            return hypermodel.fit(hp, model, *train, **accepted)
        except TypeError as error:  # at the call of `model.fit`, before anything is trained
            twice = re.search(r"multiple values for keyword argument '(\w+)'", str(error))
            if twice is None or accepted.pop(twice[1], None) is None:
                raise
            arguments.pop(twice[1])


def _accepted(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return dict(arguments)
    names = {each.name for each in parameters}
    return {name: value for name, value in arguments.items() if name in names}
