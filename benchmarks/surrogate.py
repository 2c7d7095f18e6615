"""How long the level-set sampler takes to choose, by how much it knows.

    python benchmarks/surrogate.py [TRIALS ...]

A study of the digits space is filled with so many finished trials, whose scores follow their sizes
and a random recipe; nothing is trained. Then come a first proposal, for which the pool of
candidates is drawn and counted, and ten more; each is told before the next is asked for. The share
of the surrogate, its fit and its predictions, is timed on its own.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from occam.search.backend import import_keras, use_backend

use_backend("tensorflow")
import_keras()

from occam.search.engines.optuna import Engine  # noqa: E402
from occam.search.loading import load  # noqa: E402
from occam.search.metrics import metric  # noqa: E402
from occam.search.models.building import build  # noqa: E402
from occam.search.samplers.batch import Batch  # noqa: E402
from occam.search.samplers.pool import Draw  # noqa: E402
from occam.search.studies.hyperparameters import SuggestedHyperParameters  # noqa: E402
from occam.search.trials import Trial, TrialState, finish  # noqa: E402

TARGET, ASKED = 0.973, 10


def filled(engine: Engine, trials: int) -> None:
    """Take in trials of random configurations; only those of more than 1,000 parameters reach."""
    rng, pipeline = np.random.default_rng(0), load("digits")
    for number in range(trials):
        hp = SuggestedHyperParameters(Draw(rng))
        count = build(pipeline, hp).count_params()
        engine.adopt(told(asked(number, hp.values, count), rng))


def asked(number: int, values: dict, count: int) -> Trial:
    return Trial(
        number=number,
        hyperparameters=values,
        parameter_count=count,
        trainable_parameter_count=count,
        epochs=60,
        seed=number,
    )


def told(trial: Trial, rng: np.random.Generator):
    error = 0.04 * (trial.parameter_count / 900) ** -0.6 * np.exp(rng.normal(0, 0.3))
    score = float(1 - min(error, 0.9))
    reached = score >= TARGET and trial.parameter_count > 1000
    state = TrialState.COMPLETE if reached else TrialState.PRUNED
    score = score if reached else min(score, TARGET - 0.001)
    return finish(trial, state, score=score, projected_score=score, epochs=12, reached=reached)


class Watch:
    """Seconds spent in a method of the sampler's batch."""

    def __init__(self) -> None:
        self.seconds, add = 0.0, Batch.add

        def timed(batch, *arguments) -> None:
            began = time.perf_counter()
            add(batch, *arguments)
            self.seconds += time.perf_counter() - began

        Batch.add = timed


def main() -> None:
    watch = Watch()
    print("| trials | first proposal | the next, median | surrogate, median |")
    print("|---|---|---|---|")
    for trials in map(int, sys.argv[1:] or ("100", "500")):
        with tempfile.TemporaryDirectory() as folder:
            engine = Engine(
                load("digits"),
                name="timed",
                storage=Path(folder, "study.journal"),
                sampler="level-set",
                seed=0,
                metric=metric("accuracy"),
                search_target=TARGET,
                inputs=None,
            )
            filled(engine, trials)
            rng, taken, surrogate = np.random.default_rng(1), [], []
            for _ in range(ASKED + 1):
                watch.seconds, began = 0.0, time.perf_counter()
                proposed = engine.ask(1)
                taken.append(time.perf_counter() - began)
                surrogate.append(watch.seconds)
                for trial in proposed:
                    engine.tell(told(trial, rng))
        print(
            f"| {trials} | {taken[0]:.2f} s | {statistics.median(taken[1:]):.2f} s "
            f"| {statistics.median(surrogate):.2f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
