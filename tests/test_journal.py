"""Events that a full disk refuses wait and are delivered in order."""

from __future__ import annotations

import pytest
from filling import full
from occam.search.journal import Journal


def test_events_that_a_full_disk_refuses_are_delivered_once_they_can_be(tmp_path, caplog):
    path = tmp_path / "search.journal"
    journal = Journal(path)
    journal.append({"number": 0})
    with full(path, room=4):
        journal.append({"number": 1})
        journal.append({"number": 2}, safe=False)
    journal.append({"number": 3})
    assert [event["number"] for event in Journal(path).read()] == [0, 1, 2, 3]
    assert ["cannot be written" in each.message for each in caplog.records] == [True, False]


def test_the_next_process_delivers_what_a_killed_one_could_not(tmp_path):
    path = tmp_path / "search.journal"
    journal = Journal(path)
    journal.append({"number": 0, "text": "longer than what is to be kept elsewhere" * 2})
    with full(path):
        journal.append({"number": 1})
    with path.open("ab") as file:
        file.write(b'{"number": 9')  # by half
    assert [event["number"] for event in Journal(path).read()] == [0, 1]
    Journal(path).append({"number": 2})
    assert [event["number"] for event in Journal(path).read()] == [0, 1, 2]


def test_what_was_delivered_before_its_spool_went_is_not_delivered_twice(tmp_path):
    path = tmp_path / "search.journal"
    journal = Journal(path)
    journal.append({"number": 0, "text": "longer than what is to be kept elsewhere" * 2})
    with full(path):
        journal.append({"number": 1})
    with path.open("ab") as file:
        file.write(b'{"number":1}\n')
    assert [event["number"] for event in Journal(path).read()] == [0, 1]


def test_what_a_killed_process_wrote_by_half_is_dropped(tmp_path):
    path = tmp_path / "new" / "search.journal"
    Journal(path).append({"number": 0})
    with path.open("ab") as file:
        file.write(b'{"number": 9')
    journal = Journal(path)
    assert [event["number"] for event in journal.read()] == [0]
    journal.append({"number": 1})
    assert [event["number"] for event in Journal(path).read()] == [0, 1]


def test_a_file_that_is_gone_gets_nothing_back(tmp_path):
    path = tmp_path / "search.journal"
    journal = Journal(path)
    journal.append({"number": 0, "text": "longer than what is to be kept elsewhere" * 2})
    with full(path):
        journal.append({"number": 1})
    path.unlink()
    assert Journal(path).read() == []
    journal = Journal(path)
    journal.append({"number": 7})
    assert [event["number"] for event in journal.read()] == [7]


@pytest.mark.parametrize("theirs", [False, True])
def test_what_waits_lies_where_nobody_else_can_write(tmp_path, monkeypatch, theirs):
    elsewhere, path = tmp_path / "tmp", tmp_path / "mine" / "search.journal"
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    elsewhere.mkdir()
    if theirs:  # a folder of that name belongs to another user
        monkeypatch.setattr("os.getuid", lambda: 4321)
        (elsewhere / "occam-4321").mkdir()
    journal = Journal(path)
    journal.append({"number": 0, "text": "longer than what is to be kept elsewhere" * 2})
    with full(path):
        journal.append({"number": 1})
    (kept,) = [each for each in tmp_path.rglob("*.journal") if each != path]
    assert kept.is_relative_to(path.parent if theirs else elsewhere)
    assert theirs or kept.parent.stat().st_mode & 0o077 == 0


def test_what_another_file_has_left_is_not_taken_for_ones_own(tmp_path):
    path = tmp_path / "search.journal"
    journal = Journal(path)
    journal.append({"number": 0, "text": "longer than what is to be kept elsewhere" * 4})
    with full(path):
        journal.append({"number": 1})
    path.write_text('{"number": 7}\n{"number": 8}\n')  # another search, under the same name
    assert [event["number"] for event in Journal(path).read()] == [7, 8]


@pytest.mark.parametrize("step", ["pathlib.Path.open", "os.fsync"], ids=["before", "after"])
def test_an_interrupt_around_a_write_has_the_line_written_once(tmp_path, monkeypatch, step):
    path = tmp_path / "search.journal"
    journal = Journal(path)
    journal.append({"number": 0})

    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            journal.append({"number": 1})
    journal.append({"number": 2})
    assert [event["number"] for event in Journal(path).read()] == [0, 1, 2]


def test_a_spool_that_does_not_fit_either_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    journal = Journal(tmp_path / "search.journal")
    journal.append({"number": 0})
    with full(tmp_path / "search.journal", room=4):
        journal.append({"number": 1})
    assert list((tmp_path / "tmp").rglob("*.*")) == []
