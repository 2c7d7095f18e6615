"""A pipeline for a folder of images, one folder a class."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline
from occam.spaces.convnet import convnet
from occam.spaces.transfer import transfer, weights_file
from sklearn.preprocessing import FunctionTransformer

from .images import as_pixels, read_folder
from .splits import stratified

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    from keras_tuner import HyperParameters

SIZE = (64, 64)
SPLITS = {"train", "val", "valid", "validation", "test"}


def photos(folder: Path, *, metric: str | None = None) -> Pipeline:
    """The pipeline: its raw inputs are images of 64 x 64 pixels of 0 to 255, in colour."""
    if folder.is_dir() and {path.name for path in folder.iterdir() if path.is_dir()} <= SPLITS:
        raise InputError(
            f"{folder} holds splits, not classes: give a folder with one folder a class, such as "
            f"{folder / 'train'}; Occam splits it itself."
        )
    images, labels, classes = read_folder(folder, size=SIZE)
    rows = stratified(labels, classes=True)
    raw = Data(*((images[part], labels[part]) for part in rows))
    transformer = FunctionTransformer(as_pixels, kw_args={"shape": (*SIZE, 3)})
    return Pipeline(
        data=lambda: raw,
        preprocessing=lambda data: data.transformed(transformer.transform),
        space=image_space((*SIZE, 3), len(classes), scale=1 / 255),
        target=math.nan,
        metric=metric or "accuracy",
        epochs=60,
        classes=classes,
        name=folder.resolve().name,
        notes=(f"{len(images):,} images of {len(classes)} classes: {', '.join(classes[:8])}.",),
    )


def image_space(
    shape: tuple[int, ...], classes: int, *, scale: float
) -> Callable[[HyperParameters], keras.Model]:
    """A network of its own or, where Keras's cache holds its weights, a MobileNetV2's blocks.

    Args:
        scale: of the pixels: 1 / 255 where they are 0 to 255.
    """
    families = {
        "convolutional": convnet(
            shape,
            classes,
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
        families["transfer"] = transfer(shape, classes, widths=("0.35",))

    def space(hp: HyperParameters) -> keras.Model:
        return families[hp.Choice("family", list(families))](hp)

    return space


def _transferable(shape: tuple[int, ...], scale: float) -> bool:
    try:
        weights_file("0.35")
    except FileNotFoundError:
        return False
    return shape[2] == 3 and min(shape[:2]) >= 32 and bool(np.isclose(scale, 1 / 255))
