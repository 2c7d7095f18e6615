"""What of an earlier project is tried first, and what only teaches."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from occam.search.counting import Count
from occam.search.metrics import metric
from occam.search.studies.earlier import FIRST, Earlier, teach
from occam.search.trials import FinishedTrial


class Engine:
    """Fits configurations of fewer than 1,000 units, one parameter each."""

    def __init__(self) -> None:
        self.suggested: list[int] = []
        self.adopted: list[tuple[FinishedTrial, bool]] = []

    def fitting(self, hyperparameters: Any) -> Any:
        units = hyperparameters["units"]
        return SimpleNamespace(size=Count(units, units - 1)) if units < 1000 else None

    def suggest(self, hyperparameters: Any) -> None:
        self.suggested.append(hyperparameters["units"])

    def adopt(self, finished: FinishedTrial, *, imported: bool) -> None:
        self.adopted.append((finished, imported))


def earlier(units: int, score: float | None = None, **rank: float) -> Earlier:
    return Earlier(hyperparameters={"units": units}, score=score, **rank)


def test_the_smallest_that_reached_come_first_then_the_nearest_then_the_ranked():
    engine = Engine()
    known = [
        *(earlier(50, rank=2), earlier(40, rank=1), earlier(5, 0.7), earlier(30, 0.89)),
        *(earlier(20, 0.95), earlier(10, 0.91), earlier(2000, 0.99)),
    ]
    said = teach(engine, known, metric("accuracy"), 0.9)
    assert engine.suggested == [10, 20, 30, 5, 40, 50]
    assert engine.adopted == []
    assert said == "6 of its 7 trials fit this space, 6 are tried first"


def test_what_is_not_tried_first_teaches_where_its_score_is_known_and_never_as_reached():
    engine = Engine()
    known = [earlier(units, 0.99) for units in range(1, FIRST + 3)]
    said = teach(engine, [earlier(900), *known], metric("accuracy"), 0.9)
    assert engine.suggested == list(range(1, FIRST + 1))
    assert [each.parameter_count for each, _ in engine.adopted] == [FIRST + 1, FIRST + 2]
    first, imported = engine.adopted[0]
    assert (first.score, first.projected_score) == (0.99, 0.99)
    assert (first.reached, first.trainable_parameter_count, imported) == (False, FIRST, True)
    assert said.endswith(f"{FIRST} are tried first")


@pytest.mark.parametrize("known", [[], [earlier(2000, 0.99)]])
def test_what_fits_nowhere_is_said(known):
    said = teach(Engine(), known, metric("accuracy"), 0.9)
    assert said == f"none of its {len(known)} trials fits this space"
