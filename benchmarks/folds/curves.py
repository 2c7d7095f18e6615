"""Trains a task's whole grid by every scheme of validation, by populations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from occam.search.metrics import metric
from occam.search.training.population.dataset import Dataset
from occam.search.training.population.lowering import Member
from occam.search.training.population.program import Program
from occam.search.training.population.sizing import sized
from sklearn.model_selection import KFold, StratifiedKFold
from tasks import BATCH_SIZE, Task

EPOCHS, LANES = 40, 64
SEEDS = 5  # of the default scheme: as many runs as five folds cost
Array = np.ndarray
Splits = list[tuple[Array, Array]]  # numbers of rows to train on and to hold out


class Grid:
    """A task's configurations, and programs that train them: compiled once for all draws."""

    def __init__(self, task: Task) -> None:
        self.task, self.metric = task, metric(task.metric)
        self.sizes, self.members = zip(*(task.member(*each) for each in task.grid()), strict=True)
        self._programs: dict[Any, Given] = {}

    def curves(self, draw: int) -> dict[str, Array]:
        """Scores of shape (seeds, configurations, epochs), by what was trained and scored."""
        (x, y), (x_new, y_new) = self.task.draw(draw)
        labels, new = np.concatenate([y, y_new]), np.arange(len(y), len(y) + len(y_new))
        every = np.arange(len(y))
        seen, blind = Dataset((x, y), np.concatenate([x, x_new])), Dataset((x, y), x)
        found = {"labels": y}
        seed = 1000 * draw
        for scheme, parts, seeds in (("a quarter", 4, SEEDS), ("a half", 2, 1)):
            kept, held = folded(y, parts, draw)[0]
            runs = self._train(seen, [kept], seed)
            runs += self._train(seen, [kept] * (seeds - 1), seed + 500) if seeds > 1 else []
            found[scheme] = self._scores(runs, labels, held)
            found[f"{scheme}, truth"] = self._scores(runs, labels, new)
        for folds in (2, 5):
            splits = folded(y, folds, draw)
            runs = self._train(blind, [kept for kept, _ in splits], seed + 100)
            pairs = list(zip(runs, splits, strict=True))
            learned = [self._scores([run], y, kept) for run, (kept, _) in pairs]
            found[f"{folds} folds, learned"] = np.mean(learned, axis=0)
            for run, (_, held) in pairs:
                runs[0][:, :, held] = run[:, :, held]
            found[f"{folds} folds"] = self._scores(runs[:1], y, every)
        refits = self._train(seen, [every, every], seed + 200)
        found["refit, learned"] = self._scores(refits, labels, every)
        found["refit, truth"] = self._scores(refits, labels, new)
        return found

    def _scores(self, runs: list[Array], labels: Array, rows: Array) -> Array:
        own = labels[rows]
        measure = self.metric.measure
        return np.array(
            [[[measure(own, epoch[rows]) for epoch in each] for each in run] for run in runs]
        )

    def _train(self, data: Dataset, subsets: Sequence[Array], seed: int) -> list[Array]:
        """Predictions of shape (configurations, epochs, rows, outputs) for each subset of rows."""
        steps = math.ceil(max(map(len, subsets)) / BATCH_SIZE)
        shape = len(self.members), EPOCHS, data.validation_rows, self.task.outputs
        predicted = [np.empty(shape, "float32") for _ in subsets]
        for template in dict.fromkeys(member.template for member in self.members):
            numbers = [n for n, each in enumerate(self.members) if each.template == template]
            program = self._program([self.members[number] for number in numbers], data, steps)
            lanes = [(number, part) for number in numbers for part in range(len(subsets))]
            for start in range(0, len(lanes), LANES):
                chunk = lanes[start : start + LANES]
                given = [(self.members[n], seed + part, subsets[part]) for n, part in chunk]
                for epoch, outputs in enumerate(program.trained(given, steps)):
                    for (number, part), own in zip(chunk, outputs, strict=False):
                        predicted[part][number, epoch] = own
        return predicted

    def _program(self, members: list[Member], data: Dataset, steps: int) -> Given:
        key = members[0].template, steps, data.validation_rows
        if key not in self._programs:
            self._programs[key] = Given(members[0], sized(members)[0], data, LANES)
            self._programs[key].steps = steps  # as many as these rows take, not all of them
        self._programs[key].give(data)
        return self._programs[key]


class Given(Program):
    """A program that is given other rows, of the same number, without being compiled again."""

    def give(self, data: Dataset) -> None:
        self._data = data.arrays(len(self._data["validation"][0][0]), self._stem, self.template)

    def trained(self, lanes: list[tuple[Member, int, Array]], steps: int) -> Any:
        """After each epoch the predictions of all lanes: each a member, its seed and its rows."""
        starts = [self.start(member, seed) for member, seed, _ in lanes]
        starts += [starts[0]] * (self.lanes - len(starts))
        states = jax.tree.map(lambda *leaves: np.stack(leaves), *starts)
        shuffles = [np.random.default_rng(seed) for _, seed, _ in lanes]
        for _ in range(EPOCHS):
            orders = np.zeros((self.lanes, steps, BATCH_SIZE), "int32")
            for order, shuffle, (_, _, rows) in zip(orders, shuffles, lanes, strict=False):
                order[:] = np.resize(shuffle.permutation(rows), order.shape)
            states, _, predicted = self.advance(states, orders)
            yield np.asarray(predicted)


def folded(labels: Array, folds: int, draw: int) -> Splits:
    """Classes keep their shares."""
    kind = StratifiedKFold if labels.dtype.kind in "iu" else KFold
    return list(kind(folds, shuffle=True, random_state=draw).split(labels, labels))
