"""Time of a model-epoch by the lanes that a population trains at a time: on one core, or on a GPU.

    python benchmarks/throughput/lanes.py mnist 2560 1 2 4
    python benchmarks/throughput/lanes.py digits 1078 1 4 8 16 32 64 128
    python benchmarks/throughput/lanes.py mnist_full 60000 8 16 32 64 128

Arguments: the task, how many of its rows, lanes. The models are the first that the task draws; the
least of eight epochs counts, validation included, compilation not. Of a core it is processor time.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from occam.search.devices import visible_gpus
from tasks import TASKS

os.environ["JAX_NUM_CPU_DEVICES"] = "1"
os.environ.setdefault("KERAS_BACKEND", "jax")
CLOCK = time.perf_counter if visible_gpus("all") else time.process_time
if CLOCK is time.process_time:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

EPOCHS = 8


def main() -> None:
    import jax
    from occam.search.counting import unallocated
    from occam.search.training.population.dataset import Dataset
    from occam.search.training.population.layout import padded_widths
    from occam.search.training.population.lowering import lower
    from occam.search.training.population.program import Program

    task, rows, lanes = sys.argv[1], int(sys.argv[2]), [int(each) for each in sys.argv[3:]]
    (x, y, x_validation, _), make, batch_size = TASKS[task]()
    rng = np.random.default_rng(0)
    with unallocated():
        members = [lower(make(rng), batch_size) for _ in range(max(lanes))]
    data = Dataset((x[:rows], y[:rows]), x_validation[: rows // 5])
    for count in lanes:
        program = Program(members[0], padded_widths(members), data, count, penalized=False)
        states = [program.start(member, seed) for seed, member in enumerate(members[:count])]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
        order = np.resize(rng.permutation(rows).astype("int32"), (program.steps, batch_size))
        orders, taken = np.stack([order] * count), []
        for _ in range(1 + EPOCHS):
            started = CLOCK()
            stacked, *_ = jax.block_until_ready(program.advance(stacked, orders))
            taken.append((CLOCK() - started) / count)
        print(f"{task}, {count} lanes: {min(taken[1:]) * 1e3:.2f} ms a model-epoch", flush=True)


if __name__ == "__main__":
    main()
