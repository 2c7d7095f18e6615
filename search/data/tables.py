"""Reads a CSV file as it comes: encoding and delimiter are found, and every cell stays text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pandas as pd

from ..errors import InputError

DELIMITERS = ",;\t|"
SAID = r"^sep=([^\r\n\"])\r?\n"  # the first line of some spreadsheets
BLOCK = 20_000  # rows that are lists of cells at a time
SAMPLED = 100  # lines that show which delimiter a file has
MOST_BYTES = 2**31
COMPRESSED = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "gzip", b"\xfd7zXZ": "xz"}
BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
# Texts of cells that hold nothing, in lower case; in training and in prediction.
MISSING = {
    *("", "na", "n/a", "n.a.", "n/d", "nan", "-nan", "<na>", "#n/a", "nat", "missing"),
    *("null", "(null)", "\\n", "none", "nil", "?", "-", "--", "---", "\u2013", "\u2014", ".", ".."),
    *("#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!"),  # of spreadsheets
}


def read_table(path: Path) -> pd.DataFrame:
    """A table of text cells, named by the file's first line; empty cells are empty texts.

    Raises InputError, with the line, where the file is no table.
    """
    lines = _lines(path)
    header = _header(path, next(lines)[1])
    parts = []
    while block := [cells for _, cells in islice(lines, BLOCK)]:  # lists take ten times the memory
        parts.append(pd.DataFrame(block, columns=header, dtype=str))
    if not parts:
        raise InputError(f"{path} has no rows: only a line of column names.")
    return pd.concat(parts, ignore_index=True)


def read_lines(path: Path) -> list[tuple[int, list[str]]]:
    """The number and the text cells of each line that is not blank; all have as many cells.

    Raises InputError where there is no line, or where one has more or fewer cells than the first.
    """
    return list(_lines(path))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    text = _text(path)
    said = re.match(SAID, text)
    text = re.sub(SAID, "\n", text)  # its line still counts
    sample = [line for line in islice(_each_line(text), SAMPLED) if line.strip()]
    delimiter = said[1] if said else _delimiter(sample)
    first = 0
    try:
        for line, cells in _rows(text, delimiter):
            first = first or len(cells)
            if len(cells) != first:
                raise InputError(
                    f"{path}, line {line}: {len(cells)} cells, but {first} columns are named "
                    f"(delimiter {delimiter!r}); put cells that hold the delimiter into quotes."
                )
            yield line, cells
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV: {error}.") from error
    if not first:
        raise InputError(f"{path} is empty: a line of column names and rows are needed.")


def _text(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path} is no file." if path.exists() else f"{path} does not exist.")
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path} has more than {MOST_BYTES:,} bytes: give a part of it.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if path.suffix.lower() == ".npz":
        raise InputError(f"{path} holds arrays, no table: give it as --npz {path}.")
    for magic, kind in COMPRESSED.items():
        if content.startswith(magic):
            raise InputError(f"{path} is {kind}: unpack it first.")
    encoding = next((name for bom, name in BOMS.items() if content.startswith(bom)), None)
    if encoding is None and b"\0" in content:
        raise InputError(f"{path} is no text: save it as CSV in UTF-8.")
    return _decoded(path, content, encoding)


def _decoded(path: Path, content: bytes, encoding: str | None) -> str:
    try:
        return content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding is None:  # what spreadsheets write where they do not write UTF-8
            return content.decode("cp1252", errors="replace")
        raise InputError(f"{path} is damaged: it says {encoding}, but is not.") from error


def _delimiter(lines: Sequence[str]) -> str:
    """The one that parts most lines into as many cells, and of several the one with most cells."""

    def agreement(delimiter: str) -> tuple[float, int]:
        widths = [len(cells) for _, cells in _rows("".join(lines), delimiter, strict=False)]
        width, count = Counter(widths or [0]).most_common(1)[0]
        return (count / len(widths), width) if width > 1 else (0.0, 1)

    return max(DELIMITERS, key=agreement)


def _rows(text: str, delimiter: str, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with its line."""
    csv.field_size_limit(2**24)  # a text of a row may be long
    lines = _each_line(text)
    reader = csv.reader(lines, delimiter=delimiter, strict=strict, skipinitialspace=True)
    for cells in reader:
        if any(cell.strip() for cell in cells) or len(cells) > 1:
            yield reader.line_num, [cell.strip() for cell in cells]


def _each_line(text: str) -> Iterator[str]:
    """With its end, whichever it is; a file of text in memory would take four bytes a character."""
    return (line.group() for line in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text))


def _header(path: Path, cells: Sequence[str]) -> list[str]:
    """The names of the columns; those without one, as a saved index, are numbered."""
    cells = [" ".join(cell.splitlines()) for cell in cells]
    names = [name or f"column_{number}" for number, name in enumerate(cells)]
    numbered = cells == [str(number) for number in range(len(cells))]  # by pandas
    if not numbered and all(re.fullmatch(r"[-+]?[\d.,eE+-]+", name) for name in cells):
        raise InputError(f"The first line of {path} holds numbers: it must name the columns.")
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise InputError(f"{path} names a column twice: {', '.join(twice[:3])}.")
    return names
