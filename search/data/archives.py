"""Reads .npz files, or says in one line why one cannot be read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError, first_line

if TYPE_CHECKING:
    from ..arrays import Array
    from . import Split

MOST_BYTES = 2**33  # of unpacked arrays: a small file can unpack to far more
UNREADABLE = (  # what a file that is none, or damaged, comes up with
    *(OSError, EOFError, ValueError, TypeError, KeyError, MemoryError),
    *(RuntimeError, zipfile.BadZipFile, zlib.error),  # the first: encrypted
)


def read_splits(path: Path) -> tuple[Split, Split]:
    """Train and test rows with their labels, of an .npz file with Keras's four arrays.

    Raises InputError where it cannot be read, or lacks one of them.
    """
    found = read_arrays(path, ("x_train", "y_train", "x_test", "y_test"))
    train, test = (
        (found[f"x_{part}"], found[f"y_{part}"].reshape(-1)) for part in ("train", "test")
    )
    return train, test


def read_arrays(path: Path, names: Sequence[str] = ()) -> dict[str, Array]:
    """The plain arrays of an .npz file; pickled ones and what unpacks to too much are refused.

    Args:
        names: of those that are wanted; none: all that there are.

    Raises InputError where it cannot be read, or lacks one of them.
    """
    if not path.is_file():
        raise InputError(f"{path} is no file." if path.exists() else f"{path} does not exist.")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(each.file_size for each in archive.infolist())
        if size > MOST_BYTES:
            raise InputError(f"{path} unpacks to {size:,} bytes: {MOST_BYTES:,} are the most.")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
            if missing := [name for name in names if name not in found.files]:
                has = ", ".join(found.files) or "nothing"
                raise InputError(f"{path} lacks {', '.join(missing)}; it has {has}.")
            return {name: found[name] for name in names or found.files}
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(
            f"{path} cannot be read as an .npz file of plain arrays: {first_line(error)}."
        ) from error
