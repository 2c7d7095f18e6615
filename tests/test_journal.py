"""Events that a full disk refuses wait and are delivered in order."""

from __future__ import annotations

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
