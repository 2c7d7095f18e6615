"""How often a selected model truly holds its target, over simulated searches; a naive rule beside.

    python benchmarks/selection.py [--searches 2000] [--configurations 120] [--margins 2 2.5]

A search tries configurations near the frontier in random order. The error falls as size^-0.6
and epoch^-0.5; luck moves it by 15 % a run and 6 % an epoch. Validation errors are binomial: most
of a run's luck with the rows stays from one epoch to the next. Stops, margin, ladder and gate are
Occam's own; only training is simulated.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from occam.search.metrics import metric
from occam.search.selection import Ladder, TestResult, Verdict, gate, search_target, select
from occam.search.stopping import Stop, Stops, final_score
from occam.search.trials import FinishedTrial, TrialState

ACCURACY = metric("accuracy")
EPOCHS = 40
RUN, EPOCH = 0.15, 0.06  # standard deviations of the logarithm of a true error
STAYS = 0.75  # assumed, of the variance of a run's luck with the rows: the same in every epoch
SHARED = (0.0, 0.4)  # luck that all models have in common
COLUMNS = (
    "rows to validate, as many to test",
    "target",
    "margin",
    "shared",
    "picks hold",
    "selected hold",
    "searches that select",
    "naive picks hold",
)
SETTINGS = ((360, 0.95), (900, 0.8), (900, 0.95), (2000, 0.88), (5000, 0.9), (10000, 0.99))
Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Whether what one search came to truly holds: None where a rule picks nothing."""

    picked: bool | None  # the smallest that reached the search target
    selected: bool | None  # the first of at most three candidates that the test rows passed
    naive: bool | None  # the smallest whose best epoch reaches the target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--searches", type=int, default=2000)
    parser.add_argument("--configurations", type=int, default=120)
    parser.add_argument("--margins", type=float, nargs="+", default=[2.0, 2.5])
    options = parser.parse_args()
    rules = list(product(options.margins, SHARED))
    size = options.searches, options.configurations
    print(f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|")
    for rows, target in SETTINGS:
        for margin, shared in rules:
            found = simulated(*size, rows, target, margin=margin, shared=shared)
            selects = np.mean([each.selected is not None for each in found])
            holds = [share(each.picked for each in found), share(each.selected for each in found)]
            shares = [*holds, selects, share(each.naive for each in found)]
            cells = [f"{rows:,}", target, margin, shared, *(f"{each:.3f}" for each in shares)]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


def simulated(
    searches: int,
    configurations: int,
    rows: int,
    target: float,
    *,
    margin: float,
    shared: float = 0.0,
    seed: int = 1,
) -> list[Outcome]:
    """So many searches with these numbers of configurations, of validation and of test rows.

    Args:
        shared: of the variance of validation errors, what all models have in common as they see
            the same rows. None is the worst case: every model tries its luck anew.
    """
    rng = np.random.default_rng(seed)
    return [search(rng, configurations, rows, target, margin, shared) for _ in range(searches)]


def share(holds: Iterable[bool | None]) -> float:
    """Of those that there are."""
    known = [each for each in holds if each is not None]
    return float(np.mean(known)) if known else math.nan


def search(
    rng: np.random.Generator,
    configurations: int,
    rows: int,
    target: float,
    margin: float,
    shared: float,
) -> Outcome:
    sizes = np.exp(rng.uniform(np.log(200), np.log(4000), configurations)).astype(int)
    truths = trained(rng, sizes, target)
    seen = validated(rng, truths, rows, shared)
    ladder, ends = climbed(sizes, seen, rows, target, margin)
    results = tested(rng, ladder, truths, ends, rows, target)
    kept = [each for each in results[-1:] if each.verdict is not Verdict.NOT_HELD]
    first = next((rung.number for rung in ladder.candidates), None)
    naive = np.flatnonzero(seen.max(axis=1) >= target)
    lucky = min(naive, key=sizes.__getitem__) if len(naive) else None
    return Outcome(
        picked=None if first is None else truths[first, ends[first]] >= target,
        selected=truths[kept[0].trial, ends[kept[0].trial]] >= target if kept else None,
        naive=None if lucky is None else truths[lucky, seen[lucky].argmax()] >= target,
    )


def trained(rng: np.random.Generator, sizes: Array, target: float) -> Array:
    """True scores after each epoch, of shape (configurations, epochs)."""
    run = np.exp(rng.normal(0, RUN, len(sizes))) * (sizes / 800) ** -0.6
    epoch = np.exp(rng.normal(0, EPOCH, (len(sizes), EPOCHS)))
    progress = np.arange(1, EPOCHS + 1) / EPOCHS
    return 1 - np.minimum((1 - target) * run[:, None] * epoch * progress**-0.5, 1.0)


def validated(rng: np.random.Generator, truths: Array, rows: int, shared: float) -> Array:
    """Scores on validation rows: binomial by its first three moments (Cornish and Fisher, 1938)."""
    errors, own = 1 - truths, 1 - shared
    luck = (
        math.sqrt(shared) * rng.normal()
        + math.sqrt(own * STAYS) * rng.normal(size=(len(truths), 1))
        + math.sqrt(own * (1 - STAYS)) * rng.normal(size=truths.shape)
    )
    wrong = rows * errors + np.sqrt(rows * errors * truths) * luck
    wrong += (1 - 2 * errors) * (luck**2 - 1) / 6
    return 1 - np.clip(np.rint(wrong), 0, rows) / rows


def climbed(
    sizes: Array, seen: Array, rows: int, target: float, margin: float
) -> tuple[Ladder, dict[int, int]]:
    """The ladder of a search that tries only what is smaller than its best; where runs ended."""
    labels = np.zeros(rows)
    goal = search_target(ACCURACY, target, labels, margin)
    stops = Stops(metric=ACCURACY, search_target=goal, epochs=EPOCHS)
    lasting = np.minimum(seen[:, 1:], (seen[:, 1:] + seen[:, :-1]) / 2).max(axis=1)
    rungs: list[FinishedTrial] = []
    ends: dict[int, int] = {}
    for number, size in enumerate(sizes.tolist()):
        if (rungs and size >= rungs[-1].parameter_count) or lasting[number] < goal:
            continue  # not trained, or in no two epochs good enough
        scores = seen[number].tolist()
        stopped = ((end, stops.decide(scores[:end])) for end in range(1, EPOCHS + 1))
        end, stop = next(((end, stop) for end, stop in stopped if stop), (EPOCHS, None))
        if stop is Stop.REACHED:
            ends[number] = end - 1
            rungs.append(finished(number, size, final_score(scores[:end])))
    return select(rungs, metric=ACCURACY, target=target, labels=labels, margin=margin), ends


def finished(number: int, size: int, score: float) -> FinishedTrial:
    return FinishedTrial(
        number=number,
        state=TrialState.COMPLETE,
        hyperparameters={},
        parameter_count=size,
        trainable_parameter_count=size,
        seed=0,
        reached=True,
        score=score,
    )


def tested(
    rng: np.random.Generator,
    ladder: Ladder,
    truths: Array,
    ends: dict[int, int],
    rows: int,
    target: float,
) -> list[TestResult]:
    """What the gate says on as many test rows."""

    def predict_test(trial: FinishedTrial) -> Array:
        wrong = rng.binomial(rows, 1 - truths[trial.number, ends[trial.number]])
        return (np.arange(rows) < wrong).astype(int)

    return gate(ladder, predict_test, np.zeros(rows, int), metric=ACCURACY, target=target)


if __name__ == "__main__":
    main()
