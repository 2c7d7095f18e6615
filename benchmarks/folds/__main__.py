"""Out-of-fold validation beside held-out rows, on little data: sizes, truths and epochs.

    python benchmarks/folds [--draws N] [--tasks digits "breast cancer" clusters friedman]

For each draw of development rows every configuration of a small grid is trained with a quarter or a
half of them held out, in 2 and 5 folds in lockstep, and on all of them. Searches in random order
replay these curves with Occam's margin, stops and gate on the size; new rows judge their picks.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
from occam.search.backend import import_keras, use_backend

use_backend("jax")
import_keras()

from curves import EPOCHS, Array, Grid  # noqa: E402  # after the backend is chosen
from occam.search.selection import rows_to_show, search_target  # noqa: E402
from occam.search.stopping import Stop, Stops  # noqa: E402
from tasks import TASKS  # noqa: E402

ORDERS = 20  # searches on one draw
MILD = 0.02  # below the hard target
Curves = dict[str, Array]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a search validates, and what it delivers."""

    scheme: str  # whose curves it sees
    held: int = 1  # a part of the rows that it is judged on, as 1 / held
    runs: int = 1  # that a trial trains
    margin: float = 2.0
    refit: bool = False  # delivers a run on all rows, of as many epochs
    checked: bool = False  # ... another one, if it learned its rows worse than the folds theirs
    trials: float = 1.0  # share of the grid and of its seeds that is tried


@dataclass(frozen=True, kw_only=True)
class Pick:
    """What a search delivered, if anything, and what it cost."""

    epochs: int = 0
    size: float = math.inf
    truth: float = math.nan


