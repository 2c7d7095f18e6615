"""The pipeline that `--csv`, `--images` or `--npz` stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from occam.search.errors import InputError
from occam.search.pipeline import Pipeline

from .arrays import arrays
from .photos import photos
from .table import table


def task(
    *, csv: str | None = None, images: str | None = None, npz: str | None = None, **options: Any
) -> Pipeline:
    """One of the three, with the options of the command line that are for it.

    Raises InputError where a file cannot be used or an option is for another kind of data.
    """
    options = {name: value for name, value in options.items() if value is not None}
    if "size" in options and images is None:
        raise InputError("--size is for --images.")
    if csv is not None:
        if "label" not in options:
            raise InputError("--csv needs --label: the name of the column to predict.")
        return table(Path(csv), **options)
    if odd := options.keys() - {"metric", "size", "shape"}:
        raise InputError(f"--{min(odd)} is for --csv.")
    if images is not None:
        return photos(Path(images), **options)
    return arrays(Path(str(npz)), **options)
