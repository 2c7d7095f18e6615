"""A pipeline for a CSV file and the name of its column of labels."""

from __future__ import annotations

import math
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from occam.search.data.tables import read_table
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.dense import dense
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from .columns import KINDS, Encoder, kinds_of, unread
from .labels import Labels, read_labels
from .splits import Parts, chronological, given, grouped, said, split_called, stratified

IMBALANCED = 0.8  # share of the largest class from which accuracy says little
SMALL = 1000  # rows, below which small batches give more steps an epoch
EPOCH_ROWS = 40_000  # to be seen in training: the fewer rows there are, the more epochs
RANKED = 2000  # rows that show which columns matter most


def table(
    path: Path,
    *,
    label: str,
    group: str | None = None,
    time: str | None = None,
    split: str | None = None,
    metric: str | None = None,
) -> Pipeline:
    """The pipeline: its raw inputs are those of the file's other columns that tell anything.

    Args:
        label, group, time, split: names of columns; rows of one group stay in one split, rows are
            split in the order of time, or as a column says.
        metric: default: accuracy, balanced accuracy where one class has most of the rows, r2.
    """
    cells = read_table(path)
    columns = {"label": label, "group": group, "time": time, "split": split}
    for option, column in columns.items():
        _check_column(path, cells, option, column)
    labels = read_labels(cells[label], metric)
    cells = cells.iloc[labels.rows]  # its index still counts the rows of the file
    rows = _split(cells, labels, group=group, time=time, split=split)
    inputs = cells.drop(columns=[each for each in (label, group, split) if each])
    kinds = kinds_of(inputs)
    used = {name: kind for name, kind in kinds.items() if kind in KINDS}
    if not used:
        raise InputError(f"{path} has no column besides {label!r} that could tell anything.")
    inputs = inputs[list(used)]
    raw = Data(*((inputs.iloc[part], labels.values[part]) for part in rows))
    encoder = _fitted(Encoder(used), raw, bool(labels.classes))
    size = encoder.transform(inputs.iloc[:1]).shape[1]
    measured = metric or _metric(labels)
    return Pipeline(
        data=lambda: raw,
        preprocessing=partial(_encoded, encoder),
        space=_space(size, labels, raw.train[1], measured),
        target=math.nan,
        metric=measured,
        epochs=int(np.clip(EPOCH_ROWS // len(rows[0]), 40, 200)),
        classes=labels.classes,
        name=path.stem,
        notes=(
            *labels.notes,
            *_notes(inputs, kinds, labels),
            *([said(rows)] if split else []),
            *_why(measured, metric),
        ),
        chronological=time is not None,
        groups=cells[group].astype(str).to_numpy()[rows[2]] if group else None,
    )


def _encoded(encoder: Encoder, data: Data) -> Data:
    """The notes say already which cells were taken for missing."""
    with warnings.catch_warnings(action="ignore"):
        return data.transformed(encoder.transform)


def _check_column(path: Path, cells: pd.DataFrame, option: str, column: str | None) -> None:
    if column is not None and column not in cells:
        columns = ", ".join(map(str, cells.columns[:20]))
        raise InputError(f"{path} has no column {column!r} for --{option}; it has {columns}.")


def _split(cells: pd.DataFrame, labels: Labels, **columns: str | None) -> Parts:
    """By the column that was named: group, time or split; else at random."""
    asked = [name for name, column in columns.items() if column]
    if len(asked) > 1:
        both = " and ".join(f"--{name}" for name in asked)
        raise InputError(f"{both} exclude each other: give one of them.")
    classes = bool(labels.classes)
    if not asked:
        return stratified(labels.values, classes=classes)
    named = cells[columns[asked[0]]]
    if asked == ["split"]:
        return given(_splits(named), labels.values, classes=classes)
    return grouped(named) if asked == ["group"] else chronological(named)


def _splits(cells: pd.Series) -> list[str]:
    splits = cells.map(split_called)
    if (odd := splits.isna()).any():
        raise InputError(
            f"--split {cells.name!r} must say train, validation or test in each row, received "
            f"{cells[odd].iloc[0]!r}."
        )
    return list(splits)


def _fitted(encoder: Encoder, raw: Data, classes: bool) -> Encoder:
    """Fitted on the train split, its numbers in the order of what they say of the labels."""
    inputs, labels = raw.train
    numbers = encoder.fit(inputs).transform(inputs)
    if not numbers.shape[1]:
        raise InputError(
            f"No value of {', '.join(map(repr, encoder.kinds))} is in two of the {len(labels):,} "
            "rows to train: there is nothing to learn from."
        )
    some = np.random.default_rng(0).permutation(len(labels))[:RANKED]
    measure = mutual_info_classif if classes else mutual_info_regression
    discrete = [bool(np.isin(column, (0, 1)).all()) for column in numbers[some].T]
    told = measure(numbers[some], labels[some], discrete_features=discrete, random_state=0)
    encoder.order = np.argsort(-told, kind="stable")
    return encoder


def _metric(labels: Labels) -> str:
    if not labels.classes:
        return "r2"
    largest = np.bincount(labels.values).max() / len(labels.values)
    return "balanced_accuracy" if largest >= IMBALANCED else "accuracy"


def _why(measured: str, metric: str | None) -> tuple[str, ...]:
    """Why accuracy is not measured, where nobody asked for something else."""
    if metric or measured != "balanced_accuracy":
        return ()
    return (
        f"One class has {IMBALANCED:.0%} of the rows or more, so balanced accuracy is measured; "
        "--metric says otherwise.",
    )


def _space(size: int, labels: Labels, train: np.ndarray, metric: str):  # noqa: ANN202 - a Space
    shared = {"layers": (0, 2), "units": (2, 32), "first": (1, size) if size > 1 else None}
    shared["batch_sizes"] = (16, 32) if len(train) < SMALL else (32, 64, 128)
    if not labels.classes:
        mean, scale = float(np.mean(train)), float(np.std(train)) or 1.0
        end = {"loss": "mse", "output_activation": "linear"}
        return dense((size,), 1, **shared, **end, label_mean=mean, label_scale=scale)
    counts = np.bincount(train, minlength=len(labels.classes)).clip(min=1)
    weights = () if metric == "accuracy" else tuple(len(train) / (len(counts) * counts))
    shared["class_weights"] = tuple(map(float, weights))
    if len(labels.classes) == 2:
        end = {"loss": "binary_crossentropy", "output_activation": "sigmoid"}
        return dense((size,), 1, **shared, **end)
    return dense((size,), len(labels.classes), **shared)


def _notes(inputs: pd.DataFrame, kinds: dict[str, str], labels: Labels) -> list[str]:
    """What was found in the columns, for the user to object to."""
    found = {kind: [name for name, each in kinds.items() if each == kind] for kind in KINDS}
    listed = [f"{len(names)} {kind}" for kind, names in found.items() if names]
    what = f"{len(labels.classes)} classes" if labels.classes else "numbers"
    notes = [f"Columns: {', '.join(listed)}; the labels are {what}."]
    for name in found["number"]:
        if texts := unread(inputs[name]):
            shown = ", ".join(map(repr, texts[:3])) + (", ..." if len(texts) > 3 else "")
            notes.append(f"Numbers are missing in {name!r} where it holds {shown}.")
    for kind, why in (("identity", "count or name the rows"), ("constant", "have one value")):
        if names := [name for name, each in kinds.items() if each == kind]:
            notes.append(f"Left out, as they {why}: {', '.join(names[:8])}.")
    return notes
