"""Runs the trials of a batch by populations, and by `fit` those that have no template."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any

import keras
import numpy as np

from ...devices import cores
from ...errors import in_one_line
from ...metrics import metric
from ...models.backbones import Parted, parted
from ...models.building import build_undrawn
from ...models.evaluation import on_processor, predictions, score
from ...nests import arrays, first_rows
from ...pipeline import Data
from ...stopping import Stop
from ...trials import (
    FinishedTrial,
    Trial,
    TrialState,
    failed,
    finish,
    not_smaller,
    rejected,
)
from ..features import features_of, forget
from ..fit import OnEpoch, Run
from ..inheritance import Inheritance
from ..trial import Task, conclude, run_trial, stops_of
from .cohort import Cohort, Lane
from .dataset import Dataset
from .errors import Unsupported
from .lowering import Member, Template, lower
from .programs import Programs
from .sizing import parts, proposed_together
from .templates import member_of

BATCH = 16  # trials that are proposed together, at most
CHECKED, TOLERANCE = 256, 1e-5  # rows on which an extracted model has to predict the same
ROUNDING = 1e-3  # beyond which a difference is an error, whatever the inputs


class Different(RuntimeError):
    """A model that does not predict what its population did."""


@dataclass(eq=False)
class _Trial:
    trial: Trial
    future: Future[FinishedTrial]
    member: Member | None
    seconds: float = 0.0  # its share of the time that its population took
    epochs: int = 0  # in its population
    note: str = ""  # what it began with, where it has a parent


class Population:
    """An executor that takes a batch of trials and trains those of one template together.

    Within a batch smaller models come first, and what cannot be smaller than one that has reached
    is not trained any further.

    Args:
        data: without its test split.
        on_epoch: is told the epochs and the score of a run under way; true ends all of them.
        notice: is told why models are trained by `fit`: once that they have no template, and of
            each template whose population fails, which is then not tried again.
    """

    def __init__(
        self,
        task: Task,
        data: Data,
        on_epoch: OnEpoch = lambda epochs, score: False,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._task, self._data, self._on_epoch, self._notice = task, data, on_epoch, notice
        self._labels = np.asarray(data.validation[1])
        self._rows = len(np.asarray(data.train[1]))
        self._metric = metric(task.pipeline.metric)
        self._inheritance = Inheritance(task.pipeline, data.train[0])
        self._ahead = max(1, cores() // 2)  # the other cores train, or feed the device
        self._compilers = ThreadPoolExecutor(self._ahead)
        self._batch: list[_Trial] = []
        self.size = self.batch = self._proposed_together()
        self._work: Iterator[None] = iter(())
        self._best: Trial | None = None
        self._backbones: dict[str, Parted] = {}  # by their identity
        self._failed: set[Template] = set()  # whose programs are not tried again
        self._noticed = self._time_is_up = False

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        """Take a trial into the batch; it is trained while its future is waited for."""
        future: Future[FinishedTrial] = Future()
        self._batch.append(_Trial(trial, future, self._member(trial)))
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        """Train until at least one trial has ended; those that have, in the order they did."""
        if self._batch:  # a second try is submitted while its batch is still under way
            self._work, self._batch = chain(self._work, self._train(self._batch)), []
        while not (done := [future for future in running if future.done()]):
            next(self._work)
        return done

    def shutdown(self) -> None:
        """Nothing is left running, and nothing kept that was for trials alone."""
        forget()
        self._work, self._batch = iter(()), []
        self._compilers.shutdown(wait=False, cancel_futures=True)

    def _proposed_together(self) -> int:
        """By the default model, so that a search that goes on asks as it did before."""
        try:
            return proposed_together(member_of(self._task.pipeline, {}, self._rows), BATCH)
        except Unsupported:
            return BATCH

    def _member(self, trial: Trial) -> Member | None:
        """The trial's model as a member of a template; None where `fit` has to train it."""
        if trial.initial_weights or trial.weights_path:
            return None  # a run of several parts
        try:
            member = member_of(self._task.pipeline, trial.hyperparameters, self._rows)
            self._know_backbone(member, trial)
            self._programs.data.check(member)
            return None if member.template in self._failed else member
        except Unsupported as reason:
            if not self._noticed:
                self._notice(f"Trained one at a time, by fit: models with {reason}.")
            self._noticed = True
            return None

    def _know_backbone(self, member: Member, trial: Trial) -> None:
        """Have the backbone of a member's model, with its weights, where that has one."""
        backbone = member.template.signature.backbone
        if backbone and backbone not in self._backbones:
            parts = parted(build_undrawn(self._task.pipeline, trial.hyperparameters))
            if parts is None or parts.identity != backbone:
                raise Unsupported("frozen layers that are others each time they are made")
            self._backbones[backbone] = parts

    def _train(self, batch: list[_Trial]) -> Iterator[None]:
        """Smaller models first; yields whenever a future may have a result."""
        groups: dict[Template | None, list[_Trial]] = defaultdict(list)
        for each in sorted(batch, key=lambda each: each.trial.parameter_count):
            groups[each.member.template if each.member else None].append(each)
        alone = groups.pop(None, [])
        self._time_is_up = False
        coming = [part for group in groups.values() for part in self._parts(group)]
        while coming:
            self._expect(coming)
            yield from self._train_together(coming.pop(0))
            yield  # where all of them were needless, nothing has been trained
        yield from self._train_each(alone)

    def _train_each(self, trials: list[_Trial]) -> Iterator[None]:
        for each in trials:
            if not each.future.done():
                self._train_alone(each)
                yield

    def _train_alone(self, each: _Trial) -> None:
        if self._is_needless(each):
            return
        started = time.perf_counter()
        ended = run_trial(self._task, each.trial, self._data, self._on_epoch)
        each.seconds += time.perf_counter() - started
        self._finish(each, replace(ended, lost_epochs=each.epochs))

    def _parts(self, group: list[_Trial]) -> list[list[_Trial]]:
        """Trials of one template by the program that trains them."""
        owners = {id(each.member): each for each in group}
        return [
            [owners[id(member)] for member in part] for part in parts(_members(group), self._rows)
        ]

    def _expect(self, coming: list[list[_Trial]]) -> None:
        """Have programs compiled before they are needed: the next first, then some that follow."""
        needed = [part for part in coming if not all(self._is_beaten(each) for each in part)]
        for part in [] if self._time_is_up else needed[: 1 + self._ahead]:
            self._programs.expect(_members(part))

    def _train_together(self, part: list[_Trial]) -> Iterator[None]:
        template = _members(part)[0].template
        try:
            if template not in self._failed:
                yield from self._population(part)
        except Exception as error:  # out of memory, or what the compiler cannot do
            self._notice(f"A population failed, fit takes over: {in_one_line(error)}.")
            self._failed.add(template)
        yield from self._train_each(part)

    def _population(self, group: list[_Trial]) -> Iterator[None]:
        needed = [each for each in group if not self._is_needless(each)]
        if not needed:
            return
        cohort = Cohort(self._programs.of(_members(group)), self._labels, self._metric)
        for each in needed:
            cohort.add(self._lane(each))
        while any(cohort.runs):
            ended = self._advance(cohort)
            differing = [error for lane in ended if (error := self._conclude(lane)) is not None]
            if differing:
                raise differing[0]
            for lane in cohort.drop(lambda lane: self._is_beaten(lane.owner)):
                self._reject(lane.owner)
            yield

    def _lane(self, each: _Trial) -> Lane:
        (member,) = _members([each])
        trial, begin, behind = each.trial, None, 0
        if trial.parent is not None:
            with on_processor():
                model = build_undrawn(self._task.pipeline, trial.hyperparameters)
                begin, each.note = self._inheritance.give(trial.parent, model)
            behind = trial.parent.epochs if begin is not None else 0
        stops = stops_of(self._task, trial)
        return Lane(each, member, trial.seed, trial.epochs, stops, begin, behind)

    def _advance(self, cohort: Cohort) -> list[Lane]:
        """One epoch of all that is under way; the runs that have ended."""
        started = time.perf_counter()
        ended = cohort.advance()
        took = [*cohort.active, *ended]
        for lane in took:
            lane.owner.seconds += (time.perf_counter() - started) / len(took)
            lane.owner.epochs = len(lane.scores)
        self._time_is_up = self._on_epoch(len(took[0].scores), took[0].scores[-1])
        if self._time_is_up:
            for lane in cohort.drop(lambda lane: True):
                lane.stop = Stop.OUT_OF_TIME
                ended.append(lane)
        return ended

    def _conclude(self, lane: Lane) -> Different | None:
        """A run has ended; one that had not begun is not counted as tried.

        What makes a population worth nothing is returned: so may be all others of its template.
        """
        trial: Trial = lane.owner.trial
        if not lane.scores and self._is_needless(lane.owner):
            return None
        run = Run(
            history={"loss": lane.losses, "score": lane.scores},
            epochs=len(lane.scores),
            stop=lane.stop,
            model=lambda: self._extract(lane),
            note=lane.owner.note,
        )
        try:
            ended = conclude(self._task, trial, run)
        except Different as error:
            return error
        except Exception as error:
            ended = failed(trial, in_one_line(error), epochs=run.epochs)
        self._finish(lane.owner, ended)
        return None

    def _finish(self, each: _Trial, ended: FinishedTrial) -> None:
        best = self._best
        if ended.reached and (best is None or ended.parameter_count < best.parameter_count):
            self._best = each.trial
        each.future.set_result(replace(ended, seconds=each.seconds))

    def _is_needless(self, each: _Trial) -> bool:
        """Whether a trial that has not begun does not have to be trained; it is told so."""
        if self._is_beaten(each):
            self._reject(each)
        elif self._time_is_up:
            self._finish(each, rejected(each.trial, Stop.OUT_OF_TIME.value))
        return each.future.done()

    def _is_beaten(self, each: _Trial) -> bool:
        """Whether a model that is not larger has reached meanwhile."""
        best = self._best
        return best is not None and each.trial.parameter_count >= best.parameter_count

    def _reject(self, each: _Trial) -> None:
        if self._best is not None:
            reason = not_smaller(self._best)
            beaten = finish(each.trial, TrialState.PRUNED, reason=reason, epochs=each.epochs)
            self._finish(each, beaten)

    @cached_property
    def _programs(self) -> Programs:
        (x, y), (x_validation, _) = self._data.train, self._data.validation
        data = Dataset((arrays(x), arrays(np.asarray(y))), arrays(x_validation), self._features)
        return Programs(data, self._compilers)

    def _features(self, backbone: str) -> tuple[Any, Any]:
        """What a backbone makes of the rows; Unsupported where that cannot be kept."""
        parts, inputs = self._backbones[backbone], (self._data.train[0], self._data.validation[0])
        features, validated = (features_of(parts, each) for each in inputs)
        if features is None or validated is None:
            raise Unsupported("frozen layers whose outputs cannot be kept")
        return features, validated

    def _extract(self, lane: Lane) -> keras.Model:
        """The member as an ordinary small model, with the weights it was trained to.

        Raises Different where that model does not predict what the population did.
        """
        with on_processor():
            model = build_undrawn(self._task.pipeline, lane.owner.trial.hyperparameters)
            lower(model, lane.member.template.batch_size).set_weights(lane.weights)
            model.optimizer.build(model.trainable_variables)  # else Keras cannot load what it saves
            predicted = predictions(model, first_rows(self._data.validation[0], CHECKED))
        expected = lane.predicted[:CHECKED]
        difference = float(np.max(np.abs(predicted - expected)))
        parts = difference / max(1.0, float(np.max(np.abs(expected))))
        if not (parts <= TOLERANCE or (parts <= ROUNDING and self._reaches(model))):
            raise Different(f"a model differs by {difference:.1e} from what was trained")
        return model

    def _reaches(self, model: keras.Model) -> bool:
        """Whether a model reaches by itself, which rounds as large inputs make it."""
        reached = score(model, self._data.validation, self._metric)
        return self._metric.reaches(reached, self._task.search_target)


def _members(trials: list[_Trial]) -> list[Member]:
    return [each.member for each in trials if each.member is not None]
