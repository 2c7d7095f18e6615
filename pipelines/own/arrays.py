"""A pipeline for arrays in an .npz file: inputs `x` and labels `y`, or those of each split."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from occam.search.data.archives import read_arrays
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.dense import dense
from occam.spaces.recurrent import recurrent

from .labels import FEW, OF_NUMBERS
from .photos import ending, image_space
from .splits import given, said, split_called, stratified
from .values import LARGEST, spread

BLOCK = 4096  # rows in double precision at once
SMALLEST_IMAGE = 16  # pixels a side, from which three axes are images


def arrays(path: Path, *, metric: str | None = None) -> Pipeline:
    """The pipeline: rows of numbers, sequences of (steps, features) or images, by their axes."""
    found = read_arrays(path)
    x, y, splits = _rows(path, found)
    classes = _is_classes(path, y, metric)
    count = int(y.max()) + 1 if classes else 0
    y = y.astype("int32") if classes else y.astype("float32")
    rows = given(splits, y, classes=classes) if splits else stratified(y, classes=classes)
    raw = Data(*((x[part], y[part]) for part in rows))
    images = x.ndim == 4 or (x.ndim == 3 and min(x.shape[1:]) >= SMALLEST_IMAGE)
    shape = (*x.shape[1:], 1) if images and x.ndim == 3 else x.shape[1:]
    change = partial(standardized, shape=shape, **_units(raw.train[0], images))
    return Pipeline(
        data=lambda: raw,
        preprocessing=lambda data: data.transformed(change),
        space=_space(shape, images, count, raw.train[1], ranked=metric == "auc"),
        target=math.nan,
        metric=metric or ("accuracy" if classes else "r2"),
        epochs=40,
        name=path.stem,
        notes=(
            f"{len(x):,} rows of shape {x.shape[1:]}; the labels are "
            f"{'classes' if classes else 'numbers'}.",
            *([said(rows)] if splits else []),
        ),
    )


def _units(train: np.ndarray, images: bool) -> dict[str, Any]:
    """Where 0 is and what 1 is: of each feature, or the lightest pixel of images."""
    if images:
        return {"mean": 0.0, "scale": float(np.abs(train).max()) or 1.0}
    train = train.astype("float64")
    axes = tuple(range(train.ndim - 1))
    return {"mean": train.mean(axis=axes), "scale": spread(train, axes)}


def standardized(rows: Any, *, shape: tuple[int, ...], mean: Any, scale: Any) -> np.ndarray:
    """Numbers around 0 in units of their deviation, as they were in the train split."""
    rows = np.asarray(rows)
    made = np.empty(rows.shape, dtype="float32")
    for start in range(0, len(rows), BLOCK):  # in double precision only a part of them
        block = slice(start, start + BLOCK)
        made[block] = (rows[block].astype("float64") - mean) / scale
    return made.reshape(len(rows), *shape)


def _rows(path: Path, found: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Inputs and labels, and the split of each row where the file has its own."""
    splits = _splits(path, found)
    x, y = (_joined(path, [key + suffix for suffix in splits], found) for key in "xy")
    y = y.reshape(-1) if y.ndim == 2 and y.shape[1] == 1 else y
    if x.ndim not in (2, 3, 4) or y.ndim != 1 or len(x) != len(y) or not x.size:
        one_hot = y.ndim == 2 and len(x) == len(y) and np.isin(y, (0, 1)).all()
        raise InputError(
            f"{path}: rows of x and one label each are needed, received x {x.shape}, y {y.shape}"
            + ("; `y.argmax(axis=1)` gives one label for each one-hot row." if one_hot else ".")
        )
    for name, values in (("x", x), ("y", y)):
        _check_finite(path, name, values)
    named = [split for suffix, split in splits.items() for _ in found["y" + suffix]]
    return x, y, named if len(splits) > 1 else []


def _check_finite(path: Path, name: str, values: np.ndarray) -> None:
    if values.dtype.kind not in "biuf":
        numbers = "`np.unique(y, return_inverse=True)[1]` numbers the classes."
        raise InputError(
            f"{path}: {name} must hold finite numbers, received {values.dtype}"
            + (f"; {numbers}" if name == "y" else ".")
        )
    if missing := values.size - np.isfinite(values).sum():
        raise InputError(
            f"{path}: {name} must hold finite numbers, {missing:,} of {values.size:,} are not: "
            "fill them in or leave out their rows."
        )
    if values.dtype.kind == "f" and max(-values.min(), values.max()) > LARGEST:
        raise InputError(f"{path}: {name} holds numbers larger than {LARGEST:g}.")


def _splits(path: Path, found: dict[str, np.ndarray]) -> dict[str, str]:
    """Which suffixes of x and y are which split: "_val" is validation, "" all or what trains."""
    suffixes = {name[1:]: split_called(name[2:]) for name in found if name[:2] in ("x_", "y_")}
    splits = {suffix: split for suffix, split in suffixes.items() if split}
    if "train" not in splits.values():
        splits[""] = "train"
    for suffix in splits:
        x, y = (found.get(key + suffix) for key in "xy")
        if x is None or y is None:
            raise InputError(
                f"{path} holds {', '.join(found) or 'nothing'}: name the inputs `x` and the labels "
                "`y`, or those of your own split `x_train`, `y_train`, `x_test` and `y_test`."
            )
        if x.shape[:1] != y.shape[:1]:
            raise InputError(
                f"{path}: rows of x{suffix} and one label each are needed, received "
                f"x{suffix} {x.shape}, y{suffix} {y.shape}."
            )
    return splits


def _joined(path: Path, names: list[str], found: dict[str, np.ndarray]) -> np.ndarray:
    if len(names) == 1:
        return found[names[0]]
    try:
        return np.concatenate([found[name] for name in names])
    except (ValueError, TypeError) as error:
        shapes = " and ".join(str(found[name].shape) for name in names)
        raise InputError(
            f"{path}: {' and '.join(names)} must have rows of one shape, received {shapes}."
        ) from error


def _is_classes(path: Path, y: np.ndarray, metric: str | None) -> bool:
    if len(np.unique(y)) < 2:
        raise InputError(f"{path}: y has only one value, {y[0]}: there is nothing to learn.")
    whole = bool((y == np.round(y)).all())
    classes = whole and len(np.unique(y)) <= FEW if metric is None else metric not in OF_NUMBERS
    if classes and (not whole or y.min() < 0 or y.max() >= len(np.unique(y))):
        known = ", ".join(f"{each:g}" for each in np.unique(y)[:5])
        raise InputError(
            f"{path}: classes in y must be the whole numbers 0, 1, 2, ..., received {known}: "
            "`np.unique(y, return_inverse=True)[1]` numbers them; --metric r2 takes y for numbers."
        )
    return classes


def _space(
    shape: tuple[int, ...], images: bool, classes: int, labels: np.ndarray, *, ranked: bool
) -> Any:
    if images and classes:
        return image_space(shape, classes, scale=1.0, ranked=ranked)
    family = recurrent if len(shape) == 2 else dense
    if classes:
        outputs, end = ending(classes, ranked=ranked)
        return family(shape, outputs, **end)
    mean, scale = float(labels.mean()), float(labels.std()) or 1.0
    end = {"loss": "mse", "output_activation": "linear"}
    return family(shape, 1, **end, label_mean=mean, label_scale=scale)
