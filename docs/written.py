"""Writes the parts of the reference that the program itself knows: options and pipelines."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from occam.search.loading import goal, names
from occam.search.options import parser


def fill(app: Any, name: str, source: list[str]) -> None:
    """Sphinx calls this with the text of each page before it is read."""
    for mark, lines in MARKS.items():
        if mark in source[0]:
            source[0] = source[0].replace(mark, "\n".join(lines()))


def commands() -> Iterator[str]:
    """A section for each command, from argparse's own records."""
    (subparsers,) = (
        action
        for action in parser()._actions  # argparse has no public way to ask for its actions
        if isinstance(action, argparse._SubParsersAction)
    )
    summaries = {each.dest: each.help or "" for each in subparsers._choices_actions}
    for name, command in subparsers.choices.items():
        yield f"\n## occam {name}\n\n{_sentence(summaries[name])}\n"
        command.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=88)
        yield f"```text\n{command.format_usage().removeprefix('usage: ').strip()}\n```\n"
        rows = [_row(action) for action in command._actions if action.dest != "help"]
        if rows:
            yield "| argument | meaning |\n|---|---|"
            yield from rows


def pipelines() -> Iterator[str]:
    """A section for each pipeline, from the docstring of its file, which is not run."""
    for name in names():
        spec = importlib.util.find_spec(f"occam.pipelines.{name}")
        text = Path(str(spec and spec.origin)).read_text(encoding="utf-8")
        title, _, body = (ast.get_docstring(ast.parse(text)) or "").partition("\n")
        target, size = goal(name)
        known = "" if size is None else f"; smallest known: {size:,} parameters"
        yield f"\n## {name}\n\n**{title}**\n{body}\n\nTarget: {target}{known}.\n"


MARKS: dict[str, Callable[[], Iterator[str]]] = {
    "<!-- commands -->": commands,
    "<!-- pipelines -->": pipelines,
}


def _row(action: argparse.Action) -> str:
    shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    if action.option_strings and action.nargs != 0:
        shown += f" {action.metavar or action.dest.upper()}"
    meaning = action.help or ""
    if action.choices is not None:
        offered = "one of " + ", ".join(f"`{choice}`" for choice in action.choices)
        meaning = f"{meaning}; {offered}" if meaning else offered
    if action.required and action.option_strings:
        meaning += "; required"
    return f"| `{_cell(shown)}` | {_options_as_code(_cell(meaning))} |"


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def _options_as_code(text: str) -> str:
    """Else two hyphens become a dash."""
    return re.sub(r"(?<![\w`-])--[a-z][\w-]*", r"`\g<0>`", text)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
