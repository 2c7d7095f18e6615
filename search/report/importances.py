"""Which hyperparameters decide over the score and over the size: Optuna's fANOVA."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median_low
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

TRIALS = 300  # the newest of them: a forest of more takes longer than it tells
FEWEST = 10  # trials that importances can be told from
ABSENT = "not used"

Row = tuple[Mapping[str, Any], float]  # hyperparameters and what came of them


def importances(rows: Sequence[Row]) -> dict[str, float]:
    """Shares of the variance that hyperparameters explain, the largest first; {} of too few.

    fANOVA: Hutter, Hoos and Leyton-Brown, ICML 2014. Where a trial did not use a hyperparameter,
    the median stands for a number, and "not used" is a choice of its own.
    """
    rows = [row for row in rows if math.isfinite(row[1])][-TRIALS:]
    found = distributions([values for values, _ in rows])
    if len(rows) < FEWEST or not found or len({value for _, value in rows}) < 2:
        return {}
    fill = {name: _filling(each, rows, name) for name, each in found.items()}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: values.get(name, fill[name]) for name in found},
                distributions=found,
                value=value,
            )
            for values, value in rows
        ]
    )
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=16, seed=0)
    shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: round(float(share), 4) for name, share in shares.items()}


def distributions(values: Sequence[Mapping[str, Any]]) -> dict[str, BaseDistribution]:
    """Optuna's distribution of each hyperparameter that takes more than one value."""
    names = dict.fromkeys(name for each in values for name in each)
    found = {}
    for name in names:
        seen = [each[name] for each in values if name in each]
        absent = len(seen) < len(values)
        numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in seen)
        if numbers and len(set(seen)) > 1:
            found[name] = _numeric(seen)
        elif not numbers and len(set(map(str, seen))) + absent > 1:
            choices = sorted(dict.fromkeys(seen), key=str)
            found[name] = CategoricalDistribution([*choices, *([ABSENT] if absent else [])])
    return found


def logarithmic(values: Sequence[float]) -> bool:
    """Whether numbers span so much that they are better seen on a logarithmic scale."""
    return min(values) > 0 and max(values) / min(values) >= 20


def _numeric(seen: Sequence[float]) -> BaseDistribution:
    low, high, log = min(seen), max(seen), logarithmic(seen)
    if all(isinstance(each, int) for each in seen):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(float(low), float(high), log=log)


def _filling(distribution: BaseDistribution, rows: Sequence[Row], name: str) -> Any:
    if isinstance(distribution, CategoricalDistribution):
        return ABSENT
    return median_low([values[name] for values, _ in rows if name in values])
