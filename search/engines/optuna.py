"""Optuna as an engine: a persistent study, asked for trials and told what became of them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._storage import JournalOperation  # private; a test pins it

from ..building import as_hyperparameters, build
from ..counting import Count, count_build
from ..hyperparameters import SuggestedHyperParameters, default_suggestions
from ..samplers import LEVEL_SET, ONE_SEED, UNCONSTRAINED, sampler_factory
from ..samplers.level_set import LevelSetSampler
from ..samplers.pool import Pool
from ..trials import RECORD, FinishedTrial, Trial, TrialState

if TYPE_CHECKING:
    from ..metrics import Metric
    from ..pipeline import Pipeline

LEAST_VIOLATION = 1e-9  # a trial that has not reached is infeasible, however close it came
BUILD_FAILED = 1.0  # its distance to the target, in units of the metric, where none was measured


class Engine:
    """Optuna's samplers through ask and tell; the study is the one record of what finished.

    A search that is asked again with the same arguments goes on where it was: a trial that was
    under way when the process died is asked for again, under the same number.

    Args:
        inputs: a few rows that a model can be built on, where it does not know its input shape.
        storage: a file for the study's journal, or any storage URL of Optuna.
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
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._pipeline, self._inputs, self._seed = pipeline, inputs, seed
        self._metric, self._search_target = metric, search_target
        self._sampler_name, self._template = sampler, template
        self._asked: dict[int, optuna.Trial] = {}
        self._exhausted = False
        self.exhausted_because = "the sampler has proposed all there is"
        self._default = self._find_default()
        self._make_sampler = self._level_set() if sampler == LEVEL_SET else sampler_factory(sampler)
        self._study = optuna.create_study(
            storage=_storage(storage),
            study_name=name,
            direction="minimize",
            sampler=self._sampler(0),
            pruner=optuna.pruners.NopPruner(),
            load_if_exists=True,
        )
        self._study.stop = self._exhaust  # type: ignore[method-assign]  # how a grid says it is done
        self._interrupted = self._start()

    @property
    def finished(self) -> list[FinishedTrial]:
        """All that was ever told, in the order of their numbers."""
        trials = self._study.get_trials(deepcopy=False)
        return [_unpacked(trial) for trial in trials if RECORD in trial.user_attrs]

    def ask(self, n: int) -> list[Trial]:
        """Up to `n` configurations with their sizes; fewer where nothing is left to propose.

        They are one batch: what the sampler knows is what had finished before the first of them.
        A batch that was interrupted comes again, and is completed where it had not been asked for
        in full: so the search goes on as if nothing had happened.
        """
        asked = [trial for reopen in self._interrupted if (trial := reopen()) is not None]
        self._interrupted = []
        first, size = self._batch(n, again=bool(asked))
        if isinstance(self._study.sampler, LevelSetSampler):
            self._study.sampler.begin(first, size)
        while self._count() < first + size and not self._exhausted:
            trial = self._next()
            if trial is None:
                break
            asked.append(trial)
        return [self._propose(trial) for trial in asked]

    def tell(self, finished: FinishedTrial) -> None:
        """Record what became of a trial: first as a value of ours, then in Optuna's terms."""
        trial = self._asked.pop(finished.number)
        trial.set_user_attr(RECORD, _packed(finished))
        self._finish(trial, finished)

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value with the search."""
        self._study.set_user_attr(key, value)

    def recall(self, key: str, default: Any = None) -> Any:
        """A JSON value that was kept with the search."""
        return self._study.user_attrs.get(key, default)

    def _start(self) -> list[Callable[[], optuna.Trial | None]]:
        """Enqueue the space's own default as the first trial; take up what a dead process left."""
        trials = self._study.get_trials(deepcopy=False)
        if not trials:
            self._study.enqueue_trial(self._default)
        running = [trial for trial in trials if trial.state is optuna.trial.TrialState.RUNNING]
        return [self._reopen(trial) for trial in running]

    def _find_default(self) -> dict[str, Any]:
        hp = as_hyperparameters({})
        build(self._pipeline, hp)
        return default_suggestions(hp)

    def _level_set(self) -> Callable[[int], optuna.samplers.BaseSampler]:
        """One sampler for the whole search: what it draws once, it keeps."""

        def measure(draw: Any) -> tuple[int, int]:
            hp = SuggestedHyperParameters(draw)
            made = []

            def make() -> Any:
                made.append(build(self._pipeline, hp))
                return made[-1]

            return count_build(make, self._inputs).total, self._template(made[-1], hp)

        sampler = LevelSetSampler(
            pool=Pool(measure, _seed(self._seed, 0, 2)),
            default=self._default,
            metric=self._metric,
            search_target=self._search_target,
            seed=lambda number: _seed(self._seed, number, 3),
        )
        return lambda seed: sampler

    def _batch(self, n: int, *, again: bool) -> tuple[int, int]:
        """Number of the first trial of this batch, and how many it has."""
        first, size = self.recall("batch", (0, 0)) if again else (self._count(), n)
        if again and first + size <= self._count():
            return self._count(), 0
        if n > 1:
            self.remember("batch", (first, size))
        return first, size

    def _count(self) -> int:
        """Trials that were asked for; one that is enqueued was not yet."""
        trials = self._study.get_trials(deepcopy=False)
        return sum(each.state is not optuna.trial.TrialState.WAITING for each in trials)

    def _reopen(self, frozen: optuna.trial.FrozenTrial) -> Callable[[], optuna.Trial | None]:
        def reopen() -> optuna.Trial | None:
            trial = self._seeded(frozen.number, lambda: optuna.Trial(self._study, frozen._trial_id))
            if RECORD in frozen.user_attrs:  # it had finished, but Optuna had not been told
                self._finish(trial, _unpacked(frozen))
                return None
            return trial

        return reopen

    def _next(self) -> optuna.Trial | None:
        """The next trial to propose; None where the sampler sees nothing worth trying."""
        trials = self._study.get_trials(deepcopy=False)
        waiting = [each.number for each in trials if each.state is optuna.trial.TrialState.WAITING]
        if waiting:
            return self._seeded(waiting[0], self._study.ask)
        sampler = self._study.sampler
        if isinstance(sampler, LevelSetSampler) and sampler.exhausted(self._study, len(trials)):
            self.exhausted_because = "no smaller model is likely to reach the target any more"
            return None
        return self._seeded(len(trials), self._study.ask)

    def _seeded(self, number: int, make: Callable[[], optuna.Trial]) -> optuna.Trial:
        """Each trial has a sampler of its own seed: a search that was interrupted asks the same."""
        self._study.sampler = self._sampler(0 if self._sampler_name in ONE_SEED else number)
        return make()

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        return self._make_sampler(_seed(self._seed, number))

    def _propose(self, trial: optuna.Trial) -> Trial:
        hp = SuggestedHyperParameters(trial, grid=self._sampler_name == "grid")
        size, error = Count(0, 0), None
        try:
            size = count_build(lambda: build(self._pipeline, hp), self._inputs)
        except Exception as problem:  # a configuration that cannot be built is a failed trial
            error = " ".join(f"{type(problem).__name__}: {problem}".split())
        self._asked[trial.number] = trial
        return Trial(
            number=trial.number,
            hyperparameters=_plain(hp.values),
            parameter_count=size.total,
            trainable_parameter_count=size.trainable,
            epochs=self._pipeline.epochs,
            seed=_seed(self._seed, trial.number, 1),
            error=error,
        )

    def _finish(self, trial: optuna.Trial, finished: FinishedTrial) -> None:
        """Set both constraints, always in one order: Optuna's GP reads them by position."""
        value = math.log10(max(finished.parameter_count, 1))
        violation = self._violation(finished)
        if self._sampler_name in UNCONSTRAINED:
            if violation > 0:
                value += 10 + violation  # beyond any size
            self._study.tell(trial, value)
            return
        for key, amount in (("target", violation), ("size", self._excess(finished))):
            if key not in trial.constraints:  # a process that died may have come as far as here
                trial.set_constraint(key, amount)
        if finished.state is TrialState.REJECTED or finished.epochs == 0:
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
        self._study.tell(trial, value)

    def _violation(self, finished: FinishedTrial) -> float:
        """How far a trial stays from the search target; at most 0 where it reaches it.

        A trial that failed counts as the worst so far: a sampler learns nothing of a FAIL.
        """
        if finished.state is TrialState.REJECTED:
            return 0.0
        score = finished.score if finished.reached else finished.projected_score
        if finished.state is TrialState.FAIL or score is None:
            return max([BUILD_FAILED, *self._violations()])
        missing = self._metric.error(score) - self._metric.error(self._search_target)
        return missing if finished.reached else max(missing, LEAST_VIOLATION)

    def _violations(self) -> Iterator[float]:
        for trial in self._study.get_trials(deepcopy=False):
            if trial.state.is_finished():
                yield trial.constraints.get("target", 0.0)

    def _excess(self, finished: FinishedTrial) -> float:
        """Log ratio of a rejected trial's size to the smallest that has reached; else 0."""
        if finished.state is not TrialState.REJECTED:
            return 0.0
        smallest = min(
            (trial.parameter_count for trial in self.finished if trial.reached),
            default=finished.parameter_count,
        )
        return max(math.log(finished.parameter_count / smallest), LEAST_VIOLATION)

    def _exhaust(self) -> None:
        self._exhausted = True


