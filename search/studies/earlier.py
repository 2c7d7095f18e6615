"""What an earlier project of KerasTuner or Optuna knows, as the start of a new search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..trials import FinishedTrial, TrialState

if TYPE_CHECKING:
    from ..counting import Count
    from ..metrics import Metric

METRIC = "metric"  # a search keeps what its scores are of
FIRST = 10  # the most promising, which are trained before anything else


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A trial of another project; what it scored there is a hint, not a result."""

    hyperparameters: Mapping[str, Any]
    score: float | None = None  # on the metric of the new search
    rank: float = math.inf  # among the trials of its own project, where no score is known


def teach(engine: Any, earlier: Sequence[Earlier], metric: Metric, target: float) -> str:
    """Give an engine what fits its space: the most promising to try first, the others to learn.

    Returns what was done, in words.
    """
    tried = [(each, engine.fitting(each.hyperparameters)) for each in earlier]
    fitting = [(each, found.size) for each, found in tried if found is not None]
    fitting.sort(key=_promise(metric, target))
    for each, size in fitting[FIRST:]:
        if each.score is not None:
            engine.adopt(_finished(each, size, each.score), imported=True)
    for each, _ in fitting[:FIRST]:
        engine.suggest(each.hyperparameters)
    if not fitting:
        return f"none of its {len(earlier)} trials fits this space"
    first = min(FIRST, len(fitting))
    return f"{len(fitting)} of its {len(earlier)} trials fit this space, {first} are tried first"


def _promise(metric: Metric, target: float) -> Callable[[tuple[Earlier, Count]], Any]:
    """The smallest that reached first, then the nearest to the target."""

    def key(known: tuple[Earlier, Count]) -> tuple[int, float]:
        each, size = known
        if each.score is None:
            return 2, each.rank
        if metric.reaches(each.score, target):
            return 0, size.total
        return 1, metric.error(each.score)

    return key


def _finished(each: Earlier, size: Count, score: float) -> FinishedTrial:
    """Never as one that reached: no model of it is here."""
    return FinishedTrial(
        number=0,
        state=TrialState.COMPLETE,
        hyperparameters=each.hyperparameters,
        parameter_count=size.total,
        trainable_parameter_count=size.trainable,
        seed=0,
        score=score,
        projected_score=score,
        reason="trained by another search",
    )
