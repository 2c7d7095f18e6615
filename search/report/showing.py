"""What `occam results` and `occam report` show of searches that MLflow has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from .. import files, report
from ..errors import InputError
from ..runs.searches import find, last_search, summary
from ..runs.store import connect, reaching
from .compare import compared, show_compared
from .formats import formatted, ladder
from .reading import kept, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..screen import Screen


def results(uri: str, name: str | None, kind: str | None, screen: Screen) -> report.Summary:
    """Print the ladder and the verdict of one search, as a table, a plot and words, or as `kind`.

    Args:
        name: of a pipeline or a search, or a run ID; None: the last search.
        kind: csv, json or markdown.
    """
    client = connect(uri)
    with reaching(uri):
        run = find(client, name)
        found, record = summary(run), kept(run)
    if kind == "json":
        print(json.dumps(found, indent=2))
    elif kind:
        print(formatted(ladder(found), kind))
    else:
        report.show(found, screen, record=record, uri=uri)
    return found


def comparison(uri: str, names: Sequence[str], kind: str | None, screen: Screen) -> None:
    """Print searches beside each other, or as `kind`."""
    client = connect(uri)
    with reaching(uri):
        found = [last_search(client, name) for name in names]
    if kind:
        print(formatted(compared(found), kind))
    else:
        show_compared(found, screen)


def write(uri: str, name: str | None, output: Path) -> None:
    """Write the report of a search to a file."""
    from .page import page  # imports Altair

    refused = f"--output {output} cannot be written: {{}}."
    if output.is_dir():
        raise InputError(refused.format("give the name of a file"))
    if not (folder := output.resolve().parent).is_dir():
        raise InputError(refused.format(f"there is no folder {folder}"))
    client = connect(uri)
    with reaching(uri):
        found, record = read(client, find(client, name))
    text = page(found, record)
    try:
        files.write(output, text)
    except OSError as error:
        raise InputError(refused.format(error.strerror or error)) from error
