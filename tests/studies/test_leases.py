"""Leases, on a real PostgreSQL and on SQLite: one owner at a time, and none that is dead."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy
from occam.search.studies import leases as module
from occam.search.studies import outages
from occam.search.studies.leases import Leases

OWNER = """
import sys
from occam.search.studies.leases import Leases
import sqlalchemy
leases = Leases(sqlalchemy.create_engine(sys.argv[1]), sys.argv[2])
print(leases.take(1), flush=True)
sys.stdin.read()
"""

AT_WORK = """
import sys, time
from occam.search.studies import leases as module
from occam.search.studies import outages
import sqlalchemy
url, search, where, what = sys.argv[1:]
if where == "elsewhere":
    module._machine = lambda: "another:machine"
leases = module.Leases(sqlalchemy.create_engine(url), search)
if what != "trials":
    leases.attend()
number = 0
leases.take(number)
print("at work", flush=True)
while what == "trials":  # each shorter than a lease lives
    leases.release([number])
    number += 1
    leases.take(number)
    time.sleep(0.1)
leases.release([number])
if what == "ends":
    leases.close()
    print("through", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("database")
    return f"sqlite:///{tmp_path}/study.db"


@pytest.fixture
def process(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Leases]]:
    """Makes one process after the other of the same search, whose life is a second."""
    monkeypatch.setenv(outages.VARIABLE, "1")
    search, made, engines = uuid.uuid4().hex, [], []

    def make() -> Leases:
        engines.append(sqlalchemy.create_engine(url))
        made.append(Leases(engines[-1], search))
        return made[-1]

    yield make
    for each in made:
        each.close()
    for engine in engines:
        engine.dispose()


def eventually(claim: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not claim() and time.monotonic() < deadline:
        time.sleep(0.05)
    return claim()


def test_what_one_has_no_other_gets(process):
    one, other = process(), process()
    assert one.take(1)
    assert one.take(1)
    assert not other.take(1)
    assert other.take(2)
    assert one.elsewhere() == {"2"}
    assert other.elsewhere() == {"1"}
    assert one.holds(1)
    assert not one.holds(2)
    one.release([1, 2])
    assert other.holds(2)
    assert other.take(1)


def test_who_gives_signs_of_life_keeps_what_it_has(process):
    one, other = process(), process()
    one.take(1)
    for _ in range(8):
        assert not other.orphaned({"1"})
        time.sleep(0.25)


def test_who_falls_silent_loses_it_to_one_other_alone(process):
    one, *others = (process() for _ in range(5))
    one.take(1)
    one.close()
    deadline, taken = time.monotonic() + 4, []

    def wait(other: Leases) -> None:
        while time.monotonic() < deadline and not other.take(1):
            time.sleep(0.05)
        taken.append(other.holds(1))

    threads = [threading.Thread(target=wait, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, False, False, True]
    assert not one.holds(1)


def test_what_never_got_an_owner_is_taken_after_a_while(process):
    one = process()
    assert not one.orphaned({"3"})
    assert eventually(lambda: one.orphaned({"3"}) == {"3"})
    assert one.take(3)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are seen in /proc")
def test_a_process_of_this_machine_that_is_killed_is_known_to_be_dead_at_once(url, monkeypatch):
    search = uuid.uuid4().hex
    command = [sys.executable, "-c", OWNER, url, search]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout.readline().strip() == "True"
        engine = sqlalchemy.create_engine(url)
        leases = Leases(engine, search)
        assert not leases.take(1)
        owner.kill()
    assert leases.orphaned({"1"}) == {"1"}
    assert leases.elsewhere() == set()
    assert leases.take(1)
    leases.close()
    engine.dispose()


@contextmanager
def at_work(url: str, search: str, where: str, what: str) -> Iterator[subprocess.Popen[str]]:
    """A real process that takes part in a search, here or as if on another machine."""
    command = [sys.executable, "-c", AT_WORK, url, search, where, what]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "at work\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("where", "what"),
    [("here", "rests"), ("here", "trials"), ("elsewhere", "rests"), ("elsewhere", "trials")],
)
def test_a_process_at_work_is_noticed_between_its_trials_too(process, url, where, what):
    leases = process()
    with at_work(url, leases._search, where, what):
        time.sleep(0.3)  # until it has let go of its trial
        assert leases.busy()
        assert not {item for item in leases.elsewhere() if not item.isdigit()}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are seen in /proc")
def test_where_nobody_is_at_work_that_is_known_at_once(process, url, monkeypatch):
    monkeypatch.setenv(outages.VARIABLE, "600")
    leases = process()
    leases.attend()
    process().attend()
    process().take(1)
    assert not leases.busy(), "it is this process itself"
    with at_work(url, leases._search, "here", "rests"):
        assert leases.busy()
    assert not leases.busy(), "killed"
    with at_work(url, leases._search, "here", "ends") as other:
        assert other.stdout.readline() == "through\n"
        assert not leases.busy(), "through"


def test_who_was_killed_on_another_machine_is_waited_for_a_little(process, url):
    leases = process()
    with at_work(url, leases._search, "elsewhere", "rests"):
        pass
    started = time.monotonic()
    assert not leases.busy()
    assert time.monotonic() - started < 1


def test_only_one_at_a_time_is_alone(process):
    inside, most = [0], [0]

    def enter(leases: Leases) -> None:
        for _ in range(5):
            with leases.alone("x"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.01)
                inside[0] -= 1

    threads = [threading.Thread(target=enter, args=(process(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_model_is_found_by_the_others(process):
    process().keep(7, b"weights" * 100_000)
    other = process()
    assert other.model(7) == b"weights" * 100_000
    with pytest.raises(module.OccamError, match="The model of trial 8 is neither here nor"):
        other.model(8)
    other.forget()
    with pytest.raises(module.OccamError):
        other.model(7)
