"""Signals that come where Python drops what they raise."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from occam.search.interrupts import Interrupts


class Finalized:
    """Does something when it is collected."""

    def __init__(self, action):
        self.action = action

    def __del__(self):
        self.action()


def test_an_interrupt_in_a_finalizer_is_raised_later_without_a_traceback(capsys):
    with Interrupts().listening() as interrupts:
        interrupts.check()
        Finalized(lambda: signal.raise_signal(signal.SIGTERM))
        assert capsys.readouterr().err == ""
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


def test_other_errors_of_finalizers_are_still_reported(monkeypatch):
    reported = []
    monkeypatch.setattr("sys.unraisablehook", lambda dropped: reported.append(dropped.exc_type))
    with Interrupts().listening():
        Finalized(lambda: 1 / 0)
    Finalized(lambda: [].pop())
    assert reported == [ZeroDivisionError, IndexError]


def test_a_patient_one_raises_at_the_second_signal():
    with Interrupts(patient=True).listening() as interrupts:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


INTERRUPTED = """
import sys
from occam.search.interrupts import Interrupts

try:
    with Interrupts().listening():
        exec("import signal; signal.raise_signal(signal.SIGINT)")  # as dataclasses are made
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_the_exit_code_is_our_own_wherever_the_interrupt_came(tmp_path):
    (tmp_path / "interrupted.py").write_text(INTERRUPTED)
    command = [sys.executable, "-m", "interrupted"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 130
