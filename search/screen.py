"""The terminal, or the file or pipe in its place."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from rich.table import Table

WIDEST = 300  # characters of a table


class Screen(Console):
    """Prints text as it is: names and messages may hold what rich takes for markup or emoji."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, highlight=False, emoji=False, **options)

    @property
    def is_watched(self) -> bool:
        """Whether somebody looks on who wants to see what goes on."""
        return self.is_terminal and not self.quiet

    def say(self, line: str, *, style: str | None = None) -> None:
        """Print a line, however long it is."""
        self.print(line, style=style, soft_wrap=True)

    def show(self, table: Table) -> None:
        """Print a table as wide as it is: a narrow terminal breaks its lines, no digit is lost."""
        from rich.measure import Measurement

        widest = self.options.update(max_width=WIDEST)
        table.width = Measurement.get(self, widest, table).maximum
        self.print(table, crop=False)

    def on_broken_pipe(self) -> None:
        """Whoever read what is printed has had enough, as `head` does: the work goes on."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
