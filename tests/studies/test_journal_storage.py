"""A study's journal on a disk that takes no more: the system's own refusals, by a limit."""

from __future__ import annotations

import resource
from pathlib import Path

import optuna
import pytest
from filling import full
from occam.search.studies.journal_storage import StudyJournal


def study(path: Path) -> optuna.Study:
    return optuna.create_study(
        storage=optuna.storages.JournalStorage(StudyJournal(path)),
        study_name="s",
        load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(seed=0),
    )


def trials(study: optuna.Study, count: int) -> None:
    for _ in range(count):
        trial = study.ask()
        value = trial.suggest_float("x", 0, 1)
        trial.set_user_attr("y", "long" * 30)
        study.tell(trial, value)


def told(study: optuna.Study) -> list[tuple]:
    return [(each.number, each.state, each.params, each.value) for each in study.get_trials()]


@pytest.mark.parametrize("room", [0, 1, 100, 1000])
def test_what_a_full_disk_refuses_is_delivered_in_order_once_it_can_be(tmp_path, caplog, room):
    path = tmp_path / "study.journal"
    first = study(path)
    trials(first, 3)
    with full(path, room):
        trials(first, 4)
        assert len(first.get_trials()) == 7
    trials(first, 2)
    refused, again = [each.message for each in caplog.records if each.name == "occam"]
    assert "training goes on, its records are kept in" in refused
    assert "can be written again" in again
    assert told(study(path)) == told(first)
    assert [each.number for each in first.get_trials()] == [*range(9)]


def test_the_next_process_delivers_what_a_killed_one_had_spooled(tmp_path):
    path = tmp_path / "study.journal"
    first = study(path)
    trials(first, 2)
    size = path.stat().st_size
    with full(tmp_path / "study.journal"):
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        path.chmod(0o444)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, limit[1]))
        trials(first, 1)
        expected = told(first)
    assert told(study(path)) == expected
    assert len(expected) == 3


def test_a_line_that_was_written_by_half_is_dropped(tmp_path):
    path = tmp_path / "study.journal"
    trials(study(path), 2)
    with path.open("ab") as file:
        file.write(b'{"op_code": 4, "wor')
    assert len(study(path).get_trials()) == 2
