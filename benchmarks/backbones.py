"""Transfer learning: heads behind a frozen MobileNetV2, with its features kept and without.

    .venv/bin/python benchmarks/backbones.py [SIDE] [ROWS] [TRIALS] [EPOCHS]

Epochs of a model a second, everything included, of trials of the same hyperparameters: by `fit` of
the whole model, by `fit` of its head on features that are computed once, and of all heads in one
population. The rows are noise: no figure depends on them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from occam.search.backend import import_keras, use_backend

use_backend("tensorflow")
import_keras()

import keras  # noqa: E402  # after the backend is chosen
import numpy as np  # noqa: E402
from occam.search.executors.in_process import ended  # noqa: E402
from occam.search.pipeline import Data, Pipeline  # noqa: E402
from occam.search.training import fit as trainer  # noqa: E402
from occam.search.training.features import forget  # noqa: E402
from occam.search.training.population.executor import Population  # noqa: E402
from occam.search.training.trial import Task, run_trial  # noqa: E402
from occam.search.trials import Trial  # noqa: E402

CLASSES = 5


def main(side: int = 96, rows: int = 500, trials: int = 16, epochs: int = 10) -> None:
    base = keras.applications.MobileNetV2(
        (side, side, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    base.trainable = False

    def space(hp):
        inputs = keras.Input((side, side, 3))
        hidden = base(keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs), training=False)
        units = hp.Int("units", 4, 64)
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
        hidden = keras.layers.Dropout(0.2)(hidden)
        model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(hidden))
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    rng = np.random.default_rng(0)
    split = (rng.uniform(0, 255, (rows, side, side, 3)).astype("float32"), rng.integers(0, 5, rows))
    data = Data(split, (split[0][: rows // 2], split[1][: rows // 2]), None)
    pipeline = Pipeline(data=lambda: data, space=space, target=1.0, epochs=epochs, name="heads")
    task = Task(pipeline=pipeline, search_target=2.0, models=Path(tempfile.mkdtemp()))
    frozen = int(base.count_params())
    asked = [_trial(number, 4 + 2 * number, frozen, epochs) for number in range(trials)]

    def one_by_one(some: list[Trial]) -> int:
        return sum(run_trial(task, trial, data).epochs for trial in some)

    def together(some: list[Trial]) -> int:
        population = Population(task, data, notice=print)
        return sum(each.epochs for each in ended(population, some))

    kept = trainer.without_backbone
    trainer.without_backbone = lambda model, *inputs: (model, inputs)
    whole = _speed(lambda: one_by_one(asked[:2]))
    trainer.without_backbone = kept
    print(f"{rows} rows of {side} x {side} pixels, {trials} trials of at most {epochs} epochs")
    print(f"fit of the whole model: {whole:.2f} epochs/s, of {min(trials, 2)} trials")
    for name, run in (("fit of heads", one_by_one), ("a population of heads", together)):
        forget()
        speed = _speed(lambda run=run: run(asked))
        print(f"{name}: {speed:.2f} epochs/s, {speed / whole:.1f} times as many")


def _trial(number: int, units: int, frozen: int, epochs: int) -> Trial:
    own = 1281 * units + CLASSES * (units + 1)
    return Trial(
        number=number,
        hyperparameters={"units": units},
        parameter_count=frozen + own,
        trainable_parameter_count=own,
        epochs=epochs,
        seed=number,
    )


def _speed(run: Callable[[], int]) -> float:
    started = time.perf_counter()
    epochs = run()
    return epochs / (time.perf_counter() - started)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
