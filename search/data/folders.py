"""Images in a folder and its folders, as a search and a prediction find them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import InputError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}


def image_files(folder: Path) -> list[Path]:
    """All images, sorted, but hidden ones, such as macOS leaves beside the others."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def check_depth(path: Path, image: Any) -> None:
    """Refuse one of Pillow's images of more than 8 bits a pixel, which it makes nearly white."""
    if image.mode.startswith(("I", "F")):
        raise InputError(
            f"{path} has more than 8 bits a pixel: save it with 8, as it should be seen."
        )
