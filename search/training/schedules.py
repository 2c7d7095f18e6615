"""A learning rate schedule goes on where that of the weights that a model begins with had ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from ..building import schedule_of


class _Later(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]  # untyped
    """A schedule without its first steps."""

    def __init__(self, schedule: Any, steps: int) -> None:
        self._schedule, self._steps = schedule, steps

    def __call__(self, step: Any) -> Any:
        return self._schedule(step + self._steps)


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
