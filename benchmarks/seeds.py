"""One search a seed: what each selects, what it costs, and whether it holds.

python benchmarks/seeds.py digits 10 [OPTIONS OF occam search ...]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    pipeline, seeds, options = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    print("| seed | parameters | validation | test | verdict | opened | epochs | seconds |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    found = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory(prefix="occam-seeds-") as folder:
            command = [sys.executable, "-m", "occam.search.cli", "search", pipeline, "--quiet"]
            command += ["--seed", str(seed), "--json", "out.json", *options]
            subprocess.run(command, cwd=folder, check=False)
            found.append(json.loads(Path(folder, "out.json").read_text(encoding="utf-8")))
        print(row(seed, found[-1]), flush=True)
    selected = [each["selected"] for each in found if each["selected"]]
    held = [each for each in selected if each["test"]["verdict"] != "not held"]
    epochs = statistics.median(each["epochs_trained"] for each in found)
    print(
        f"\n{len(held)} of {seeds} hold; median {middle(selected)} parameters, {epochs:,.0f} epochs"
    )


def middle(selected: list[dict]) -> str:
    """The median size; none where no seed has found a model."""
    sizes = [each["parameter_count"] for each in selected]
    return f"{statistics.median(sizes):,.0f}" if sizes else "none"


def row(seed: int, summary: dict) -> str:
    """A line of the table."""
    cost = f"{summary['epochs_trained']:,} | {summary['seconds']:.0f} |"
    if summary["selected"] is None:
        return f"| {seed} | none | | | | | {cost}"
    chosen = summary["selected"]
    test = chosen["test"]
    return (
        f"| {seed} | {chosen['parameter_count']:,} | {chosen['validation']:.4f} "
        f"| {test['score']:.4f} | {test['verdict']} | {test['opened']} | {cost}"
    )


if __name__ == "__main__":
    main()
