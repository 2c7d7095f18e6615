"""Reads raw inputs from a file or a folder, in the form that a model's signature asks for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import InputError, first_line
from . import casting
from .archives import read_arrays
from .folders import MODES, SUFFIXES, image_files, opened, pixels
from .tables import read_lines, read_table

if TYPE_CHECKING:
    from ..arrays import Array

NUMBERS = "biuf"  # kinds of NumPy's types


@dataclass(frozen=True, kw_only=True)
class RawRows:
    """What to predict for; image rows are named by their files.

    Args:
        unusable: of each row, whether it holds what the champion's type of number cannot say.
    """

    inputs: Any
    files: list[str] | None = None
    unusable: Any = False

    def incomplete(self) -> Array:
        """In which rows a number is missing."""
        parts = self.inputs.values() if isinstance(self.inputs, dict) else [self.inputs]
        masks = [
            pd.isna(part).reshape(len(part), -1).any(axis=1) for part in map(np.asarray, parts)
        ]
        return np.asarray(reduce(or_, masks))

    def some(self, which: Array) -> Any:
        """The inputs of some rows."""
        if isinstance(self.inputs, dict):
            return {name: part[which] for name, part in self.inputs.items()}
        some = self.inputs[which]
        return some.reset_index(drop=True) if isinstance(some, pd.DataFrame) else some


def read(source: Path, schema: Any) -> RawRows:
    """Raw inputs of an .npz file, an image folder or a table, as a model's signature wants them.

    Args:
        schema: the input schema of an MLflow signature.
    """
    if source.is_dir():
        return _images(source, schema)
    rows = _npz(source, schema) if source.suffix.lower() == ".npz" else _csv(source, schema)
    inputs = rows.inputs
    if not len(next(iter(inputs.values())) if isinstance(inputs, dict) else inputs):
        raise InputError(f"Input {str(source)!r} has no rows.")
    return rows


def _csv(source: Path, schema: Any) -> RawRows:
    if not schema.is_tensor_spec():
        return RawRows(inputs=_table(source, schema))
    spec = schema.inputs[0]
    lines = read_lines(source)
    if casting.is_header(lines[0][1]):
        if spec.type.kind not in NUMBERS:
            said = f"occam: the first line of {source} is taken for names: {lines[0][1][0]!r}."
            print(said, file=sys.stderr)
        lines = lines[1:]
    if spec.type.kind in NUMBERS:
        return _tensor(casting.numbers(lines, source), spec, source)
    return _tensor(np.array([cells for _, cells in lines], dtype=object), spec, source)


def _table(source: Path, schema: Any) -> pd.DataFrame:
    """The columns of the signature, in its types; texts as they are, empty ones too."""
    kinds = {column.name: column.type.to_pandas() for column in schema.inputs}
    texts = {name: str for name, kind in kinds.items() if np.dtype(kind).kind == "O"}
    frame = read_table(source).rename(columns={str(name): name for name in kinds})
    missing = [str(name) for name in schema.required_input_names() if name not in frame]
    if missing:
        raise InputError(
            f"{source} lacks the columns {', '.join(missing)}; it has {', '.join(map(str, frame))}."
        )
    for name in (each for each in kinds if each in frame and each not in texts):
        try:
            frame[name] = casting.column(frame[name], np.dtype(kinds[name]))
        except (ValueError, TypeError) as error:
            raise InputError(f"{source}, column {name!r}: {first_line(error)}.") from error
    return frame


def _npz(source: Path, schema: Any) -> RawRows:
    """The array `x`, or the only one; for a model with several inputs, those by their names."""
    arrays = read_arrays(source)
    if schema.has_input_names():
        return _named(arrays, schema, source)
    name = "x" if "x" in arrays else next(iter(arrays), "")
    if len(arrays) != 1 and name != "x":
        raise InputError(
            f"{source} holds the arrays {', '.join(arrays) or 'none'}: name the inputs `x`."
        )
    return _tensor(arrays[name], schema.inputs[0], source)


def _named(arrays: dict[str, Any], schema: Any, source: Path) -> RawRows:
    wanted = schema.required_input_names()
    if missing := [name for name in wanted if name not in arrays]:
        names = ", ".join(map(str, missing))
        raise InputError(f"{source} lacks {names}; it has {', '.join(arrays)}.")
    if not schema.is_tensor_spec():
        known = [name for name in schema.input_names() if name in arrays]
        return RawRows(inputs=pd.DataFrame({name: arrays[name] for name in known}))
    specs = {spec.name: spec for spec in schema.inputs}
    parts = {name: _tensor(arrays[name], specs[name], source) for name in wanted}
    sizes = {name: len(part.inputs) for name, part in parts.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{count:,} of {name}" for name, count in sizes.items())
        raise InputError(f"{source} has {listed}: all inputs need as many rows.")
    unusable = reduce(or_, (part.unusable for part in parts.values()))
    return RawRows(inputs={name: part.inputs for name, part in parts.items()}, unusable=unusable)


def _tensor(array: Any, spec: Any, source: Path) -> RawRows:
    """Rows of one input in its shape and type; text is for a model that reads it."""
    array = _shaped(array, spec, source)
    if spec.type.kind not in NUMBERS:
        return RawRows(inputs=array.astype(spec.type))
    values, unusable = casting.tensor(array, spec.type, source)
    return RawRows(inputs=values, unusable=unusable)


def _shaped(array: Any, spec: Any, source: Path) -> Any:
    """Flat rows, and images without their channel, in the shape of one input."""
    shape = spec.shape[1:]
    if -1 in shape:
        return array
    if array.ndim == 0 or (len(array) and not _same_rows(array.shape[1:], shape)):
        raise InputError(
            f"{source} has rows of shape {array.shape[1:]}; the champion takes rows of shape "
            f"{tuple(shape)}."
        )
    return array.reshape(len(array), *shape)


def _same_rows(given: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether they are of one shape but for axes of one, or the given ones flat.

    Others may have as many numbers, as images whose channels come first, and mean something else.
    """
    flat = len(given) < 2 and np.prod(given, dtype=int) == np.prod(wanted, dtype=int)
    return flat or [each for each in given if each != 1] == [each for each in wanted if each != 1]


def _images(folder: Path, schema: Any) -> RawRows:
    """All images of a folder and its folders, sorted by name, scaled to the size of one input."""
    shape = schema.inputs[0].shape[1:] if schema.is_tensor_spec() else ()
    size = (*shape, 1)[:3]
    if len(shape) not in (2, 3) or -1 in shape or size[2] not in MODES:
        raise InputError("This champion takes no images: give it a CSV or an .npz file.")
    files = image_files(folder)
    if not files:
        raise InputError(f"Folder {str(folder)!r} holds no images ({', '.join(sorted(SUFFIXES))}).")
    images = []
    for path in files:
        with opened(path) as image:
            images.append(pixels(image, size))
    array = np.stack(images).reshape(-1, *shape).astype(schema.inputs[0].type)
    return RawRows(inputs=array, files=[str(path.relative_to(folder)) for path in files])