QUARTER = {"scheme": "a quarter", "held": 4}
FIVE = {"scheme": "5 folds", "runs": 5, "refit": True}
RULES = {
    "a quarter held out (the default)": Rule(**QUARTER, trials=0.2),
    "  margin 2.5": Rule(**QUARTER, trials=0.2, margin=2.5),
    "  five times the trials": Rule(**QUARTER),
    "  five times the trials, margin 2.5": Rule(**QUARTER, margin=2.5),
    "a half held out": Rule(scheme="a half", held=2),
    "5 folds, refit": Rule(**FIVE),
    "  refit checked": Rule(**FIVE, checked=True),
    "  refit checked, margin 2.5": Rule(**FIVE, checked=True, margin=2.5),
    "  refit checked, a fifth of the trials": Rule(**FIVE, checked=True, trials=0.2),
    "2 folds, refit checked": Rule(scheme="2 folds", runs=2, refit=True, checked=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, help="default: the task's")
    parser.add_argument("--tasks", nargs="*", choices=TASKS, default=[*TASKS])
    options = parser.parse_args()
    tables = []
    for name in options.tasks:
        grid = Grid(TASKS[name])
        curves = [grid.curves(draw) for draw in range(options.draws or TASKS[name].draws)]
        hard = hardest(grid, curves)
        tables.append(compared(grid, curves, (hard, hard - MILD)))
        print(f"\n{name}: {grid.metric.name} {hard:g} and {hard - MILD:g}; draws: {len(curves)}")
        show(tables[-1:])
    if len(tables) > 1:
        print("\nAll, tasks alike")
        show(tables)


def hardest(grid: Grid, curves: list[Curves]) -> float:
    """The hardest hundredth that can be asked for by default, and a tenth of the grid reaches."""
    measured = grid.metric
    ends = np.mean([each["a quarter"][0, :, -2:].mean(axis=1) for each in curves], axis=0)
    labels = curves[0]["labels"][::4]
    for target in (number / 100 for number in range(99, 0, -1)):
        goal = search_target(measured, target, labels, 2.0)
        reached = np.mean([measured.reaches(end, goal) for end in ends])
        if rows_to_show(measured, target, labels, 2.0) is None and reached >= 0.1:
            return target
    raise ValueError(f"No target suits {grid.task}.")


def compared(
    grid: Grid, curves: list[Curves], targets: tuple[float, ...]
) -> dict[str, list[Array]]:
    """By rule and draw an array of a row a search: picked, log size, holds, epochs.

    Sizes and epochs are by what the first rule has in the mean of the draw and target.
    """
    table: dict[str, list[Array]] = {rule: [] for rule in RULES}
    for each in curves:
        for target in targets:
            found = {name: searches(grid, each, rule, target) for name, rule in RULES.items()}
            first = next(iter(found.values()))
            size = np.mean([math.log(pick.size) for pick in first if math.isfinite(pick.size)])
            epochs = np.mean([pick.epochs for pick in first])
            for name, picks in found.items():
                table[name].append(
                    np.array([row(pick, float(size), target, float(epochs)) for pick in picks])
                )
    pairs = range(0, len(targets) * len(curves), len(targets))
    return {
        name: [np.concatenate(parts[n : n + len(targets)]) for n in pairs]
        for name, parts in table.items()
    }


def row(pick: Pick, size: float, target: float, epochs: float) -> tuple[float, ...]:
    if math.isinf(pick.size):
        return 0.0, math.nan, math.nan, pick.epochs / epochs
    return 1.0, math.log(pick.size) - size, pick.truth >= target, pick.epochs / epochs


def searches(grid: Grid, curves: Curves, rule: Rule, target: float) -> list[Pick]:
    """In random orders, the same for rules that try as many."""
    rng = np.random.default_rng(0)
    ends = ended(grid, curves, rule, target)
    seeds, configurations = curves[rule.scheme].shape[:2]
    orders = [rng.permutation(seeds * configurations) for _ in range(ORDERS)]
    tried = math.ceil(rule.trials * seeds * configurations)
    return [search(grid, curves, rule, ends, order[:tried]) for order in orders]


def ended(grid: Grid, curves: Curves, rule: Rule, target: float) -> list[tuple[int, bool]]:
    """Epochs that the stops leave to each run, and whether it reached."""
    goal = search_target(grid.metric, target, curves["labels"][:: rule.held], rule.margin)
    stops = Stops(metric=grid.metric, search_target=goal, epochs=EPOCHS)
    found = []
    for scores in curves[rule.scheme].reshape(-1, EPOCHS).tolist():
        stopped = ((end, stops.decide(scores[:end])) for end in range(1, EPOCHS + 1))
        end, stop = next(((end, stop) for end, stop in stopped if stop), (EPOCHS, None))
        found.append((end, stop is Stop.REACHED))
    return found


def search(
    grid: Grid, curves: Curves, rule: Rule, ends: list[tuple[int, bool]], order: Array
) -> Pick:
    """Try runs in order, but none that is not smaller than the best so far."""
    best = Pick()
    for run in order:
        seed, number = divmod(int(run), len(grid.sizes))
        if grid.sizes[number] >= best.size:
            continue
        end, reached = ends[run]
        spent = best.epochs + rule.runs * end
        size, truth = best.size, best.truth
        if reached:
            size = grid.sizes[number]
            truth, more = delivered(curves, rule, (seed, number, end - 1))
            spent += more
        best = Pick(epochs=spent, size=size, truth=truth)
    return best


def delivered(curves: Curves, rule: Rule, at: tuple[int, int, int]) -> tuple[float, int]:
    """The truth of what is delivered, and the epochs that refits took."""
    if not rule.refit:
        return curves[f"{rule.scheme}, truth"][at], 0
    _, number, epoch = at
    learned = curves["refit, learned"][:, number, epoch]
    again = rule.checked and learned[0] < curves[f"{rule.scheme}, learned"][at]
    chosen = int(np.argmax(learned)) if again else 0
    return curves["refit, truth"][chosen, number, epoch], (epoch + 1) * (1 + again)


def show(tables: list[dict[str, list[Array]]]) -> None:
    """A line a rule; what differs by chance is the draws, whose standard error is given."""
    print(f"{'':40}{'picks':>7}{'size':>7}{'holds':>7}{'+-':>6}{'epochs':>8}")
    for rule in RULES:
        means = np.mean([np.nanmean(np.concatenate(each[rule]), axis=0) for each in tables], axis=0)
        errors = [
            np.std([np.nanmean(draw[:, 2]) for draw in each[rule]]) / math.sqrt(len(each[rule]))
            for each in tables
        ]
        error = math.hypot(*errors) / len(tables)
        picked, size, holds, epochs = means
        print(f"{rule:40}{picked:7.2f}{math.exp(size):7.2f}{holds:7.3f}{error:6.3f}{epochs:8.2f}")


if __name__ == "__main__":
    main()
