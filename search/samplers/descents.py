"""Narrower copies of the smallest model so far, which begin with its trained units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution, IntDistribution

from ..stopping import was_cut_short
from ..trials import PARENT, RECORD, TrialState
from .candidates import Values, key_of
from .narrower import Attempt, Width, narrower
from .ranges import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterable

    from optuna.trial import FrozenTrial

Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Sized:
    """A configuration that was built and counted, not trained."""

    values: Values
    hyperparameters: Mapping[str, Any]
    parameter_count: int


class Descents:
    """Chooses children of the incumbent from a study's records alone: the same after a kill.

    Args:
        size: builds and counts a configuration; None where it cannot be built.
        narrows: whether a configuration of these hyperparameters can begin with the units of one
            of those, both given as hyperparameters: the wider first.
    """

    def __init__(
        self,
        size: Callable[[Values], Sized | None],
        narrows: Callable[[Mapping[str, Any], Mapping[str, Any]], bool],
    ) -> None:
        self._count, self._narrows = size, narrows
        self._sizes: dict[str, Sized | None] = {}
        self._widths: dict[int, list[Width]] = {}
        self._narrow: dict[int, bool] = {}

    def children(self, trials: Iterable[FrozenTrial]) -> list[tuple[int, Values]]:
        """Number of the incumbent, and values of a child of it: the smallest child first.

        Empty where there is no incumbent, or where none of its layers can lose units.

        Args:
            trials: all that may be known, those under way among them.
        """
        known = {each.number: each for each in trials}
        told = {
            n: each.user_attrs[RECORD] for n, each in known.items() if RECORD in each.user_attrs
        }
        reached = [number for number, record in told.items() if record["reached"]]
        if not reached:
            return []
        best = min(reached, key=lambda number: (told[number]["parameter_count"], number))
        family = _family(known, best)
        attempts = [_attempt(known, told, each) for each in family if PARENT in each.user_attrs]
        cut = [known[number].params for number in told if _cut_short(told[number])]
        tried = [a.values for a in attempts if a.parent == known[best].params]
        tried = [values for values in tried if values not in cut]
        made = [
            self._size(values)
            for values in narrower(known[best].params, self._known_widths(known[best]), attempts)
            if values not in tried
        ]
        sized = sorted((each for each in made if each), key=lambda each: each.parameter_count)
        return [(best, each.values) for each in sized]

    def can_narrow(self, trial: FrozenTrial) -> bool:
        """Whether models like that of a trial which reached lose units, if they have any left."""
        if trial.number not in self._narrow:
            self._narrow[trial.number] = bool(self._known_widths(trial)) or any(
                self._is_width(trial, name, _next_higher(allowed, trial.params[name]))
                for name, distribution in trial.distributions.items()
                if (allowed := _allowed(distribution))
            )
        return self._narrow[trial.number]

    def _size(self, values: Values) -> Sized | None:
        """Counted once, though each is a child again until it is the smallest left."""
        key = key_of(values)
        if key not in self._sizes:
            self._sizes[key] = self._count(values)
        return self._sizes[key]

    def _known_widths(self, incumbent: FrozenTrial) -> list[Width]:
        if incumbent.number not in self._widths:
            self._widths[incumbent.number] = [
                Width(name=name, allowed=allowed)
                for name, distribution in sorted(incumbent.distributions.items())
                if (allowed := _allowed(distribution))
                and self._is_width(incumbent, name, _next_lower(allowed, incumbent.params[name]))
            ]
        return self._widths[incumbent.number]

    def _is_width(self, trial: FrozenTrial, name: str, other: int | None) -> bool:
        """Whether another value makes a model that is the same with fewer units, or with more."""
        made = self._size({**trial.params, name: other}) if other is not None else None
        if other is None or made is None or made.values.keys() != trial.params.keys():
            return False
        record = trial.user_attrs[RECORD]
        own = record["parameter_count"], record["hyperparameters"]
        its = made.parameter_count, made.hyperparameters
        narrow, wide = (own, its) if other > trial.params[name] else (its, own)
        return narrow[0] < wide[0] and self._narrows(wide[1], narrow[1])


def _family(known: Mapping[int, FrozenTrial], number: int) -> list[FrozenTrial]:
    """The trials that descend from the same one as trial `number` does."""

    def root(trial: FrozenTrial) -> int:
        parent = trial.user_attrs.get(PARENT)
        return trial.number if parent is None else root(known[parent])

    return [each for each in known.values() if root(each) == root(known[number])]


def _attempt(
    known: Mapping[int, FrozenTrial], told: Mapping[int, Record], trial: FrozenTrial
) -> Attempt:
    record = told.get(trial.number)
    parent = known[trial.user_attrs[PARENT]].params
    return Attempt(values=trial.params, parent=parent, reached=_reached(record))


def _reached(record: Record | None) -> bool | None:
    """None where a trial was not trained to an end of its own: a smaller one reached, or time."""
    if record is None or _cut_short(record):
        return None
    if record["reached"] or record["state"] == TrialState.FAIL.value:
        return bool(record["reached"])
    return None if record["score"] is None else False


def _cut_short(record: Record) -> bool:
    return was_cut_short(record.get("reason", ""))


def _next_lower(allowed: tuple[int, ...], value: int) -> int | None:
    return max((each for each in allowed if each < value), default=None)


def _next_higher(allowed: tuple[int, ...], value: int) -> int | None:
    return min((each for each in allowed if each > value), default=None)


def _allowed(distribution: Distribution | Any) -> tuple[int, ...]:
    """The whole numbers that a hyperparameter may be, rising; none where it is no such."""
    if isinstance(distribution, IntDistribution):
        return tuple(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, CategoricalDistribution):
        choices = [each for each in distribution.choices if type(each) is int]
        if len(choices) == len(distribution.choices):
            return tuple(sorted(choices))
    return ()
