"""Reads raw inputs from a file or a folder, in the form that a model's signature asks for."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import InputError
from ..runs.store import one_line
from .tables import read_table

UNREADABLE = (
    *(ValueError, OSError, EOFError, MemoryError, RuntimeError),  # the last: encrypted
    *(zipfile.BadZipFile, zlib.error),
)
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What to predict for; image rows are named by their files."""

    inputs: Any
    files: list[str] | None = None


def read(source: Path, schema: Any) -> Rows:
    """Raw inputs of a CSV file, an .npz file or an image folder, as a model's signature wants them.

    Args:
        schema: the input schema of an MLflow signature.
    """
    if source.is_dir():
        return _images(source, schema)
    readers: dict[str, Callable[[Path, Any], Any]] = {".csv": _csv, ".npz": _npz}
    if source.suffix.lower() not in readers:
        raise InputError(
            f"Input {str(source)!r} is none of: a CSV file, an .npz file, a folder of images."
        )
    inputs = readers[source.suffix.lower()](source, schema)
    if not len(next(iter(inputs.values())) if isinstance(inputs, dict) else inputs):
        raise InputError(f"Input {str(source)!r} has no rows.")
    return Rows(inputs=inputs)


def _csv(source: Path, schema: Any) -> Any:
    if not schema.is_tensor_spec():
        return _table(source, schema)
    spec = schema.inputs[0]
    text = spec.type.kind in "OUS"
    try:
        values = pd.read_csv(source, header=None if _headless(source) else 0, dtype=str)
        array = values.to_numpy(dtype=object if text else spec.type)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{source} cannot be read as numbers: {one_line(error)}.") from error
    return _shaped(array, spec, source)


def _table(source: Path, schema: Any) -> pd.DataFrame:
    """The columns of the signature, in its types; texts as they are, empty ones too."""
    kinds = {column.name: column.type.to_pandas() for column in schema.inputs}
    texts = {name: str for name, kind in kinds.items() if np.dtype(kind).kind == "O"}
    frame = read_table(source)
    missing = [name for name in schema.required_input_names() if name not in frame]
    if missing:
        raise InputError(
            f"{source} lacks the columns {', '.join(missing)}; it has {', '.join(map(str, frame))}."
        )
    for name in set(kinds) & set(frame) - set(texts):
        try:
            frame[name] = _typed(frame[name], np.dtype(kinds[name]))
        except (ValueError, TypeError) as error:
            raise InputError(f"{source}, column {name!r}: {one_line(error)}.") from error
    return frame


def _typed(cells: pd.Series[Any], kind: np.dtype[Any]) -> pd.Series[Any]:
    """Text cells as a column of numbers, truths or times; empty ones are missing."""
    present = cells.replace("", None)
    if kind.kind == "b":
        truths = present.str.lower().map({"true": True, "1": True, "false": False, "0": False})
        if truths.isna().any():
            raise ValueError(f"{cells[truths.isna()].iloc[0]!r} is neither true nor false")
        return truths.astype(bool)
    return (present.astype(float) if kind.kind in "iuf" else present).astype(kind)


def _headless(source: Path) -> bool:
    """Whether the first line holds numbers already."""
    with source.open(encoding="utf-8", errors="replace") as file:
        cells = file.readline().strip().split(",")
    try:
        [float(cell) for cell in cells]
    except ValueError:
        return False
    return True


def _npz(source: Path, schema: Any) -> Any:
    """The array `x`, or the only one; for a model with several inputs, those by their names."""
    try:
        with np.load(source, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except UNREADABLE as error:
        raise InputError(
            f"{source} cannot be read as an .npz file of plain arrays: {one_line(error)}."
        ) from error
    if schema.has_input_names():
        return _named(arrays, schema, source)
    name = "x" if "x" in arrays else next(iter(arrays), "")
    if len(arrays) != 1 and name != "x":
        raise InputError(
            f"{source} holds the arrays {', '.join(arrays) or 'none'}: name the inputs `x`."
        )
    return _shaped(arrays[name], schema.inputs[0], source)


def _named(arrays: dict[str, Any], schema: Any, source: Path) -> Any:
    wanted = schema.required_input_names()
    if missing := [name for name in wanted if name not in arrays]:
        raise InputError(f"{source} lacks {', '.join(missing)}; it has {', '.join(arrays)}.")
    if schema.is_tensor_spec():
        specs = {spec.name: spec for spec in schema.inputs}
        return {name: _shaped(arrays[name], specs[name], source) for name in wanted}
    return pd.DataFrame({name: arrays[name] for name in schema.input_names() if name in arrays})


def _shaped(array: Any, spec: Any, source: Path) -> Any:
    """Flat rows, and images without their channel, in the shape of one input."""
    shape = spec.shape[1:]
    if -1 in shape:
        return array.astype(spec.type)
    if array.ndim == 0 or array.size != len(array) * np.prod(shape, dtype=int):
        raise InputError(
            f"{source} has rows of shape {array.shape[1:]}; the champion takes rows of shape "
            f"{tuple(shape)}."
        )
    return array.reshape(-1, *shape).astype(spec.type)


def _images(folder: Path, schema: Any) -> Rows:
    """All images of a folder and its folders, sorted by name, scaled to the size of one input."""
    from keras.utils import img_to_array, load_img
    from PIL.Image import DecompressionBombError

    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
    if not files:
        raise InputError(f"Folder {str(folder)!r} holds no images ({', '.join(sorted(IMAGES))}).")
    shape = schema.inputs[0].shape[1:] if schema.is_tensor_spec() else ()
    if len(shape) not in (2, 3) or -1 in shape:
        raise InputError("This champion takes no images: give it a CSV or an .npz file.")
    mode = {1: "grayscale", 3: "rgb", 4: "rgba"}[[*shape, 1][2]]
    size = tuple(shape[:2])
    pixels = []
    for path in files:
        try:
            image = load_img(path, color_mode=mode, target_size=size, interpolation="bilinear")
        except (OSError, ValueError, SyntaxError, DecompressionBombError) as error:
            raise InputError(f"{path} cannot be read as an image: {one_line(error)}.") from error
        pixels.append(img_to_array(image))
    array = np.stack(pixels).reshape(-1, *shape).astype(schema.inputs[0].type)
    return Rows(inputs=array, files=[str(path.relative_to(folder)) for path in files])
