"""The pages say what is so: their commands are run, or checked by the real parser.

A block that begins with `# needs ...` asks for data, a GPU, a cluster or a terminal of its own:
its commands are parsed. All others are run, page by page, in one folder, with small budgets.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from occam.search.cli import COMMANDS, main
from occam.search.loading import names
from occam.search.options import parser
from PIL import Image
from sklearn.datasets import load_digits

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BUDGET = "--trainer fit --trials 1 --epochs 4 --quiet"
EASY = "--target 0.2"  # where a champion is needed
PROMOTED = ("digits", "customers")


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    text: str

    @property
    def runs(self) -> bool:
        return not self.text.startswith("# needs ")

    @property
    def commands(self) -> list[str]:
        lines = (re.sub(r"^\s*- run: ", "", line) for line in self.text.splitlines())
        lines = (re.sub(r"\s+#.*", "", line).strip() for line in lines)
        return [line for line in lines if line and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))]


def objection(command: str) -> str:
    """Why the command line does not know a command; empty where it does."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
            parser().parse_args(shlex.split(command)[1:])
    except SystemExit as end:
        return told.getvalue() if end.code else ""
    return ""


@pytest.mark.parametrize("page", PAGES)
def test_the_command_line_knows_every_command(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    inline = re.findall(r"(?<!`)`(occam [^`]+)`", BLOCK.sub("", text))
    shown = [each for block in blocks(page) for each in block.commands if block.language != "text"]
    for command in [*inline, *shown]:
        if not command.startswith("occam "):
            continue
        alone = len(shlex.split(command)) == 2  # named in a sentence, without its arguments
        assert not objection(f"{command} --help" if alone else command), command


def test_the_reference_names_every_option_and_pipeline(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    written = importlib.import_module("written")
    options = "\n".join(written.commands())
    for command in COMMANDS:
        assert f"## occam {command}\n" in options
    assert "| `--output DIR` | a folder; required |" in options
    pipelines = "\n".join(written.pipelines())
    assert all(f"## {name}\n" in pipelines for name in names())


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_knows_every_target_of_the_pages():
    for page in PAGES:
        for command in (each for block in blocks(page) for each in block.commands):
            if command.startswith("make "):
                subprocess.run([*shlex.split(command), "-n"], cwd=ROOT, check=True, stdout=-3)


def test_what_mlflow_is_asked_to_do_it_can():
    from mlflow.models.cli import commands

    (told,) = re.findall(
        r"^mlflow models serve (.*)", (DOCS / "how-to/export.md").read_text(), re.M
    )
    context = commands.commands["serve"].make_context("serve", shlex.split(told))
    assert context.params["env_manager"] == "local"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of somebody who follows the pages, with files of the names that they use."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("KERAS_BACKEND", "CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"):
            patch.setenv(name, os.environ.get(name, ""))  # a search sets them: undone at the end
            patch.delenv(name, raising=False) if not os.environ[name] else None
        patch.chdir(folder)
        tables()
        arrays()
        run("occam search digits")
        run("occam promote digits")
        yield folder


def tables() -> None:
    rng = np.random.default_rng(0)
    leaves = rng.integers(0, 2, 300)
    spent = rng.normal(size=300) + 3 * leaves
    customers = {"spent": spent, "plan": rng.choice(["a", "b"], 300), "Churn": leaves}
    pd.DataFrame(customers).to_csv("customers.csv", index=False)
    visits = {"pulse": spent, "patient": np.arange(300) // 3, "ill": leaves}
    pd.DataFrame(visits).to_csv("visits.csv", index=False)
    days = pd.date_range("2020-01-01", periods=300).astype(str)
    pd.DataFrame({"date": days, "rooms": spent, "price": 10 * spent}).to_csv("prices.csv")


def arrays() -> None:
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 150)
    np.savez("arrays.npz", x=rng.normal(size=(300, 4)) + 3 * labels[:, None], y=labels)
    for kind, grey in (("day", 200), ("night", 40)):
        Path("photos", kind).mkdir(parents=True)
        for number in range(30):
            pixels = rng.normal(grey, 20, (8, 8, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(Path("photos", kind, f"{number}.png"))


def rows_to_predict(page: str) -> None:
    digits = pd.DataFrame(load_digits().data[:3])
    rows = pd.read_csv("customers.csv") if page == "how-to/own-data.md" else digits
    rows.to_csv("new.csv", index=False, header=page == "how-to/own-data.md")


def run(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        return
    assert words[0] == "occam", command
    allowed = {0}
    if words[1] == "search":
        allowed = {0, 3}  # a search may end without a model
        easy = EASY if set(PROMOTED) & {Path(word).stem for word in words} else ""
        words += shlex.split(f"{BUDGET} {easy}")
    assert main(words[1:]) in allowed, command


RUN = [page for page in PAGES if any(each.runs for each in blocks(page) if each.language != "text")]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_what_a_page_shows_works(page, reader):
    if page == "how-to/export.md":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("tf2onnx")
    rows_to_predict(page)
    for block in blocks(page):
        if block.language == "sh" and block.runs:
            for command in block.commands:
                run(command)
        elif block.language == "python":
            compile(block.text, page, "exec")
            if block.runs:
                run_python(block.text)


def run_python(text: str) -> None:
    """A block that begins with the name of a file is that file."""
    named = re.match(r"# (\S+\.py)\n", text)
    if named:
        Path(named[1]).write_text(text, encoding="utf-8")
    else:
        exec(compile(text.replace("trials=20", "trials=2"), "page", "exec"), {"__name__": "page"})
