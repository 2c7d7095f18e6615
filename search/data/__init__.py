"""The data of a search: read, prepared, checked, and what needs no search on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

Split = tuple[Any, Any]  # (inputs, labels): arrays or data frames with one row an example


@dataclass(frozen=True)
class Data:
    """Three splits and, once preprocessed, what turns raw inputs into the model's inputs.

    Each split is (inputs, labels), or batches of both: a tf.data.Dataset, a PyDataset or
    torch's DataLoader.
    """

    train: Split
    validation: Split
    test: Split
    transform: Callable[[Any], Any] | None = None

    def transformed(self, transform: Callable[[Any], Any]) -> Data:
        """The same splits with `transform` applied to all inputs; it travels with the model.

        `transform` must be picklable and must have learned from the train split alone:
        `data.transformed(MinMaxScaler().fit(data.train[0]).transform)`.
        """
        if self.transform is not None:
            raise InputError(
                "Data is transformed twice: chain the steps in one scikit-learn Pipeline."
            )
        train, validation, test = (
            (transform(x), y) for x, y in (self.train, self.validation, self.test)
        )
        return Data(train, validation, test, transform=transform)
