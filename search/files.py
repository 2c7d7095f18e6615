"""Files that hold all that was to be written, or do not exist."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
    """Write a file whole, or into what is there and no file: a pipe, or a device."""
    end = path.resolve()  # of a link
    if end.exists() and not end.is_file():
        end.write_text(text, encoding="utf-8")
        return
    with written_whole(end) as part:
        part.write_text(text, encoding="utf-8")
