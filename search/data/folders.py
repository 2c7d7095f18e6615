"""Images in a folder and its folders, as a search and a prediction find them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..errors import InputError, first_line

if TYPE_CHECKING:
    from ..arrays import Array

MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's, by the channels of an image
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def image_files(folder: Path) -> list[Path]:
    """All images, sorted, but hidden ones, such as macOS leaves beside the others."""
    above = (*folder.absolute().parents, *folder.resolve().parents)
    found, seen = [], {os.path.realpath(each) for each in above}
    for place, folders, files in os.walk(folder, followlinks=True):
        if os.path.realpath(place) in seen:  # a link to a folder above it, or to one beside
            folders.clear()
            continue
        seen.add(os.path.realpath(place))
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES)


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """An image of which only the head has been read.

    Raises InputError where it cannot be read, then or later, or has more than 8 bits a pixel, which
    Pillow makes nearly white.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:  # of huge images
            if image.mode.startswith(("I", "F")):
                raise InputError(
                    f"{path} has more than 8 bits a pixel: save it with 8, as it should be seen."
                )
            yield image
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} cannot be read as an image: {first_line(error)}.") from error


def pixels(image: Image.Image, shape: Sequence[int]) -> Array:
    """Numbers of 0 to 255, (height, width, channels), made as large as Keras's `load_img` does."""
    height, width, channels = shape
    small = image.convert(MODES[channels]).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype="uint8").reshape(shape)
