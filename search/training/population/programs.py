"""The programs of a search: kept for the next batch, and compiled while others train."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any

from .dataset import Dataset
from .lowering import Member
from .program import Program
from .sizing import sized

KEPT = 16


class Programs:
    """Gives members the program that trains them, a new one where none fits.

    Args:
        data: for all of them.
        compilers: threads that compile.
    """

    def __init__(self, data: Dataset, compilers: Executor) -> None:
        self.data, self._compilers = data, compilers
        self._kept: OrderedDict[tuple[Any, ...], tuple[Program, Future[Any]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def expect(self, members: Sequence[Member]) -> None:
        """Begin to compile the program of these members; `of` says what is wrong with it."""
        with suppress(Exception):
            self._program(members)

    def of(self, members: Sequence[Member]) -> Program:
        """The program of these members, compiled.

        Raises whatever the compiler does.
        """
        program, compiled = self._program(members)
        compiled.result()
        return program

    def _program(self, members: Sequence[Member]) -> tuple[Program, Future[Any]]:
        widths, lanes = sized(members)
        penalized = any(member.penalized for member in members)
        key = (members[0].template, widths, lanes, penalized)
        if key not in self._kept:
            program = Program(members[0], widths, self.data, lanes, penalized)
            self._kept[key] = program, self._compilers.submit(program.compile)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
