"""What a search shows of itself while it runs."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from doing import trial
from occam.search import progress
from occam.search.loop import Budget
from occam.search.progress import SearchProgress
from occam.search.screen import Screen
from occam.search.trials import TrialState, failed, finish, rejected


def shown(period: float, *, quiet: bool = False, terminal: bool = False) -> str:
    """What is printed of two trials, of which the second reaches."""
    printed = StringIO()
    screen = Screen(file=printed, force_terminal=terminal, width=100, quiet=quiet)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "PERIOD", period)
        with SearchProgress(screen, Budget(trials=5)) as search:
            search.finish(rejected(trial(2000), "too large"))
            search.epoch(3, 0.8125)
            search.finish(finish(trial(1300), TrialState.PRUNED, epochs=4))
            search.epoch(1, 0.9)
            done = finish(trial(1200), TrialState.COMPLETE, reached=True, score=0.97, epochs=8)
            search.finish(done)
            search.end("enough")
    return printed.getvalue()


def test_without_a_terminal_each_new_best_is_a_line():
    best = "trial 1200: new best, 1,200 parameters at 0.9700"
    assert shown(60).splitlines() == [best, "Search ended: enough."]


def test_without_a_terminal_a_long_training_gives_signs_of_life():
    lines = shown(0).splitlines()
    assert "0 trials done, another at epoch 3 with 0.8125; best: none yet" in lines
    assert "1 trial done, 4 epochs; best: none yet" in lines
    assert "1 trial done, another at epoch 1 with 0.9000; best: none yet" in lines


def test_a_terminal_has_a_bar():
    bar = shown(0, terminal=True)
    assert "2/5" in bar
    assert "best 1,200 parameters at 0.9700" in bar
    assert "12 epochs" in bar
    assert "done," not in bar


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_has_trials_and_time_whole_and_how_much_is_left(width):
    printed = StringIO()
    screen = Screen(file=printed, force_terminal=True, width=width)
    with SearchProgress(screen, Budget(trials=100, epochs=1000, seconds=1500)) as search:
        search.finish(finish(trial(547), TrialState.COMPLETE, reached=True, score=0.9806, epochs=8))
    bar = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed.getvalue())
    assert "  1/100 trials 0:00:00 of 0:25:00 best 547" in bar
    assert ("parameters at 0.9806 8 of 1,000 epochs" in bar) is (width == 120)


@pytest.mark.parametrize("terminal", [False, True])
def test_why_trials_fail_is_said_once_a_reason(terminal):
    printed = StringIO()
    screen = Screen(file=printed, force_terminal=terminal, width=100)
    with SearchProgress(screen, Budget(trials=9)) as search:
        for number in (1, 2):
            search.finish(failed(trial(number), f"ValueError: no shape [{number}, 3]"))
        search.finish(failed(trial(3), "the worker process died"))
    said = [line.strip() for line in printed.getvalue().splitlines() if "failed" in line]
    assert len(said) == 2
    assert said[0].endswith("trial 1 failed: ValueError: no shape [1, 3]")
    assert said[1].endswith("trial 3 failed: the worker process died")


@pytest.mark.parametrize("terminal", [False, True])
def test_quiet_is_quiet(terminal):
    assert not shown(0, quiet=True, terminal=terminal)
