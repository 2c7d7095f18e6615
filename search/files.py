"""Files that hold all that was to be written, or do not exist."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Of a folder that nothing can be written to or moved in, though a file in it can be written.
UNMOVABLE = (errno.EACCES, errno.EBUSY, errno.EPERM, errno.EROFS)


def give_home() -> None:
    """Give an account without a name a home: Keras and MLflow ask for it as they are imported."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/nonexistent"


def cache_folder() -> Path:
    """Where what takes long to make is kept for all searches of a user; it may not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "occam")


def temporary_folder() -> Path:
    """Where a user's own files lie that nothing else takes; it may not exist yet."""
    return Path(tempfile.gettempdir(), f"occam-{os.getuid()}")


def takes_files(folder: Path) -> bool:
    """Whether it, or what it would be made in, is a folder that can be written to."""
    around = (folder, *folder.resolve().parents)
    there = next(each for each in around if os.access(each, os.F_OK))  # fails on no closed folder
    return there.is_dir() and os.access(there, os.W_OK)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Where to write what becomes `path` once the block has ended; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{path.name}")
    try:
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def write(path: Path, text: str) -> None:
    """Write a file whole, or into what is there where that cannot be: a pipe, a device, a mount."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    end = path.resolve()  # of a link
    try:
        with written_whole(end) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        if error.errno not in UNMOVABLE or not end.exists():
            raise
        end.write_text(text, encoding="utf-8")
