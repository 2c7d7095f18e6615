"""What there is: pipelines, spaces, engines and their samplers, without loading any of them."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from . import engines
from .loading import describe, goal, names
from .screen import WIDEST

if TYPE_CHECKING:
    from .screen import Screen


def show(screen: Screen) -> None:
    """Print the table of all that can be named on the command line."""
    if not screen.is_terminal:
        screen.width = WIDEST  # another program reads it: a line each
    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("pipelines", no_wrap=True, style="bold")
    table.add_column("target", no_wrap=True)
    table.add_column("smallest known", no_wrap=True, justify="right")
    table.add_column("")
    for name in names():
        target, size = goal(name)
        table.add_row(name, target, "" if size is None else f"{size:,}", describe(name))
    screen.print(table)
    others = Table(box=None, show_header=False, pad_edge=False)
    for kind, listed in (
        ("spaces", _spaces()),
        ("engines", engines.names()),
        *(
            (f"samplers of {each}", [*engines.samplers(each), "MODULE:CLASS"])
            for each in engines.names()
        ),
    ):
        others.add_row(kind, ", ".join(listed))
    screen.print()
    screen.print(others)


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
