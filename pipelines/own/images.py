"""Reads a folder of images, one folder a class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from occam.search.data.folders import SUFFIXES, image_files, opened, pixels
from occam.search.errors import InputError
from PIL import Image

MOST_PIXELS = 50_000_000  # of one image: a small file can unpack to far more
SMALLEST = 8  # pixels a side that are read
GREY = ("1", "L", "LA")  # Pillow's modes of images without colours

Shape = tuple[int, int, int]  # height, width, channels


def read_folder(
    folder: Path, *, shape: Shape, classes: Sequence[str] = ()
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """All images as (rows, *shape) of 0 to 255, their labels and the classes' names.

    Args:
        shape: of one channel for grey images, of three for those in colour.
        classes: the folders that there must be; default: all that hold images.

    Raises InputError where a folder is missing or an image cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: give one that holds a folder of images a class.")
    found = {path.name: image_files(path) for path in class_folders(folder)}
    names = tuple(classes) or tuple(name for name, images in found.items() if images)
    missing = [name for name in names if not found.get(name)]
    if missing or len(names) < 2:
        raise InputError(_lacking(folder, missing or ["a second class"] * len(names)))
    images = [read_image(path, shape) for name in names for path in found[name]]
    labels = np.repeat(np.arange(len(names)), [len(found[name]) for name in names])
    return np.stack(images), labels, tuple(_readable(name) for name in names)


def class_folders(folder: Path) -> list[Path]:
    """The folders in it but hidden ones, which file managers and notebooks make."""
    inside = (path for path in sorted(folder.iterdir()) if path.is_dir())
    return [path for path in inside if not path.name.startswith(".")]


def _readable(name: str) -> str:
    """The name of a folder, which need not be written in UTF-8."""
    return name.encode("utf-8", "replace").decode()


def _lacking(folder: Path, missing: Sequence[str]) -> str:
    """What a folder lacks of images in folders, and what it has instead.

    Args:
        missing: classes without images; empty where there is not even one class.
    """
    suffixes = f"({', '.join(sorted(SUFFIXES))})"
    each = f"each class needs a folder of images in it {suffixes}"
    if missing:
        return f"{folder} lacks images of {', '.join(missing)}: {each}."
    if loose := image_files(folder):
        return f"{folder} holds {len(loose):,} images that are in no folder of a class: {each}."
    return f"{folder} holds no images: {each}."


def read_image(path: Path, shape: Shape) -> np.ndarray:
    with _opened(path) as image:
        return pixels(image, shape)


def shape_for(paths: Sequence[Path], *, side: int) -> Shape:
    """Square, as the middle one of the images is large, and grey if all are.

    Args:
        side: of the largest shape, in pixels.
    """
    sides, grey = [], True
    for path in paths:
        with _opened(path) as image:
            sides.append(max(image.size))
            grey = grey and image.mode in GREY
    side = int(np.clip(np.median(sides), SMALLEST, side))
    return side, side, 1 if grey else 3


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image that is not too large, of which only the head has been read."""
    with opened(path) as image:
        if image.width * image.height > MOST_PIXELS:
            raise InputError(
                f"{path} has {image.width:,} x {image.height:,} pixels: "
                f"{MOST_PIXELS:,} are the most."
            )
        yield image


def as_pixels(images: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Images as floats of 0 to 255."""
    pixels = np.asarray(images, dtype="float32")
    if pixels.shape[1:] != shape:
        raise InputError(f"Images of shape {shape} are needed, received {pixels.shape[1:]}.")
    return pixels
