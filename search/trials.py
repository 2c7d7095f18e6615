"""What a search asks for and what it gets back: plain values, safe to log and to send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

RECORD = "occam"  # Optuna's user attribute that holds a finished trial
IMPORTED = "imported"  # that of a trial that another study has finished
BATCH = "batch"  # and that which holds the number of the first trial of its batch
MOST_CUT_OFF = 5  # what takes all memory would else end every process that takes the search up
PARENT = "parent"  # and that which holds the number of the trial whose weights it begins with


class TrialState(Enum):
    """Optuna's words, and REJECTED: counted, found too large to win, never trained."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"
    REJECTED = "REJECTED"


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A trial that has reached, from whose trained units a narrower one takes its own."""

    number: int
    hyperparameters: Mapping[str, Any]
    model_path: str
    epochs: int = 0  # of a learning rate schedule that its weights have behind them


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A configuration that an engine proposes; its size is known, nothing is trained yet."""

    number: int
    hyperparameters: Mapping[str, Any]
    parameter_count: int
    trainable_parameter_count: int
    epochs: int  # at most, in one run
    seed: int
    architecture: str = ""  # fingerprint of its model
    error: str | None = None  # why it could not be built
    initial_epoch: int = 0  # trained already, by the trial that this one goes on from
    initial_weights: str | None = None  # file of the weights to begin with
    weights_path: str | None = None  # file to keep the weights in, for a trial that goes on
    exponent: float | None = None  # of its optimistic learning curve; None: the default
    horizon: int | None = None  # epochs that it may be trained in all its rounds, where more
    cut_short: bool = False  # the search has fewer epochs left than it may take
    parent: Parent | None = None  # whose weights it begins with, where it is a narrower copy


@dataclass(frozen=True, kw_only=True)
class FinishedTrial:
    """What became of a trial."""

    number: int
    state: TrialState
    hyperparameters: Mapping[str, Any]
    parameter_count: int
    trainable_parameter_count: int
    seed: int
    architecture: str = ""  # fingerprint of its model
    reached: bool = False  # the search target
    score: float | None = None  # None: nothing was trained, or nothing finite came out
    projected_score: float | None = None  # what the last epoch could have brought, at best
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)  # one value an epoch
    epochs: int = 0  # trained
    lost_epochs: int = 0  # of a first try, which lacked memory, its process or its population
    seconds: float = 0.0
    ended: float | None = None  # seconds since 1970
    reason: str = ""  # why it ended, in words
    model_path: str | None = None  # the trained model, where it reached the search target
    error: str | None = None
    parent: int | None = None  # trial that it is a narrower copy of

    @property
    def epochs_spent(self) -> int:
        """Of all its tries: what a search's budget counts."""
        return self.epochs + self.lost_epochs


def packed(finished: FinishedTrial) -> dict[str, Any]:
    """A finished trial as plain values, for JSON."""
    return asdict(finished) | {"state": finished.state.value}


def unpacked(record: Mapping[str, Any]) -> FinishedTrial:
    """What `packed` has packed."""
    return FinishedTrial(**{**record, "state": TrialState(record["state"])})


def same(trial: Trial | FinishedTrial) -> str:
    """What two trials of the same hyperparameters have in common."""
    return json.dumps(dict(trial.hyperparameters), sort_keys=True, default=str)


def failed(trial: Trial, error: str, *, epochs: int = 0) -> FinishedTrial:
    """A trial of which nothing came but the reason, kept to one line."""
    first = " ".join(error.split())[:500]
    return finish(trial, TrialState.FAIL, reason=first, error=first, epochs=epochs)


def cut_off(times: int) -> str:
    """Why a trial is given up that has ended its process so often."""
    return f"the process has ended {times} times while this trial was under way"


def unbuildable(number: int, hyperparameters: Mapping[str, Any], error: str) -> Trial:
    """A trial of which nothing but its hyperparameters is known."""
    return Trial(
        number=number,
        hyperparameters=hyperparameters,
        parameter_count=0,
        trainable_parameter_count=0,
        epochs=0,
        seed=0,
        error=error,
    )


def rejected(trial: Trial, reason: str) -> FinishedTrial:
    """A trial that was counted and never trained."""
    return finish(trial, TrialState.REJECTED, reason=reason)


def not_smaller(best: Trial | FinishedTrial) -> str:
    """Why a trial needs no training once `best` has reached."""
    return f"not smaller than trial {best.number} ({best.parameter_count:,} parameters)"


def finish(trial: Trial, state: TrialState, **fields: object) -> FinishedTrial:
    """What became of `trial`, whose own values are carried over."""
    return FinishedTrial(
        number=trial.number,
        state=state,
        hyperparameters=trial.hyperparameters,
        parameter_count=trial.parameter_count,
        trainable_parameter_count=trial.trainable_parameter_count,
        seed=trial.seed,
        architecture=trial.architecture,
        parent=trial.parent.number if trial.parent else None,
        **fields,  # type: ignore[arg-type]  # checked by FinishedTrial itself
    )
