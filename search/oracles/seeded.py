"""An oracle of KerasTuner that proposes the same after an interruption, and never gives up."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.oracles import (
    BayesianOptimizationOracle,
    GridSearchOracle,
    HyperbandOracle,
)

from .. import oracles
from ..models.configuration import plain
from ..seeds import derived
from ..shortfall import WORST

TAUGHT = 3  # useless trials in a row that a Gaussian process learns of; then it draws at random
Values = Mapping[str, Any]


class SeededOracle:
    """Trials of an oracle by our own numbers; each has random states of its own.

    Args:
        space: the hyperparameters that are known before the first trial.
        epochs: of the longest training, for an oracle that shares epochs out.
    """

    def __init__(
        self, name: str, *, seed: int, epochs: int, space: keras_tuner.HyperParameters
    ) -> None:
        self._seed = seed
        self._oracle = oracle = oracles.make(name, seed=derived(seed), epochs=epochs)
        self._gaussian = isinstance(oracle, BayesianOptimizationOracle)
        oracle.save = lambda: None  # the engine's journal is what is kept
        oracle._save_trial = lambda trial: None
        oracle.update_space(space)
        self._draw, oracle._random_values = oracle._random_values, self._suggested_or_drawn
        self._suggested: list[dict[str, Any]] = []
        self._trials: dict[int, Any] = {}
        self._useless_in_a_row = 0

    def create(self, number: int) -> dict[str, Any] | None:
        """Values for a trial of this number; None where the oracle has none to offer now."""
        self._reseed(number)
        oracle = self._oracle
        drawn = self._gaussian and (self._suggested or self._useless_in_a_row >= TAUGHT)
        populate = (lambda _: oracle._random_populate_space()) if drawn else oracle.populate_space
        trial = self._made(number, populate)
        if trial.status != "RUNNING":
            return None
        values = {name: plain(value) for name, value in trial.hyperparameters.values.items()}
        trial.hyperparameters.values = values
        return values

    def recreate(self, number: int, values: Values) -> None:
        """Make a trial that was made before, with the values that it had.

        The oracle's own state follows as it populates again; that of a Gaussian process is in its
        trials alone, so it is spared the work.
        """
        if self._gaussian:
            if self._suggested:
                self._suggested.pop(0)
            self._make_with(number, values)
            return
        self._reseed(number)
        trial = self._made(number, self._oracle.populate_space)
        trial.hyperparameters.values = dict(values)

    def add(self, number: int, values: Values, space: Any, value: float) -> None:
        """Teach the oracle a trial that it has not proposed; a grid goes its own way."""
        if isinstance(self._oracle, GridSearchOracle):
            return
        self._make_with(number, values)
        self.end(number, space, value)

    def end(self, number: int, space: Any, value: float, *, rejected: bool = False) -> None:
        """Tell the oracle what a trial was worth.

        Args:
            space: the hyperparameters that its build has read; new ones join the search.
            rejected: it was not trained, so that its value is a guess.
        """
        trial = self._trials[number]
        useless = rejected or value <= WORST
        self._useless_in_a_row = self._useless_in_a_row + 1 if useless else 0
        trial.status = "COMPLETED"
        if self._gaussian and self._useless_in_a_row > TAUGHT:
            trial.status = "FAILED"  # nothing new, and each trial slows the next proposal down
        with _quiet():
            self._join(space)
            self._oracle.update_trial(trial.trial_id, {"value": value})
            self._oracle.end_trial(trial)

    def suggest(self, values: Values) -> None:
        """Propose these values before the oracle draws any of its own; a grid draws none."""
        self._suggested.append(dict(values))

    def continued(self, values: Values) -> int | None:
        """The trial whose weights one with these values is to begin with."""
        wanted = values.get("tuner/trial_id")
        numbers = (n for n, trial in self._trials.items() if trial.trial_id == wanted)
        return next(numbers, None)

    def open(self) -> set[int]:
        """Numbers of the trials that a later one may still go on from."""
        if not isinstance(self._oracle, HyperbandOracle):
            return set()
        rounds = [entries for each in self._oracle._brackets for entries in each["rounds"]]
        ids = {entry["id"] for entries in rounds for entry in entries}
        return {number for number, trial in self._trials.items() if trial.trial_id in ids}

    def _reseed(self, number: int) -> None:
        seed = derived(self._seed, number)
        self._oracle._seed_state = seed
        if self._gaussian:
            self._oracle._random_state = np.random.RandomState(seed)
            self._oracle.gpr = self._oracle._make_gpr()

    def _made(self, number: int, populate: Callable[[str], Any]) -> Any:
        """A new trial of the oracle, with values from `populate`."""
        original = self._oracle.populate_space
        self._oracle.populate_space = populate
        try:
            with _quiet():
                trial = self._oracle.create_trial(str(number))
        finally:
            self._oracle.populate_space = original
        if trial.status == "RUNNING":
            self._trials[number] = trial
        return trial

    def _make_with(self, number: int, values: Values) -> None:
        self._made(number, lambda _: {"status": "RUNNING", "values": dict(values)})

    def _suggested_or_drawn(self) -> Any:
        while self._suggested:
            values = self._completed(self._suggested.pop(0))
            if not self._oracle._duplicate(values):
                return values
        return self._draw()

    def _completed(self, values: dict[str, Any]) -> dict[str, Any]:
        """With defaults for what the oracle knows of and the suggestion does not."""
        hp = keras_tuner.HyperParameters()
        hp.values = values
        hp.merge(self._oracle.hyperparameters.space, overwrite=False)
        return dict(hp.values)

    def _join(self, space: Any) -> None:
        """New hyperparameters; every earlier trial had their defaults, as its model has."""
        self._oracle.update_space(space)
        for trial in self._oracle.trials.values():
            hp = trial.hyperparameters
            for each in self._oracle.hyperparameters.space:
                if hp.is_active(each):
                    hp.values.setdefault(each.name, each.default)


@contextmanager
def _quiet() -> Iterator[None]:
    """KerasTuner calls what Python deprecates, and scikit-learn warns of each fit."""
    with warnings.catch_warnings(action="ignore"):
        yield
