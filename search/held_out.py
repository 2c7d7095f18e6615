"""What a model that saw the test split predicts there, row by row: kept, so that two compare."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from .files import written_whole

if TYPE_CHECKING:
    from .arrays import Array, Rows
    from .metrics import Metric

FILE = "test_rows.npz"  # among the artifacts of the trial's run
VALUES = 2_000_000  # labels and predictions kept, at most; of larger ones some rows
SOME = 64


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Labels and predictions of the test split, one a row.

    Classes are kept as their indices, where the metric asks for no more: (rows,), or (rows, steps)
    of sequences. Of what is too large, as images are, some rows are kept to be looked at, and all
    as the metric compacts them.
    """

    split: str  # fingerprint of the raw test rows: only the same rows can be compared
    complete: bool  # all rows are here
    labels: Array
    predictions: Array
    compacted: Rows | None = None
    groups: Array | None = None  # of each row, (rows,), where rows of a group are alike

    @classmethod
    def of(
        cls,
        split: str,
        labels: Array,
        predictions: Array,
        metric: Metric,
        groups: Array | None = None,
    ) -> HeldOut:
        """As much of it as is worth keeping.

        Args:
            labels, predictions: (rows, ...).
            groups: of each row, of whatever they are named by.
        """
        labels, predictions = np.asarray(labels), np.asarray(predictions)
        numbers = None if groups is None else np.unique(groups, return_inverse=True)[1]
        keep = partial(cls, split=split, groups=numbers)
        if metric.of_classes:
            truth, predicted = metric.compact(labels, predictions)
            shape = (len(labels), -1) if truth.size > len(labels) else (-1,)
            truth, predicted = truth.reshape(shape), predicted.reshape(shape)
            return keep(complete=True, labels=truth, predictions=predicted)
        if _size(labels, predictions) <= VALUES:
            return keep(complete=True, labels=labels, predictions=predictions)
        rows = metric.compact(labels, predictions)
        return keep(
            complete=False,
            labels=labels[:SOME],
            predictions=predictions[:SOME],
            compacted=rows if _size(*rows) <= VALUES else None,
        )

    def rows(self, metric: Metric) -> Rows | None:
        """All rows, for `metric` to measure; None where not all are known."""
        if not self.complete:  # an older version may have compacted less
            return metric.compact(*self.compacted) if self.compacted else None
        if not metric.of_classes:
            return metric.compact(self.labels, self.predictions)
        shape = (len(self.labels), -1, 1)  # else the steps of a sequence pass for classes of a row
        return self.labels.reshape(shape), self.predictions.reshape(shape)

    def save(self, path: Path) -> None:
        """Write it, whole or not at all; `load` reads it."""
        labels, predictions = self.compacted or (np.empty(0), np.empty(0))
        groups = np.empty(0) if self.groups is None else self.groups
        with written_whole(path) as part:
            np.savez_compressed(
                part,
                split=np.array(self.split),
                complete=np.array(self.complete),
                labels=self.labels,
                predictions=self.predictions,
                compacted_labels=labels,
                compacted_predictions=predictions,
                groups=groups,
            )

    @classmethod
    def load(cls, path: Path) -> HeldOut:
        """What `save` has written. Raises OSError, KeyError or ValueError where it is damaged."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return cls(
                    split=str(file["split"]),
                    complete=bool(file["complete"]),
                    labels=file["labels"],
                    predictions=file["predictions"],
                    compacted=_compacted(file),
                    groups=file["groups"] if np.size(file.get("groups", ())) else None,
                )
        except (BadZipFile, EOFError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error


def _size(labels: Array, predictions: Array) -> int:
    return int(labels.size + predictions.size)


def _compacted(file: Any) -> Rows | None:
    if not np.size(file.get("compacted_labels", ())):
        return None
    return file["compacted_labels"], file["compacted_predictions"]
