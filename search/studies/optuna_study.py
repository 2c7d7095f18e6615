"""Reads an Optuna study that was made elsewhere, as the start of a new search."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
import sqlalchemy

from ..errors import InputError, in_one_line
from ..trials import RECORD, TrialState
from .earlier import METRIC, Earlier
from .storage import reading_only

if TYPE_CHECKING:
    from ..metrics import Metric

FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)


def read(source: str, metric: Metric) -> list[Earlier]:
    """The finished trials of a study: a journal or SQLite file or a URL, `#NAME` for one of many.

    An objective that goes the metric's way is taken for the metric itself.
    """
    place, _, name = source.partition("#")
    try:
        storage = _storage(place)
        names = optuna.get_all_study_names(storage)
        chosen = name or (names[0] if len(names) == 1 else "")
        if chosen not in names:
            raise InputError(_unknown(place, name, names))
        study = optuna.load_study(study_name=chosen, storage=storage)
        trials = study.get_trials(deepcopy=False)
    except InputError:
        raise
    except Exception as error:  # whatever a database, a driver or a broken file comes up with
        problem = in_one_line(error)
        raise InputError(f"--warm-start {place} cannot be read: {problem}.") from error
    finished = [_earlier(study, trial, metric) for trial in trials]
    return [each for each in finished if each is not None]


def _storage(place: str) -> optuna.storages.BaseStorage:
    """The storage at a place; opening a file that is not there would make it."""
    if "://" in place and not place.startswith(("sqlite:", "sqlite+")):
        return optuna.storages.get_storage(place)
    path = Path(re.sub(r"^sqlite(\+\w+)?:///", "", place))
    if not path.is_file():
        raise InputError(
            f"--warm-start {place} does not exist: give a KerasTuner project directory, or an "
            "Optuna journal, SQLite file or URL."
        )
    with path.open("rb") as file:
        begins = file.read(15)
    if begins == b"SQLite format 3":
        address = sqlalchemy.URL.create("sqlite", database=str(path.resolve()))
        return optuna.storages.get_storage(address.render_as_string())
    if not begins.startswith(b"{"):
        raise InputError(
            f"--warm-start {place} is neither an Optuna journal nor a SQLite file: give one of "
            "them, a KerasTuner project directory or a URL."
        )
    return reading_only(path)


def _unknown(place: str, name: str, names: list[str]) -> str:
    listed = ", ".join(names)
    if not names:
        return f"--warm-start {place} is no Optuna study: it holds none."
    if name:
        return f"--warm-start {place} has no study {name!r}. Available studies: {listed}."
    return f"--warm-start {place} holds {len(names)} studies ({listed}): add #NAME for one of them."


def _earlier(
    study: optuna.Study, trial: optuna.trial.FrozenTrial, metric: Metric
) -> Earlier | None:
    record = trial.user_attrs.get(RECORD)
    if record is not None:
        trained = record["state"] != TrialState.REJECTED.value and record["score"] is not None
        values, of = record["hyperparameters"], study.user_attrs.get(METRIC)
        score = record["score"] if of == metric.name else None
        return Earlier(hyperparameters=values, score=score) if trained else None
    if trial.state not in FINISHED or not trial.params:
        return None
    value = trial.values[0] if trial.values else math.nan
    if not math.isfinite(value):
        return Earlier(hyperparameters=trial.params)
    rising = study.directions[0] is optuna.study.StudyDirection.MAXIMIZE
    same = rising is metric.higher_is_better and _within(metric, value)
    return Earlier(
        hyperparameters=trial.params,
        score=value if same else None,
        rank=-value if rising else value,
    )


def _within(metric: Any, value: float) -> bool:
    low, high = sorted((metric.perfect, metric.worst))
    return bool(low <= value <= high)
