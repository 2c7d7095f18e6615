"""Learning rate schedules: one goes on where that of the weights a model begins with had ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


class _Later(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # untyped
    """A schedule without its first steps."""

    def __init__(self, schedule: Any, steps: int) -> None:
        self._schedule, self._steps = schedule, steps

    def __call__(self, step: Any) -> Any:
        return self._schedule(step + self._steps)


def schedule_of(optimizer: Any) -> Any:
    """The learning rate schedule of an optimizer; None: its learning rate is a number."""
    rate = getattr(optimizer, "_learning_rate", None)
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None


@contextmanager
def going_on(optimizer: Any, steps: int) -> Iterator[None]:
    """Train as if so many steps had been taken before, as far as the learning rate goes.

    Afterwards the optimizer is as it was, so that a saved model knows nothing of this.
    """
    given = schedule_of(optimizer)
    if not steps or given is None:
        yield
        return
    optimizer._learning_rate = _Later(given, steps)
    try:
        yield
    finally:
        optimizer._learning_rate = given
