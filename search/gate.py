"""The gate: only here is the test split shown to models, and what they answer is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import selection
from .held_out import FILE, HeldOut
from .models.building import restore
from .models.evaluation import predictions
from .selection import Ladder, TestResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .plan import Plan
    from .trials import FinishedTrial


def judged(ladder: Ladder, results: Sequence[TestResult]) -> list[FinishedTrial]:
    """The models of a ladder that the test split has said something of."""
    numbers = {result.trial for result in results}
    return [rung for rung in ladder.rungs if rung.number in numbers]


class Gate:
    """Shows the test split to a search's candidates, to each of them once.

    Args:
        engine: keeps with the search what the candidates have scored.
        folder: for their answers, row by row.
    """

    def __init__(self, planned: Plan, engine: Any, folder: Path) -> None:
        self._plan, self._engine, self._folder = planned, engine, folder

    def open(self, ladder: Ladder) -> list[TestResult]:
        """What the candidates score, the smallest first, until one of them is decided on."""
        records = list(self._engine.recall("test", []))

        def remember(result: TestResult) -> None:
            records.append(result.record())
            self._engine.remember("test", records)

        results = selection.gate(
            ladder,
            self._answer,
            np.asarray(self._plan.prepared.data.test[1]),
            metric=self._plan.metric,
            target=self._plan.pipeline.target,
            groups=self._plan.pipeline.groups,
            seen=[TestResult.from_record(record) for record in records],
            on_open=remember,
        )
        for trial in judged(ladder, results):
            if not self.answers(trial.number).exists():  # of an older version, or elsewhere
                self._answer(trial)
        return results

    def answers(self, number: int) -> Path:
        """Where a trial's answers on the test split are kept, once it has seen that."""
        return self._folder / str(number) / FILE

    def _answer(self, trial: FinishedTrial) -> Any:
        """What a trial's model predicts for the test split; it is kept."""
        inputs, labels = self._plan.prepared.data.test
        predicted = predictions(restore(self._plan.pipeline, trial, inputs), inputs)
        kept = HeldOut.of(
            self._plan.test_rows,
            labels,
            predicted,
            self._plan.metric,
            self._plan.pipeline.groups,
        )
        kept.save(self.answers(trial.number))
        return predicted
