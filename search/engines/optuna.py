"""Optuna as an engine: a persistent study, asked for trials and told what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from ..models.building import Builder, Tried
from ..samplers import LEVEL_SET, ONE_SEED, UNCONSTRAINED, sampler_factory
from ..samplers.candidates import Values
from ..samplers.configurations import Configurations
from ..samplers.descents import Descents
from ..samplers.level_set import LevelSetSampler
from ..samplers.pool import Pool
from ..seeds import derived
from ..shortfall import shortfall
from ..stopping import GRACE, calibrated, usual_exponent
from ..studies.constraints import tell
from ..studies.storage import others, storage_of
from ..trials import (
    BATCH,
    IMPORTED,
    MOST_CUT_OFF,
    PARENT,
    RECORD,
    FinishedTrial,
    Parent,
    Trial,
    cut_off,
    packed,
    unbuildable,
    unpacked,
)

if TYPE_CHECKING:
    from ..metrics import Metric
    from ..pipeline import Pipeline

Curves = Sequence[Sequence[float]]  # validation scores by epoch

CUT_OFF = "cut_off"  # user attribute: how often the process ended while a trial was under way
FINE = 3  # a child is trained for one epoch of so many that a trial may take


class Engine:
    """Optuna's samplers through ask and tell; the study is the one record of what finished.

    A search that is asked again with the same arguments goes on where it was: a trial that was
    under way when the process died is asked for again, under the same number.

    Args:
        inputs: a few rows that a model can be built on, where it does not know its input shape.
        storage: a file for the study's journal, or any storage URL of Optuna, which several
            processes may share.
        models: folder of this process's own for the models that reach.
        fit_space: hyperparameters that a HyperModel's own `fit` reads.
        narrows: whether a model can begin with the units of another, as `Descents` is told;
            None: no model is narrowed. Only beside the level-set sampler is one ever.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        name: str,
        storage: Path | str,
        sampler: str,
        seed: int,
        metric: Metric,
        search_target: float,
        inputs: Any,
        template: Callable[[Any, Any], int] = lambda model, hp: 0,
        fit_space: Sequence[Any] = (),
        models: Path = Path(),
        narrows: Callable[[Mapping[str, Any], Mapping[str, Any]], bool] | None = None,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._pipeline, self._seed = pipeline, seed
        self._metric, self._search_target = metric, search_target
        self._sampler_name = sampler
        self._configurations = Configurations(
            Builder(pipeline, inputs, fit_space), template, grid=sampler == "grid"
        )
        self._asked: dict[int, optuna.Trial] = {}
        self._known: dict[int, FinishedTrial] = {}
        self._exhausted = False
        self.exhausted_because = "the sampler has proposed all there is"
        self._descents = None
        if sampler == LEVEL_SET and narrows is not None:
            self._descents = Descents(self._configurations.sized, narrows)
        self._make_sampler = self._level_set() if sampler == LEVEL_SET else sampler_factory(sampler)
        opened = storage_of(storage)
        self._study = optuna.create_study(
            storage=opened,
            study_name=name,
            direction="minimize",
            sampler=self._sampler(0),
            pruner=optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        self._study.stop = self._exhaust  # type: ignore[method-assign]  # how a grid says it is done
        self.others = others(self._study, opened, models)

    @property
    def finished(self) -> list[FinishedTrial]:
        """All that was ever told, in the order of their numbers."""
        return [self._unpacked(each) for each in _told(self._study)]

    def _unpacked(self, trial: optuna.trial.FrozenTrial) -> FinishedTrial:
        """Once: a record is what it is."""
        if trial.number not in self._known:
            self._known[trial.number] = _unpacked(trial)
        return self._known[trial.number]

    def ask(self, n: int) -> list[Trial]:
        """Up to `n` configurations with their sizes; fewer where nothing is left to propose.

        They are one batch: what the sampler knows is what had finished before the first of them.
        A batch that was interrupted comes again, and is completed where it had not been asked for
        in full: so the search goes on as if nothing had happened.
        """
        with self.others.alone("ask"):
            return self._ask(n, self.others.left_behind())

    def _ask(self, n: int, left_behind: list[optuna.trial.FrozenTrial]) -> list[Trial]:
        again = [trial for each in left_behind if (trial := self._reopened(each)) is not None]
        first, size = self._batch(n, again=bool(again))
        curves = self._curves(before=min([first, *(trial.number for trial in again)]))
        asked = [self._propose(trial, curves) for trial in again]
        if isinstance(self._study.sampler, LevelSetSampler):
            self._study.sampler.begin(first, size)
        children = self._children(first)
        while self._count() < first + size and not self._exhausted:
            trial = self._next() if children is None else self._next_of(children, first)
            if trial is None:
                break
            self.others.take(trial.number)
            if size > 1:
                trial.set_user_attr(BATCH, first)
            asked.append(self._propose(trial, curves))  # the next is chosen knowing its values
        return asked

    def tell(self, finished: FinishedTrial) -> bool:
        """Record what became of a trial: first as a value of ours, then in Optuna's terms.

        Returns false where another process has taken the trial over meanwhile.
        """
        trial = self._asked.pop(finished.number)
        if not self.others.tell(finished):
            return False
        try:
            trial.set_user_attr(RECORD, packed(finished))
        except optuna.exceptions.UpdateFinishedTrialError:  # another was faster than it seemed
            return False
        self.others.note([finished.number])
        self._finish(trial, finished)
        return True

    def leave(self) -> None:
        """Have what is under way come again as if it had not been begun: this is no crash of it."""
        for trial in self._asked.values():
            if self.others.holds(trial.number):
                trial.set_user_attr(CUT_OFF, trial.user_attrs.get(CUT_OFF, 0) - 1)
        self._asked = {}

    def fitting(self, hyperparameters: Mapping[str, Any]) -> Tried | None:
        """The model of a configuration of another study; None where it is none of this space."""
        return self._configurations.fitting(hyperparameters)

    def adopt(self, finished: FinishedTrial, *, imported: bool = False) -> int:
        """Take in a trial that another study has finished, under the next number of this one.

        Args:
            finished: `fitting` has said that it fits.
            imported: it only teaches the sampler; otherwise it counts as one of this search.
        """
        sampler, self._study.sampler = self._study.sampler, optuna.samplers.RandomSampler(seed=0)
        known: dict[str, Any] = {IMPORTED: True} if imported else {}
        known |= {} if finished.parent is None else {PARENT: finished.parent}
        suggestions = self._configurations.suggestions(finished.hyperparameters)
        self._study.enqueue_trial(suggestions, known)
        trial = self._study.ask()
        self._study.sampler = sampler
        self._configurations.suggest(trial)
        self._asked[trial.number] = trial
        self.others.take(trial.number)
        self.tell(replace(finished, number=trial.number))
        self.others.release()
        return trial.number

    def suggest(self, hyperparameters: Mapping[str, Any]) -> None:
        """Propose this configuration before those of the sampler."""
        self._study.enqueue_trial(self._configurations.suggestions(hyperparameters))

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value with the search."""
        self._study.set_user_attr(key, value)

    def recall(self, key: str, default: Any = None) -> Any:
        """A JSON value that was kept with the search."""
        return self._study.user_attrs.get(key, default)

    def _level_set(self) -> Callable[[int], optuna.samplers.BaseSampler]:
        """One sampler for the whole search: what it draws once, it keeps."""
        configurations = self._configurations
        sampler = LevelSetSampler(
            pool=Pool(configurations.measured, derived(self._seed, 0, 2), configurations.default),
            metric=self._metric,
            search_target=self._search_target,
            seed=lambda number: derived(self._seed, number, 3),
            narrowed=self._is_narrowed,
        )
        return lambda seed: sampler

    def _batch(self, n: int, *, again: bool) -> tuple[int, int]:
        """Number of the first trial of this batch, and how many it has."""
        first, size = self.recall("batch", (0, 0)) if again else (self._count(), n)
        if first + size <= self._count():
            return self._count(), 0
        if n > 1:
            self.remember("batch", (first, size))
        return first, size

    def _count(self) -> int:
        """Trials that were asked for; one that is enqueued was not yet."""
        trials = self._study.get_trials(deepcopy=False)
        return sum(each.state is not optuna.trial.TrialState.WAITING for each in trials)

    def _reopened(self, frozen: optuna.trial.FrozenTrial) -> optuna.Trial | None:
        """A trial that was under way; None where it had finished, but Optuna was not told."""
        trial = self._seeded(frozen.number, lambda: optuna.Trial(self._study, frozen._trial_id))
        if RECORD not in trial.user_attrs:
            trial.set_user_attr(CUT_OFF, trial.user_attrs.get(CUT_OFF, 0) + 1)
            return trial
        self._finish(trial, _unpacked(trial))
        return None

    def _next(self) -> optuna.Trial | None:
        """The next trial to propose; None where the sampler sees nothing worth trying."""
        trials = self._study.get_trials(deepcopy=False)
        if not trials:
            self._study.enqueue_trial(self._configurations.default)
            trials = self._study.get_trials(deepcopy=False)
        waiting = [each.number for each in trials if each.state is optuna.trial.TrialState.WAITING]
        if waiting:
            return self._seeded(waiting[0], self._study.ask)
        sampler = self._study.sampler
        if isinstance(sampler, LevelSetSampler) and sampler.exhausted(self._study, len(trials)):
            smaller = " smaller" if any(each.reached for each in self.finished) else ""
            because = f"no{smaller} model is likely to reach the target any more"
            self.exhausted_because = because + sampler.left_out()
            return None
        return self._seeded(len(trials), self._study.ask)

    def _children(self, first: int) -> list[tuple[int, Values]] | None:
        """The children that a batch consists of; None where the sampler is to propose it.

        Whatever has become the smallest loses units first, until none of its layers can: that
        takes a few epochs a child, and the sampler then looks below a smaller one. A batch that
        was interrupted is completed as it was begun. Processes that share a search do this under
        the lease that they ask by, so that each takes another child.
        """
        trials = self._study.get_trials(deepcopy=False)
        if self._descents is None or not trials:
            return None
        before, begun = trials[:first], trials[first:]
        if begun and PARENT not in begun[0].user_attrs:
            return None
        return self._descents.children(before) or None

    def _is_narrowed(self, trial: optuna.trial.FrozenTrial) -> bool:
        return self._descents is not None and self._descents.can_narrow(trial)

    def _next_of(self, children: list[tuple[int, Values]], first: int) -> optuna.Trial | None:
        """The next child of a batch; one that was enqueued when the process ended is there."""
        index, trials = self._count() - first, self._study.get_trials(deepcopy=False)
        if index >= len(children):
            return None
        parent, values = children[index]
        if all(each.state is not optuna.trial.TrialState.WAITING for each in trials):
            self._study.enqueue_trial(dict(values), {PARENT: parent})
        return self._seeded(first + index, self._study.ask)

    def _seeded(self, number: int, make: Callable[[], optuna.Trial]) -> optuna.Trial:
        """Each trial has a sampler of its own seed: a search that was interrupted asks the same."""
        self._study.sampler = self._sampler(0 if self._sampler_name in ONE_SEED else number)
        return make()

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        return self._make_sampler(derived(self._seed, number))

    def _curves(self, *, before: int) -> Curves:
        """Those that were finished before a batch: the same after an interruption."""
        known = (e for e in self.finished if e.number < before and e.parent is None)
        return [each.history.get("score", ()) for each in known]

    def _propose(self, trial: optuna.Trial, curves: Curves) -> Trial:
        self._asked[trial.number] = trial
        times = trial.user_attrs.get(CUT_OFF, 0)
        if times > MOST_CUT_OFF:  # to build it ends the process already
            return unbuildable(trial.number, trial.params, cut_off(times))
        hyperparameters, tried = self._configurations.tried(trial)
        error = cut_off(times) if times == MOST_CUT_OFF else tried.error
        usual = usual_exponent(scheduled=tried.scheduled)
        epochs = self._pipeline.epochs
        fewer = min(epochs, max(2 * GRACE, epochs // FINE))
        parent = self._parent(trial, at_most=epochs - fewer)
        return Trial(
            number=trial.number,
            hyperparameters=hyperparameters,
            parameter_count=tried.size.total,
            trainable_parameter_count=tried.size.trainable,
            epochs=fewer if parent else epochs,
            seed=derived(self._seed, trial.number, 1),
            architecture=tried.architecture,
            error=error,
            exponent=calibrated(self._metric, curves, usual),
            parent=parent,
        )

    def _parent(self, trial: optuna.Trial, *, at_most: int) -> Parent | None:
        """The trial that this one descends from, with its model in a file of this machine.

        Args:
            at_most: epochs of a learning rate schedule that are over when this one begins.
        """
        number = trial.user_attrs.get(PARENT)
        if number is None:
            return None
        finished = {each.number: each for each in self.finished}
        found, epochs, each = self.others.localised(finished[number]), 0, number
        while each is not None:
            epochs, each = epochs + finished[each].epochs, finished[each].parent
        return Parent(
            number=number,
            hyperparameters=found.hyperparameters,
            model_path=found.model_path or "",
            epochs=min(epochs, at_most),
        )

    def _finish(self, trial: optuna.Trial, finished: FinishedTrial) -> None:
        missing = shortfall(finished, self._metric, self._search_target)
        constrained = self._sampler_name not in UNCONSTRAINED
        try:
            tell(self._study, trial, finished, missing=missing, constrained=constrained)
        except (optuna.exceptions.UpdateFinishedTrialError, ValueError):
            if not self._study._storage.get_trial(trial._trial_id).state.is_finished():
                raise  # else another process took this one for dead, and has told what is recorded

    def _exhaust(self) -> None:
        self._exhausted = True


def records(storage: Path, name: str) -> tuple[list[FinishedTrial], dict[str, Any]]:
    """What a study holds, without a sampler: the finished trials and what was remembered."""
    study = optuna.load_study(study_name=name, storage=storage_of(storage))
    return [_unpacked(each) for each in _told(study)], dict(study.user_attrs)


def _told(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    told = (each for each in study.get_trials(deepcopy=False) if RECORD in each.user_attrs)
    return [trial for trial in told if IMPORTED not in trial.user_attrs]


def _unpacked(trial: optuna.trial.BaseTrial) -> FinishedTrial:
    return unpacked(trial.user_attrs[RECORD])
