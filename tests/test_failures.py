"""Which failures a second try can help, and which end a search."""

from __future__ import annotations

from dataclasses import replace

import pytest
from occam.search.errors import OccamError
from occam.search.failures import DIED, IN_A_ROW, Streak, may_pass, unkept
from occam.search.trials import FinishedTrial, TrialState

FAILED = FinishedTrial(
    number=3,
    state=TrialState.FAIL,
    hyperparameters={},
    parameter_count=1,
    trainable_parameter_count=1,
    seed=0,
)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (f"{DIED} (signal 9).", True),
        ("MemoryError: Unable to allocate 9.00 GiB for an array", True),
        ("XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate", True),
        ("torch.OutOfMemoryError: CUDA out of memory.", True),
        ("OSError: [Errno 12] Cannot allocate memory", True),
        ("RuntimeError: std::bad_alloc", True),
        ("ValueError: units must be positive", False),
        (None, False),
    ],
)
def test_want_of_memory_and_a_dead_process_may_pass(error, passes):
    assert may_pass(replace(FAILED, error=error)) is passes
    assert not may_pass(replace(FAILED, state=TrialState.PRUNED, error=error))


@pytest.mark.parametrize("number", [5, 28, 30, 122])
def test_a_disk_that_takes_nothing_is_said_with_what_it_did_not_take(number):
    said = unkept(replace(FAILED, error=f"OSError: [Errno {number}] no: 'trial-3.keras'."))
    assert f"what trial 3 was to keep could not be written (OSError: [Errno {number}] no: " in said
    assert "'trial-3.keras'). What" in said


@pytest.mark.parametrize("error", [None, "", "OSError: [Errno 2] No such file", "[Errno 280] no"])
def test_other_failures_are_none_of_the_disk(error):
    assert unkept(replace(FAILED, error=error)) == ""


def test_only_failures_for_one_reason_with_nothing_trained_between_are_counted():
    streak = Streak()
    for error in ("a 1", "a 2", "b 1", "b 2.5", "b 3"):
        streak.note(replace(FAILED, error=error))
    assert streak.length == 3
    streak.note(replace(FAILED, state=TrialState.REJECTED))
    assert streak.length == 3, "it was not begun"
    streak.note(replace(FAILED, state=TrialState.PRUNED))
    assert streak.length == 0
    streak.note(replace(FAILED, state=TrialState.PRUNED))
    assert streak.length == 0
    for number in range(1, IN_A_ROW):
        streak.note(replace(FAILED, error=f"c {number}."))
    with pytest.raises(OccamError, match=f"{IN_A_ROW} trials in a row .* reason: c 99. What"):
        streak.note(replace(FAILED, error="c 99."))
