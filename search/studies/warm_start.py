"""Reads what `--warm-start` names: a KerasTuner project or an Optuna study."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..metrics import METRICS
from .earlier import Earlier

if TYPE_CHECKING:
    from ..metrics import Metric

OWN = "tuner/"  # hyperparameters of KerasTuner's Hyperband itself


def read(source: str, metric: Metric) -> list[Earlier]:
    """The trials of a KerasTuner project directory or of an Optuna study.

    Args:
        source: a directory, a journal or SQLite file, or a URL; where it holds several studies,
            the name of one follows a `#`.

    Raises InputError where there is none.
    """
    if Path(source).is_dir():
        return _keras_tuner(Path(source), metric)
    from .optuna_study import read as read_study

    return read_study(source, metric)


def _keras_tuner(folder: Path, metric: Metric) -> list[Earlier]:
    files = sorted(folder.glob("trial_*/trial.json")) or sorted(folder.glob("*/trial_*/trial.json"))
    if not files:
        raise InputError(
            f"--warm-start {folder} is no KerasTuner project: give the folder that holds its "
            "trial_*/trial.json files, or an Optuna journal, SQLite file or URL."
        )
    try:
        states = [json.loads(path.read_text(encoding="utf-8")) for path in files]
        trials = [_trial(state, metric) for state in states if state["status"] == "COMPLETED"]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"--warm-start {folder} cannot be read: {error!r}.") from error
    return trials


def _trial(state: Mapping[str, Any], metric: Metric) -> Earlier:
    values = state["hyperparameters"]["values"]
    return Earlier(
        hyperparameters={name: each for name, each in values.items() if not name.startswith(OWN)},
        score=_score(state["metrics"]["metrics"], metric),
    )


def _measures(name: str, metric: Metric) -> bool:
    """Whether it says this metric: Keras's `sparse_categorical_accuracy` does, `rmse` no mse."""
    said = [each for each in METRICS if re.search(rf"(?<![a-z]){each}(?![a-z])", name)]
    return metric.name == max(said, key=len, default="")


def _score(metrics: Mapping[str, Any], metric: Metric) -> float | None:
    """The last value on validation data, where the project measured this metric."""
    named = [name for name in metrics if name.startswith("val_") and _measures(name, metric)]
    if not named:
        return None
    observed = metrics[min(named, key=len)]["observations"]
    if not observed:
        return None
    values = max(observed, key=lambda each: each["step"])["value"]
    return float(sum(values) / len(values))
