"""A space so small that nothing needs training, and engines that search it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
from occam.search.metrics import metric
from occam.search.pipeline import Data, Pipeline
from occam.search.trials import FinishedTrial, Trial, TrialState, failed, finish

INPUTS = np.zeros((4, 6), dtype="float32")


def build(hp) -> keras.Model:
    """1 to 60 units, with dimensions that only some configurations have."""
    units = hp.Int("units", 1, 60, sampling="log")
    if hp.Choice("activation", ["relu", "elu"]) == "elu":
        hp.Float("alpha", 0.1, 1.0)
    for layer in range(hp.Int("layers", 0, 2)):
        hp.Int(f"width_{layer}", 1, 3)
    if units == 13:
        raise ValueError("thirteen\nunits")
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(units)])
    model.compile(loss="mse")
    return model


def few(hp) -> keras.Model:
    """Three configurations."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(hp.Choice("units", [1, 2, 3]))])
    model.compile(loss="mse")
    return model


def engine(
    name: str,
    folder: Path,
    sampler: str,
    *,
    seed: int = 0,
    space: Any = build,
    epochs: int = 9,
    storage: str | None = None,
) -> Any:
    """An engine whose study is in a folder, or in a database."""
    module = importlib.import_module(f"occam.search.engines.{name.replace('-', '_')}")
    pipeline = Pipeline(
        data=lambda: Data((), (), ()), space=space, target=0.9, name="toy", epochs=epochs
    )
    return module.Engine(
        pipeline,
        name="toy",
        storage=storage or folder / "study.journal",
        sampler=sampler,
        seed=seed,
        metric=metric("accuracy"),
        search_target=0.9,
        inputs=INPUTS,
    )


def outcome(trial: Trial) -> FinishedTrial:
    """40 units or more reach; what cannot be built fails."""
    if trial.error:
        return failed(trial, trial.error)
    if trial.weights_path:
        Path(trial.weights_path).parent.mkdir(exist_ok=True)
        Path(trial.weights_path).write_text("weights")
    units = trial.hyperparameters["units"]
    score = 0.95 if units >= 40 else 0.5 + units / 200
    return finish(
        trial,
        TrialState.COMPLETE,
        score=score,
        projected_score=score,
        reached=score > 0.9,
        epochs=trial.epochs,
        history={"score": [0.1, score]},
    )


def work(searching: Any, trials: int) -> list[Trial]:
    """Ask for trials one at a time, and tell at once what became of each."""
    asked = []
    for _ in range(trials):
        for trial in searching.ask(1):
            asked.append(trial)
            searching.tell(outcome(trial))
    return asked
