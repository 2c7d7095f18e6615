"""Images in a folder and its folders, as a search and a prediction find them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import InputError

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


def check_depth(path: Path, image: Any) -> None:
    """Refuse one of Pillow's images of more than 8 bits a pixel, which it makes nearly white."""
    if image.mode.startswith(("I", "F")):
        raise InputError(
            f"{path} has more than 8 bits a pixel: save it with 8, as it should be seen."
        )
