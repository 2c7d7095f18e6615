"""Optuna's database storage for many trials at a time, and for databases that go and come back."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from functools import wraps
from typing import Any

import optuna
import sqlalchemy
from optuna.storages._rdb.models import TrialModel  # private; a test pins it
from optuna.trial import FrozenTrial, TrialState

from .outages import outlasting

UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)
OUTLASTING = (  # what Optuna's cache and studies ask of a database; a test pins them
    *("_create_new_trial", "_get_trials", "_set_trial_param", "get_trial"),
    *("create_new_study", "delete_study", "get_all_studies", "get_study_directions"),
    *("get_study_id_from_name", "get_study_name_from_id"),
    *("get_study_system_attrs", "get_study_user_attrs"),
    *("get_trial_id_from_study_id_trial_number", "set_study_system_attr", "set_study_user_attr"),
    *("set_trial_state_values", "set_trial_system_attr", "set_trial_user_attr"),
)


def _outlasting(cls: type) -> type:
    """Have the methods of a storage wait for a database that is away.

    Where it has done what it was asked but the answer was lost, a trial may be begun twice: the one
    that nobody knows of is found like those of a process that died.
    """
    for name in OUTLASTING:
        setattr(cls, name, _patient(getattr(cls, name)))
    return cls


def _patient(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(*arguments: Any, **named: Any) -> Any:
        return outlasting(lambda: method(*arguments, **named))

    return call


@_outlasting
class StudyDatabase(optuna.storages.RDBStorage):
    """Optuna's database storage, which reads a trial under way once.

    Optuna reads whatever has not finished anew at each look at a study: with a thousand trials
    under way that is a second, ten times a proposal. Here a trial that is known to be written
    whole is read again when its state changes, and not before.
    """

    def __init__(self, url: str, **arguments: Any) -> None:
        super().__init__(url, **arguments)
        self._whole: dict[int, TrialState] = {}
        self._settling = False

    def settle(self) -> None:
        """Nobody proposes a trial at this moment: what the next look finds is written whole."""
        self._settling = True

    def unsettle(self, trials: Iterable[FrozenTrial]) -> None:
        """These change again."""
        for each in trials:
            self._whole.pop(each._trial_id, None)

    def _get_trials(
        self,
        study_id: int,
        states: Container[TrialState] | None,
        included_trial_ids: set[int],
        trial_id_greater_than: int,
    ) -> list[FrozenTrial]:
        """Of these, what may have changed; all later ones, which the caller has not seen."""
        if states is not None:
            return super()._get_trials(study_id, states, included_trial_ids, trial_id_greater_than)
        settling, self._settling = self._settling, False
        found = self._states(study_id, trial_id_greater_than)
        same = {each for each, state in found.items() if self._whole.get(each) is state}
        known = found.keys() | included_trial_ids
        wanted = known - (included_trial_ids & same)
        read = super()._get_trials(study_id, None, wanted, max(known)) if wanted else []
        if settling:
            under_way = (each for each in read if each.state in UNFINISHED)
            self._whole.update((each._trial_id, each.state) for each in under_way)
        return read

    def _states(self, study_id: int, greater_than: int) -> dict[int, TrialState]:
        """Of the trials that have not finished, and of those with a greater id."""
        wanted = sqlalchemy.or_(
            TrialModel.state.in_(UNFINISHED), TrialModel.trial_id > greater_than
        )
        query = sqlalchemy.select(TrialModel.trial_id, TrialModel.state).where(
            TrialModel.study_id == study_id, wanted
        )
        with self.engine.connect() as connection:
            return {number: state for number, state in connection.execute(query)}
