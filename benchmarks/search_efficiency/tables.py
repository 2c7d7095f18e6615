"""Trains every configuration of a task in full, by populations: curves that all tools replay."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from occam.search.counting import unallocated
from occam.search.metrics import Metric, metric
from occam.search.models.configuration import GivenHyperParameters
from occam.search.selection import search_target
from occam.search.stopping import Stops
from occam.search.training.population.cohort import Cohort, Lane
from occam.search.training.population.dataset import Dataset
from occam.search.training.population.lowering import lower
from occam.search.training.population.program import Program
from occam.search.training.population.sizing import parts, sized
from tasks import Task, grid, key

SEEDS = 3
MARGIN = 2.0
SHARE = 0.1  # of the configurations that reach the search target
Pick = tuple[int, int, float]  # epochs spent, size, score on new rows


@dataclass(frozen=True)
class Table:
    """Scores after each epoch, of shape (configurations, seeds, epochs)."""

    task: Task
    configurations: list[dict[str, Any]]
    sizes: np.ndarray
    validation: np.ndarray
    truth: np.ndarray
    labels: np.ndarray  # of the validation rows
    templates: np.ndarray  # equal where configurations can be trained together
    reads: dict[str, list[Any]]  # from what was read so far to what a build reads next

    def build(self, hp: Any) -> Any:
        """Reads `hp` as the task's own build does; the model that it stands for is in the table."""
        number = self.numbered(hp)
        return Counted(int(self.sizes[number]), int(self.templates[number]))

    def numbered(self, hp: Any) -> int:
        """Number of the configuration that a build would read from `hp`."""
        given: dict[str, Any] = {}
        while (asked := self.reads.get(key(given))) is not None:
            method, name, arguments = asked
            given[name] = getattr(hp, method)(name, **arguments)
        return self.index[key(given)]

    @cached_property
    def index(self) -> dict[str, int]:
        return {key(each): number for number, each in enumerate(self.configurations)}

    @property
    def metric(self) -> Metric:
        return metric(self.task.metric)

    @cached_property
    def target(self) -> float:
        """The hardest hundredth whose search target a tenth of all configurations reach."""
        measured = self.metric
        scores = np.nanmean(self.validation[:, :, -2:], axis=(1, 2))
        hundredths = [number / 100 for number in range(1, 100)]
        for target in reversed(hundredths) if measured.higher_is_better else hundredths:
            aim = search_target(measured, target, self.labels, MARGIN)
            if np.mean([measured.reaches(score, aim) for score in scores]) >= SHARE:
                return target
        raise ValueError(f"No target suits the task {self.task.name!r}.")


class Counted(keras.Model):
    """Stands for a model of which nothing but the size is asked."""

    def __init__(self, size: int, template: int) -> None:
        super().__init__()
        self.size, self.template = size, template
        self.built = self.compiled = True
        self.optimizer = None

    def count_params(self) -> int:
        return self.size


class Full(Stops):
    """Every epoch is trained."""

    def decide(self, scores: Sequence[float]) -> None:
        return None


class Both(Cohort):
    """Scores the rows called truth beside the validation rows; no run is told of the former."""

    def __init__(self, program: Program, labels: Any, truth: Any, measured: Metric) -> None:
        super().__init__(program, labels, measured)
        self._truth = truth

    def _judge(self, lane: Lane, loss: float, predicted: Any) -> bool:
        rows, finite = len(self._labels), bool(np.isfinite(predicted).all())
        score = self._metric.measure(self._truth, predicted[rows:]) if finite else np.nan
        lane.owner[2].append(score)
        return super()._judge(lane, loss, predicted[:rows])


def table(task: Task, folder: Path) -> Table:
    """The table from its file; it is made where there is none."""
    file = path(task, folder)
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez_compressed(part, **make(task))
        part.replace(file)
    with np.load(file) as held:
        arrays = {name: held[name] for name in held.files}
    return Table(
        task,
        configurations=json.loads(str(arrays.pop("configurations"))),
        reads=json.loads(str(arrays.pop("reads"))),
        **arrays,
    )


def path(task: Task, folder: Path) -> Path:
    """Where the table of a task lies."""
    return folder / f"{task.name.replace(' ', '_')}.npz"


def make(task: Task) -> dict[str, Any]:
    train, validation, truth = task.data()
    data = Dataset(train, np.concatenate([validation[0], truth[0]]))
    listed, reads = grid(task)
    groups = defaultdict(list)
    sizes, templates = np.zeros((2, len(listed)), int)
    known: dict[Any, int] = {}
    for number, each in enumerate(listed):
        with unallocated():
            model = task.build(GivenHyperParameters(each))
        sizes[number] = model.count_params()
        member = lower(model, task.batch_size)
        groups[member.template].append((number, member))
        templates[number] = known.setdefault(member.template, len(known) + 1)
    scores = np.full((2, len(listed), SEEDS, task.epochs), np.nan, "float32")
    stops = Full(metric=metric(task.metric), search_target=0.0, epochs=task.epochs)
    for group in groups.values():
        numbers = {id(member): number for number, member in group}
        for part in parts([member for _, member in group], data.rows):
            lanes = [
                Lane((numbers[id(member)], seed, []), member, 1000 * seed + 7, task.epochs, stops)
                for member in part
                for seed in range(SEEDS)
            ]
            widths, room = sized(part)
            cohort = Both(
                Program(part[0], widths, data, room), validation[1], truth[1], stops.metric
            )
            for lane in lanes:
                cohort.add(lane)
            while any(cohort.runs):
                cohort.advance()
            for lane in lanes:
                number, seed, true = lane.owner
                scores[0, number, seed], scores[1, number, seed] = lane.scores, true
            done = np.isfinite(scores[0, :, 0, 0]).sum()
            print(f"{task.name}: {done} of {len(listed)} trained", file=sys.stderr, flush=True)
    return {
        "configurations": json.dumps(listed),
        "reads": json.dumps(reads),
        "sizes": sizes,
        "templates": templates,
        "validation": scores[0],
        "truth": scores[1],
        "labels": np.asarray(validation[1]),
    }
