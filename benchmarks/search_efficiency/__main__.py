"""Occam's search beside other tools': epochs, sizes, and whether the picks hold.

    OCCAM_DATA=... python benchmarks/search_efficiency [--seeds 20] [--budget 40] [--workers 1]

Tables of full learning curves lie in tables/. One that is missing is made where --tasks names it;
five tasks need the files of OCCAM_DATA for that. Every search is kept as a line of searches.jsonl
in --output, so that an interrupted comparison goes on where it was; the report and its plots are
written there as well.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from searches import TABLES, made, search  # first: it chooses Keras's backend

# isort: split
from replay import OURS
from report import report
from rivals import RIVALS, STOPPED
from tables import path
from tasks import TASKS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--budget", type=int, default=40, help="longest trainings a search costs")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--tasks", nargs="*", choices=TASKS, metavar="TASK")
    parser.add_argument("--tools", nargs="*", choices=[*OURS, *RIVALS], metavar="TOOL")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    tables = {name: made(name) for name in options.tasks or available()}
    options.output.mkdir(parents=True, exist_ok=True)
    log = options.output / "searches.jsonl"
    done = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    known = {identity(each) for each in done}
    tools = options.tools or [*OURS, *RIVALS]
    wanted = [each for each in listed([*tables], tools, options) if identity(each) not in known]
    # Forked workers would share the threads of the backend's.
    with ProcessPoolExecutor(options.workers, get_context("spawn")) as pool, log.open("a") as file:
        running = [pool.submit(search, each) for each in wanted]
        for number, future in enumerate(as_completed(running), 1):
            done.append(future.result())
            file.write(json.dumps(done[-1]) + "\n")
            file.flush()
            if number % 20 == 0 or number == len(wanted):
                print(f"{number} of {len(wanted)} searches", end="", file=sys.stderr)
    kept = {identity(each) for each in listed([*tables], tools, options)}
    report(tables, [each for each in done if identity(each) in kept], options.output)


def listed(tasks: list[str], tools: list[str], options: Any) -> Iterator[dict[str, Any]]:
    """Every search to be made: rivals by their own rule and by ours."""
    for seed in range(options.seeds):
        for task in tasks:
            for tool in tools:
                rules = ["ours"] if tool in (*OURS, STOPPED) else ["own", "ours"]
                for rule in rules:
                    yield {
                        "task": task,
                        "tool": tool,
                        "rule": rule,
                        "seed": seed,
                        "budget": options.budget,
                    }


def available() -> list[str]:
    """Tasks whose table is there."""
    return [name for name, task in TASKS.items() if path(task, TABLES).exists()]


def identity(search: dict[str, Any]) -> str:
    return json.dumps([search[name] for name in ("task", "tool", "rule", "seed", "budget")])


if __name__ == "__main__":
    main()
