"""A pipeline says what the data is, what may be built and which target must be reached."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .data import Data as Data
from .data import Split as Split
from .errors import InputError, MissingData

if TYPE_CHECKING:
    import keras
    import keras_tuner

    Build: TypeAlias = Callable[[keras_tuner.HyperParameters], keras.Model]
    Space: TypeAlias = Build | keras_tuner.HyperModel | keras.Model

Downloaded = TypeVar("Downloaded")


def split(
    inputs: Any, labels: Any = None, *, validation: Split | None = None, test: Split | None = None
) -> Data:
    """Set rows aside for validation and for the test, where they are not given: 20 % of all each.

    Classes keep their shares. The same rows are set aside at every call.

    Args:
        inputs: an array or data frame, or a list, tuple or dictionary of them; without labels
            batches of (inputs, labels), as of `Data`.
    """
    from .data import batches, splits  # NumPy takes its time

    rest = batches.gathered(inputs) if labels is None else splits.checked(inputs, labels)
    share = 0.2
    if test is None:
        rest, test = splits.set_aside(rest, share)
        share = 0.25
    if validation is None:
        rest, validation = splits.set_aside(rest, share)
    return Data(rest, validation, test)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One task: its data, what may be built for it, and the target to reach.

    Args:
        data: returns the raw splits, the same at every call.
        preprocessing: fitted on the train split only; see `Data.transformed`.
        space: a KerasTuner `build(hp)` or HyperModel, or a function of an Optuna `trial`, known by
            the name or the annotation of its parameter; returns a compiled model. Or a Keras model,
            whose smaller copies are searched.
        target: to be reached on `metric`; not a number: what a linear model shows to be possible.
        metric: "accuracy", "balanced_accuracy", "f1", "auc", "r2", "mae", "mse" or "rmse"; or
            "package.module:function" of labels and the model's outputs, (rows, ...) each, that
            gives a share from 0 to 1, where more is better. An attribute `standard_error` of that
            function, of (target, labels), says how far chance moves it.
        epochs: the most that one trial may train.
        batch_size: where the space does not choose one as the hyperparameter `batch_size`.
        loss: one of Keras's by name, for a model that the space returns uncompiled.
        classes: names of the classes, in the order of the labels 0, 1, ...
        name: set by `load`.
        notes: what was found in the data, printed before a search.
        smallest_known: fewest parameters seen to hold the target, for `occam list`.
        chronological: rows are in the order of time, so that the last label is a forecast.
        groups: of each test row what it belongs to, where rows of one group are alike: the bound at
            the gate resamples whole groups.
        row_shape: of the inputs, where they are one array of numbers; set by a search.
    """

    data: Callable[[], Data]
    space: Space
    target: float
    preprocessing: Callable[[Data], Data] | None = None
    metric: str = "accuracy"
    epochs: int = 50
    batch_size: int = 32
    loss: str | None = None
    classes: Sequence[str] = ()
    name: str = ""
    smallest_known: int | None = None
    notes: tuple[str, ...] = ()
    chronological: bool = False
    groups: Any = None
    row_shape: tuple[int, ...] | None = None


def data_file(relative: str) -> Path:
    """A file under `OCCAM_DATA` (default `~/.keras/datasets`); MissingData where there is none."""
    folder = Path(os.environ.get("OCCAM_DATA") or "~/.keras/datasets").expanduser()
    path = folder / relative
    if not path.exists():
        raise MissingData(
            f"Missing data file {relative}: put it at {path}, "
            "or set OCCAM_DATA to the folder that holds it."
        )
    return path


def downloaded(missing: MissingData, load: Callable[[], Downloaded]) -> Downloaded:
    """What Keras downloads where OCCAM_DATA names no folder; raises `missing` where it does."""
    if os.environ.get("OCCAM_DATA"):
        raise missing
    try:
        return load()
    except Exception as error:  # Keras raises plain Exception where there is no network
        raise InputError(f"{missing} Downloading it failed: {error}.") from error
