"""What a search asks for and what it gets back: plain values, safe to log and to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class TrialState(Enum):
    """Optuna's words, and REJECTED: counted, found too large to win, never trained."""

    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    FAIL = "FAIL"
    REJECTED = "REJECTED"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A configuration that an engine proposes; its size is known, nothing is trained yet."""

    number: int
    hyperparameters: Mapping[str, Any]
    parameter_count: int
    trainable_parameter_count: int
    epochs: int  # at most
    seed: int
    error: str | None = None  # why it could not be built


@dataclass(frozen=True, kw_only=True)
class FinishedTrial:
    """What became of a trial."""

    number: int
    state: TrialState
    hyperparameters: Mapping[str, Any]
    parameter_count: int
    trainable_parameter_count: int
    seed: int
    reached: bool = False  # the search target, and confirmed with a second seed
    score: float | None = None  # None: nothing was trained, or nothing finite came out
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)  # one value an epoch
    epochs: int = 0  # trained in all, the confirmation included
    seconds: float = 0.0
    reason: str = ""  # why it ended, in words
    model_path: str | None = None  # the trained model, where it reached the search target
    error: str | None = None
