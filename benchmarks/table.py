"""The README's table: every pipeline searched, most for some minutes; `make table` writes it.

Those that would take long are held to a number of epochs, so that the time they take differs by
machine, and not what they find.

Run: python benchmarks/table.py [--trials N] [--timeout SECONDS] [--output FILE] [PIPELINE ...]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from occam.search.loading import goal, names

MARGINS = {"ants_bees": 1.0, "churn": 0.5}  # of few rows two standard errors are too many
LIMITS = {  # of searches that would take long; all others end by themselves
    "cifar10": ["--epochs", "300"],
    "fashion_autoencoder": ["--epochs", "300"],
    "fashion_mnist": ["--epochs", "150"],
    "flowers": ["--epochs", "1000"],
    "imdb": ["--epochs", "400"],
    "imdb_text": ["--epochs", "400"],
    "mnist_cnn": ["--epochs", "150"],
    "mnist_cnn_99": ["--epochs", "200"],
}
TITLES = ("pipeline", "target", "parameters", "test", "verdict", "command")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipelines", nargs="*", default=names())
    parser.add_argument("--trials", type=int, help="at most, of each; default: that of a search")
    parser.add_argument("--timeout", type=int, help="seconds of each; default: as in the README")
    parser.add_argument("--output", type=Path, default=Path("mlruns", "table.md"))
    options = parser.parse_args()
    trials = ["--trials", str(options.trials)] if options.trials else []
    lines = [_line(TITLES), _line(["---"] * len(TITLES))]
    for name in options.pipelines:
        margin = ["--margin", str(MARGINS[name])] if name in MARGINS else []
        seconds = options.timeout
        limit = ["--timeout", str(seconds)] if seconds else LIMITS.get(name, [])
        lines.append(_line(_row(name, [*margin, *limit, *trials])))
        print(lines[-1], flush=True)
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"Wrote {options.output}.")


def _row(name: str, budget: list[str]) -> list[str]:
    command = ["search", name, *budget]
    shown = [f"`{name}`", goal(name)[0]]
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        done = subprocess.run(
            [sys.executable, "-m", "occam.search.cli", *command, "--quiet", "--json", str(result)],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        summary = json.loads(result.read_text(encoding="utf-8")) if result.exists() else None
    called = f"`occam {' '.join(command)}`"
    if summary is None:
        said = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        return [*shown, "-", "-", said.replace("|", "/"), called]
    selected = summary["selected"]
    if selected is None:
        return [*shown, "-", "-", "none reached it", called]
    test = selected["test"]
    size, score = f"{selected['parameter_count']:,}", f"{test['score']:.4f}"
    return [*shown, size, score, test["verdict"], called]


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
