"""What there is: pipelines, spaces, engines and their samplers, without loading any of them."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from . import engines
from .pipeline import describe, goal, names

if TYPE_CHECKING:
    from rich.console import Console


def show(console: Console) -> None:
    """Print the table of all that can be named on the command line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for number, name in enumerate(names()):
        cells = (f"[bold]{name}[/bold]", goal(name), describe(name))
        table.add_row("" if number else "pipelines", *cells)
    for kind, listed in (
        ("spaces", _spaces()),
        ("engines", engines.names()),
        *(
            (f"samplers of {each}", [*engines.samplers(each), "MODULE:CLASS"])
            for each in engines.names()
        ),
    ):
        table.add_row(kind, "", "", ", ".join(listed))
    console.print(table)


def _spaces() -> list[str]:
    """The architecture families: files that define a function of their own name."""
    package = (__package__ or "").rpartition(".")[0]
    [folder] = importlib.import_module(f"{package}.spaces").__path__
    trees = {path.stem: ast.parse(path.read_bytes()) for path in sorted(Path(folder).glob("*.py"))}
    return [
        name
        for name, tree in trees.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == name for node in tree.body)
    ]
