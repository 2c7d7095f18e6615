"""What a search costs beyond its training: proposals, counting, records, tracking.

    .venv/bin/python benchmarks/overhead.py [TRIALS] [SAMPLER]

Runs a search of the digits pipeline, then trains the very same trials (hyperparameters, seeds,
stops) by bare calls of `fit` in the same process, and compares. Goal: at most 5 %.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from pathlib import Path

from occam.search.backend import import_keras, use_backend

use_backend(os.environ.get("KERAS_BACKEND", "tensorflow"))
import_keras()

from occam.search.interrupts import Interrupts  # noqa: E402
from occam.search.job import _Job  # noqa: E402  # after the backend is chosen
from occam.search.plan import plan  # noqa: E402
from occam.search.runs.store import default_uri  # noqa: E402
from occam.search.screen import Screen  # noqa: E402
from occam.search.settings import Settings, asked_for  # noqa: E402
from occam.search.training.trial import Task, run_trial  # noqa: E402
from occam.search.trials import Trial, TrialState  # noqa: E402


def main(trials: int = 40, sampler: str = "random") -> None:
    os.chdir(tempfile.mkdtemp())
    settings = Settings(pipeline="digits", trials=trials, sampler=sampler, trainer="fit")
    planned = plan(settings, asked_for(settings))
    started, uri = time.monotonic(), default_uri()
    job = _Job(settings, planned, Screen(quiet=True), started, Interrupts(), uri, earlier=[])
    job._start()
    task = Task(pipeline=planned.pipeline, search_target=planned.search_target, models=Path("bare"))
    first = job.engine.ask(1)[0]  # pays for what the process does once, on both sides
    job.engine.tell(run_trial(task, first, planned.prepared.data))
    searched = timed(job._search)
    trained = [t for t in job.engine.finished[1:] if t.state is not TrialState.REJECTED]

    def bare() -> None:
        for finished in trained:
            run_trial(task, as_asked(finished), planned.prepared.data)

    alone = timed(bare)
    print(f"{len(trained)} trials trained, {len(job.engine.finished)} proposed, {sampler} sampler")
    for name, (wall, cpu), (bare_wall, bare_cpu) in [("search", searched, alone)]:
        print(f"{name} / bare fit: wall {wall / bare_wall:.3f}, processor {cpu / bare_cpu:.3f}")
    print(f"a trial alone takes {alone[0] / len(trained):.2f} s of wall time here")


def as_asked(finished) -> Trial:
    """The same epochs again: no curve is given up before them."""
    return Trial(
        number=finished.number,
        hyperparameters=finished.hyperparameters,
        parameter_count=finished.parameter_count,
        trainable_parameter_count=finished.trainable_parameter_count,
        epochs=finished.epochs,
        exponent=math.inf,
        seed=finished.seed,
    )


def timed(work) -> tuple[float, float]:
    wall, cpu = time.monotonic(), time.process_time()
    work()
    return time.monotonic() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main(*(int(a) if a.isdecimal() else a for a in sys.argv[1:]))
