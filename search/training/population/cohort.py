"""Members of one template at work: so many lanes, each refilled when its run has ended."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import setitem
from typing import Any

import jax
import numpy as np

from ...arrays import Array
from ...metrics import Metric
from ...stopping import Stop, Stops
from .lowering import Member
from .optimizers import Schedule
from .program import Program, State


@dataclass(eq=False)
class Lane:
    """One run of one member."""

    owner: Any  # whose run it is
    member: Member
    seed: int
    epochs: int
    stops: Stops
    begin: list[Array] | None = None  # the member's own weights to begin with; None: drawn
    behind: int = 0  # epochs that those weights have behind them
    scores: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    stop: Stop | None = None
    weights: list[Array] = field(init=False)  # the member's own, once the run has ended
    predicted: Array = field(init=False)  # with these
    order: Array = field(init=False)  # rows of each step of the next epoch

    def __post_init__(self) -> None:
        self._orders = np.random.default_rng(self.seed)

    def rates(self, steps: int) -> Schedule | None:
        """The schedule of the learning rate, from where the weights that it begins with were.

        Args:
            steps: of an epoch.
        """
        schedule, before = self.member.schedule, self.behind * steps
        return schedule and (lambda step: schedule(step + before))

    def draw(self, program: Program) -> None:
        """Shuffle the rows for the next epoch; its last batch is filled up from the first."""
        shape = program.steps, program.template.batch_size
        self.order = np.resize(self._orders.permutation(program.rows).astype("int32"), shape)


class Cohort:
    """Runs of one program, as many at a time as it has lanes."""

    def __init__(self, program: Program, labels: Array, metric: Metric) -> None:
        self._program, self._labels, self._metric = program, labels, metric
        self._lanes: list[Lane | None] = [None] * program.lanes
        self._waiting: deque[Lane] = deque()
        self._states: State | None = None

    @property
    def runs(self) -> Iterator[Lane]:
        """All that are under way or waiting."""
        yield from self.active
        yield from self._waiting

    @property
    def active(self) -> list[Lane]:
        """Those under way."""
        return [lane for lane in self._lanes if lane is not None]

    def add(self, lane: Lane) -> None:
        """Let a run wait for a free lane."""
        self._waiting.append(lane)

    def drop(self, unwanted: Callable[[Lane], bool]) -> list[Lane]:
        """Take out runs that are not wanted any more."""
        dropped = [lane for lane in [*self.runs] if unwanted(lane)]
        self._lanes = [None if lane in dropped else lane for lane in self._lanes]
        self._waiting = deque(lane for lane in self._waiting if lane not in dropped)
        return dropped

    def advance(self) -> list[Lane]:
        """Train every lane for one epoch; the runs that have ended with it."""
        states = self._fill()
        program = self._program
        idle = np.zeros((program.steps, program.template.batch_size), "int32")
        orders = [idle if lane is None else lane.order for lane in self._lanes]
        schedules = [None if lane is None else lane.rates(program.steps) for lane in self._lanes]
        self._states, *results = program.advance(states, np.stack(orders), schedules)
        for training in self.active:
            training.draw(program)  # while the device is at work
        losses, predicted = (np.asarray(each) for each in results)
        ended = []
        for index, lane in enumerate(self._lanes):
            if lane is not None and self._judge(lane, float(losses[index]), predicted[index]):
                # On the host: cutting spread arrays would compile a program for each shape.
                own = jax.tree.map(lambda leaf, i=index: np.asarray(leaf)[i], self._states)
                lane.weights = program.weights(lane.member, own)
                lane.predicted = predicted[index]
                self._lanes[index] = None
                ended.append(lane)
        return ended

    def _judge(self, lane: Lane, loss: float, predicted: Array) -> bool:
        """Whether a run ends with this epoch."""
        finite = math.isfinite(loss) and bool(np.isfinite(predicted).all())
        lane.losses.append(loss)
        score = self._metric.measure(self._labels, predicted) if finite else math.nan
        lane.scores.append(score)
        lane.stop = lane.stops.decide(lane.scores)
        return lane.stop is not None or len(lane.scores) >= lane.epochs

    def _fill(self) -> State:
        """Give free lanes to those that wait; states are on the host meanwhile."""
        free = [index for index, lane in enumerate(self._lanes) if lane is None]
        starting = []
        while free and self._waiting:
            lane = self._waiting.popleft()
            lane.draw(self._program)
            index = free.pop(0)
            self._lanes[index] = lane
            starting.append((index, self._program.start(lane.member, lane.seed, lane.begin)))
        if self._states is None:
            like = starting[0][1]
            self._states = jax.tree.map(lambda leaf: np.stack([leaf] * len(self._lanes)), like)
        if starting:
            self._states = jax.tree.map(np.array, self._states)
        for index, state in starting:
            jax.tree.map(lambda lanes, own, i=index: setitem(lanes, i, own), self._states, state)
        return self._states
