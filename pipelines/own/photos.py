"""A pipeline for a folder of images, one folder a class."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from occam.search.data.folders import image_files
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.convnet import convnet
from occam.spaces.transfer import transfer, weights_file
from sklearn.preprocessing import FunctionTransformer

from .images import SMALLEST, Shape, as_pixels, class_folders, read_folder, shape_for
from .labels import rarer_last
from .splits import given, said, split_called, stratified

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    from keras_tuner import HyperParameters

SIDE = 64  # pixels, of the largest images


def photos(
    folder: Path,
    *,
    metric: str | None = None,
    size: str | None = None,
    shape: Shape | None = None,
) -> Pipeline:
    """The pipeline: its raw inputs are images of 0 to 255.

    Args:
        size: pixels of a side; default: as they are, at most 64.
        shape: that the model takes which is searched.
    """
    if shape is not None and size is not None and {int(size)} != {*shape[:2]}:
        raise InputError(
            f"--size {size} is not what the model takes, {shape[1]} x {shape[0]}: leave it out."
        )
    if size is not None and int(size) < SMALLEST:
        raise InputError(f"--size must be at least {SMALLEST} pixels, received {size}.")
    images, labels, classes, splits = _read(folder, shape, int(size or 0))
    labels, classes = rarer_last(labels, classes)
    of_classes = {"classes": True, "names": classes}
    rows = given(splits, labels, **of_classes) if splits else stratified(labels, **of_classes)
    raw = Data(*((images[part], labels[part]) for part in rows))
    shape = images.shape[1:]
    transformer = FunctionTransformer(as_pixels, kw_args={"shape": shape})
    return Pipeline(
        data=lambda: raw,
        preprocessing=lambda data: data.transformed(transformer.transform),
        space=image_space(shape, len(classes), scale=1 / 255, ranked=metric == "auc"),
        target=math.nan,
        metric=metric or "accuracy",
        epochs=60,
        classes=classes,
        name=folder.resolve().name,
        notes=(
            f"{len(images):,} images of {len(classes)} classes: {', '.join(classes[:8])}.",
            f"Read as {shape[1]} x {shape[0]} pixels, {'grey' if shape[2] == 1 else 'in colour'}.",
            *([said(rows)] if splits else []),
        ),
    )


def _read(
    folder: Path, shape: Shape | None, side: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], list[str]]:
    """Images, labels, classes, and the split of each image where there is a folder a split.

    Args:
        shape: of an image; None: found out.
        side: in pixels, of a shape that is found out; 0: as large as the images, to `SIDE`.
    """
    splits = _splits(folder)
    shape = shape or _shape(list(splits) or [folder], side)
    if not splits:
        return *read_folder(folder, shape=shape), []
    found = {
        part: {each.name for each in class_folders(part) if image_files(each)} for part in splits
    }
    if bare := [part for part, classes in found.items() if not classes]:
        train = next((part for part, split in splits.items() if split == "train"), folder)
        raise InputError(
            f"{bare[0]} holds images that are in no folder of a class: make one for each class, or "
            f"give a folder that has them, such as {train}."
        )
    classes = tuple(sorted(set.union(*found.values())))
    parts = [read_folder(part, shape=shape, classes=classes) for part in splits]
    images, labels = (np.concatenate([part[each] for part in parts]) for each in (0, 1))
    named = [split for split, part in zip(splits.values(), parts, strict=True) for _ in part[1]]
    return images, labels, classes, named if len(splits) > 1 else []


def _shape(parts: list[Path], side: int) -> Shape:
    folders = [each for part in parts if part.is_dir() for each in class_folders(part)]
    files = [path for each in folders for path in image_files(each)]
    height, width, channels = shape_for(files, side=SIDE) if files else (SIDE, SIDE, 3)
    return side or height, side or width, channels


def _splits(folder: Path) -> dict[Path, str]:
    """The folders of splits, if all that hold images are called so."""
    inside = class_folders(folder) if folder.is_dir() else []
    called = {each: split_called(each.name) for each in inside if image_files(each)}
    splits = {each: split for each, split in called.items() if split}
    if len(splits) == len(called):
        return splits
    others = [each for each in called if each not in splits]
    split = splits and all(map(_holds_classes, splits))
    if split and (len(splits) > 1 or not any(map(_holds_classes, others))):
        raise InputError(
            f"{folder} has folders of splits and {others[0].name!r} beside them: move that "
            "away, or give a folder that has one folder a class."
        )
    return {}


def _holds_classes(folder: Path) -> bool:
    """Whether its images are in folders of their own, all of them."""
    inside = sum(len(image_files(each)) for each in class_folders(folder))
    return 0 < inside == len(image_files(folder))


def image_space(
    shape: tuple[int, ...], classes: int, *, scale: float, ranked: bool = False
) -> Callable[[HyperParameters], keras.Model]:
    """A network of its own or, where Keras's cache holds its weights, a MobileNetV2's blocks.

    Args:
        scale: of the pixels: 1 / 255 where they are 0 to 255.
        ranked: two classes have one output, which auc ranks the rows by.
    """
    outputs, end = ending(classes, ranked=ranked)
    families = {
        "convolutional": convnet(
            shape,
            outputs,
            **end,
            filters=(2, 24),
            blocks=(2, 4),
            heads=("global_average",),
            value_range=(0, 1 / scale),
            scale=scale,
            optimizers=("adam", "nadam", "adamw"),
            learning_rate=(1e-3, 3e-2),
        )
    }
    if _transferable(shape, scale):
        families["transfer"] = transfer(shape, outputs, **end, widths=("0.35",))

    def space(hp: HyperParameters) -> keras.Model:
        return families[hp.Choice("family", list(families))](hp)

    return space


def ending(classes: int, *, ranked: bool) -> tuple[int, dict[str, str]]:
    """How many outputs a model of classes has, with its loss and its last activation."""
    if ranked and classes == 2:
        return 1, {"loss": "binary_crossentropy", "output_activation": "sigmoid"}
    return classes, {"loss": "sparse_categorical_crossentropy", "output_activation": "softmax"}


def _transferable(shape: tuple[int, ...], scale: float) -> bool:
    try:
        weights_file("0.35")
    except FileNotFoundError:
        return False
    return shape[2] == 3 and min(shape[:2]) >= 32 and bool(np.isclose(scale, 1 / 255))
