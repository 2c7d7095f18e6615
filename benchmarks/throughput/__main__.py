"""Model-epochs a second of a population against `model.fit`, in one run.

    python benchmarks/throughput digits 256 20
    python benchmarks/throughput mnist 16 3

Arguments: the task, how many models, epochs each. `fit` trains a few models of the same space with
NumPy arrays, the way it is mostly written; its compilation and that of the population are counted.
Every epoch ends with the predictions of the validation rows, as a search needs them.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from tasks import TASKS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
CORES = len(os.sched_getaffinity(0))
os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(CORES))  # as `occam` does
FITTED = 4  # models trained by `fit`: their rate does not depend on how many


def by_fit(data: tuple[Any, ...], make: Any, batch_size: int, epochs: int) -> float:
    """Model-epochs a second of `fit`, one model after the other."""
    import keras

    x, y, x_validation, y_validation = data
    rng = np.random.default_rng(0)
    make(rng).fit(x, y, batch_size=batch_size, epochs=1, verbose=0)  # what the first one loads
    started = time.perf_counter()
    for _ in range(FITTED):
        keras.backend.clear_session()
        make(rng).fit(
            x,
            y,
            validation_data=(x_validation, y_validation),
            batch_size=batch_size,
            epochs=epochs,
            verbose=0,
        )
    return FITTED * epochs / (time.perf_counter() - started)


def by_population(
    data: tuple[Any, ...], make: Any, batch_size: int, epochs: int, models: int
) -> float:
    """Model-epochs a second of populations, compilation included."""
    from occam.search.counting import unallocated
    from occam.search.metrics import metric
    from occam.search.stopping import Stops
    from occam.search.training.population.cohort import Cohort, Lane
    from occam.search.training.population.dataset import Dataset
    from occam.search.training.population.lowering import lower
    from occam.search.training.population.programs import Programs
    from occam.search.training.population.sizing import parts

    rng = np.random.default_rng(0)
    measured = metric("accuracy" if data[1].dtype.kind == "i" else "mse")

    class Never(Stops):
        def decide(self, scores: Sequence[float]) -> None:
            """All epochs are trained, as `fit` does."""

    never = Never(metric=measured, search_target=1.0, epochs=epochs)
    started = time.perf_counter()
    with unallocated():
        members = [lower(make(rng), batch_size) for _ in range(models)]
    programs = Programs(Dataset(data[:2], data[2]), ThreadPoolExecutor(max(1, CORES // 2)))
    trained = 0
    coming = parts(members, len(data[0]))
    while coming:
        for part in coming[: 1 + CORES // 2]:  # as the executor of a search does
            programs.expect(part)
        part = coming.pop(0)
        cohort = Cohort(programs.of(part), data[3], measured)
        for number, member in enumerate(part):
            cohort.add(Lane(number, member, number, epochs, never))
        while any(cohort.runs):
            ended = cohort.advance()
            trained += len(ended) + len(cohort.active)
    return trained / (time.perf_counter() - started)


def main() -> None:
    task, models, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    data, make, batch_size = TASKS[task]()
    fitted = by_fit(data, make, batch_size, epochs)
    together = by_population(data, make, batch_size, epochs, models)
    print(f"{task}: fit {fitted:.1f}, population of {models} {together:.1f} model-epochs a second")
    print(f"ratio {together / fitted:.1f}")


if __name__ == "__main__":
    main()