class _Journal(JournalFileBackend):
    """Optuna's journal file for one process, which the search's own lock makes sure of.

    Optuna locks and syncs at each value that a trial suggests, which takes longer than a small
    trial trains. Here what is written is in the file at once, so that a killed process loses
    nothing; a trial that ends is on the disk, and all before it, before the search goes on.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with Path(self._file_path).open("ab") as file:
            file.write(lines.encode())
            file.flush()
            if any(log["op_code"] == JournalOperation.SET_TRIAL_STATE_VALUES for log in logs):
                os.fsync(file.fileno())


def _storage(storage: Path | str) -> optuna.storages.BaseStorage | str:
    if isinstance(storage, str):
        return storage
    storage.parent.mkdir(parents=True, exist_ok=True)
    _mend(storage)
    return optuna.storages.JournalStorage(_Journal(str(storage)))


def _mend(journal: Path) -> None:
    """Drop a last line that a killed process wrote by half, and its lock."""
    for lock in journal.parent.glob(f"{journal.name}.lock*"):
        lock.unlink()
    if not journal.exists():
        return
    os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)


def _packed(finished: FinishedTrial) -> dict[str, Any]:
    return asdict(finished) | {"state": finished.state.value}


def _unpacked(trial: optuna.trial.FrozenTrial) -> FinishedTrial:
    record = dict(trial.user_attrs[RECORD])
    return FinishedTrial(**record | {"state": TrialState(record["state"])})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Python's own types, whatever a sampler returns."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values), default=lambda value: value.item()))
    return plain


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
