"""What is printed is what is meant: text as it is, tables without a digit lost."""

from __future__ import annotations

import io

import pytest
from occam.search.screen import Screen
from rich.table import Table


@pytest.fixture
def screen() -> Screen:
    return Screen(file=io.StringIO(), width=20)


def test_a_table_loses_nothing_on_a_narrow_terminal(screen):
    table = Table("parameters", "test accuracy")
    table.add_row("1,234,567", "0.9876 certified")
    screen.show(table)
    printed = screen.file.getvalue()
    assert "1,234,567" in printed
    assert "0.9876 certified" in printed
    assert screen.width == 20


@pytest.mark.parametrize("name", ["wine [v2]", "a[/old]", "[bold]", ":smile:", "w" * 40])
def test_names_are_printed_as_they_are(screen, name):
    screen.say(name, style="bold")
    table = Table(name, title=name)
    table.add_row(name)
    screen.show(table)
    assert screen.file.getvalue().count(name) == 4
