"""The absolute stops."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from occam.search.metrics import metric
from occam.search.stopping import (
    EXPONENT,
    FLAT,
    GRACE,
    PATIENCE,
    STEEP,
    Stop,
    Stops,
    calibrated,
    final_score,
    usual_exponent,
)

ACCURACY = metric("accuracy")
curves = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)


def stops(target: float = 0.9, epochs: int = 50, name: str = "accuracy") -> Stops:
    return Stops(metric=metric(name), search_target=target, epochs=epochs)


def test_one_lucky_epoch_has_not_reached():
    assert stops().decide([0.99]) is None
    assert stops().decide([0.5, 0.95]) is None
    assert stops().decide([0.99, 0.85]) is None
    assert stops().decide([0.89, 0.95]) is Stop.REACHED


def test_a_curve_far_below_the_target_cannot_reach_it_but_only_after_the_grace():
    hopeless, early = [0.05] * GRACE, [0.7] * GRACE
    assert stops().best_future(hopeless[:-1]) < 0.9
    assert stops().decide(hopeless[:-1]) is None
    assert stops().decide(hopeless) is Stop.CANNOT_REACH
    assert stops(epochs=50).decide(early) is None
    assert stops(epochs=10).decide(early) is Stop.CANNOT_REACH


def test_a_curve_that_stands_still_is_a_plateau():
    assert stops().decide([0.85] + [0.84] * (PATIENCE - 1)) is None
    assert stops().decide([0.85] + [0.84] * PATIENCE) is Stop.PLATEAU
    assert stops().decide([0.83] * 9 + [0.85] + [0.84] * (PATIENCE - 1)) is None


def test_a_long_run_may_stand_still_for_a_sixth_of_its_epochs():
    assert stops(epochs=120).decide([0.85] + [0.84] * 19) is None
    assert stops(epochs=120).decide([0.85] + [0.84] * 20) is Stop.PLATEAU


def test_the_worked_example_of_a_curve_that_goes_on_falling():
    present = (0.4 + 0.2) / 2  # the best two of the last three
    future = present * (4 / 50) ** EXPONENT
    assert stops().best_future([0.9, 0.5, 0.6, 0.8]) == pytest.approx(1 - future)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_no_number_ends_the_run(bad):
    assert stops().decide([0.95, bad]) is Stop.NOT_FINITE


@given(curves)
def test_a_reached_target_is_never_given_up(scores):
    decided = stops().decide(scores)
    if len(scores) >= 2 and min(scores[-2:]) >= 0.9:
        assert decided is Stop.REACHED
    if decided is Stop.REACHED:
        assert scores[-1] >= 0.9
        assert final_score(scores) >= 0.9


@given(curves, st.integers(1, 60))
def test_the_projected_score_is_never_below_the_recent_ones(scores, epochs):
    projected = stops(epochs=epochs).best_future(scores)
    assert projected >= sorted(scores[-3:])[-2:][0] - 1e-12


@given(st.lists(st.floats(0.01, 10.0), min_size=1, max_size=40))
def test_errors_stop_as_scores_do(errors):
    """A target on an error, where lower is better, decides as its mirror image would."""
    decided = stops(0.5, name="mae").decide(errors)
    if len(errors) >= 2 and max(errors[-2:]) <= 0.5:
        assert decided is Stop.REACHED
    else:
        assert decided is not Stop.REACHED or errors[-1] <= 0.5


def test_the_final_score_is_the_mean_of_the_last_two_epochs():
    assert final_score([0.1, 0.99, 0.8, 0.9]) == pytest.approx(0.85)
    assert final_score([0.7]) == 0.7


def falling(exponent: float, epochs: int = 20) -> list[float]:
    return [1 - 0.5 * epoch**-exponent for epoch in range(1, epochs + 1)]


def test_few_curves_leave_the_exponent_at_its_default():
    assert calibrated(ACCURACY, []) == EXPONENT
    assert calibrated(ACCURACY, [falling(0.2)]) == EXPONENT
    assert calibrated(ACCURACY, [falling(0.2, epochs=5)] * 30) == EXPONENT


def fell_by(exponent: float, first: float = 0.4) -> list[float]:
    """The errors of a run twice as long as the grace, level before and after."""
    return [first] * GRACE + [first * 2**-exponent] * GRACE


def test_the_worked_example_of_the_exponent():
    """Of eleven curves the 90 % quantile is the second steepest; the default counts like eight."""
    fallen = [fell_by(tenth / 10) for tenth in range(11)]
    expected = pytest.approx((8 * EXPONENT + 11 * 0.9) / 19)
    assert calibrated(ACCURACY, [[1 - error for error in each] for each in fallen]) == expected
    assert calibrated(metric("mae"), fallen) == expected
    assert calibrated(metric("mse"), [[error**2 for error in each] for each in fallen]) == expected
    two = pytest.approx((8 * EXPONENT + 2 * 1.0) / 10)
    assert calibrated(metric("mae"), [fell_by(1.0)] * 2) == two


def test_curves_that_tell_no_exponent_are_left_out():
    perfect, nothing, never = [0.5] * GRACE + [1.0] * GRACE, [], [-math.inf] * 2 * GRACE
    assert calibrated(ACCURACY, [perfect, nothing, never] * 9) == EXPONENT


def test_runs_with_a_falling_learning_rate_are_given_longer():
    scheduled = usual_exponent(scheduled=True)
    assert calibrated(ACCURACY, [], scheduled) == scheduled > usual_exponent(scheduled=False)
    fast = [falling(0.3)] * 8
    assert EXPONENT < calibrated(ACCURACY, fast, scheduled) < scheduled


@given(st.lists(st.floats(0.05, 3.0), min_size=2, max_size=40))
@example([0.71875, 0.71875])
def test_the_exponent_follows_the_steeper_curves_within_bounds(exponents):
    exponent = calibrated(ACCURACY, map(falling, exponents))
    assert FLAT <= exponent <= STEEP
    steepest = calibrated(ACCURACY, [falling(max(exponents))] * len(exponents))
    assert exponent <= steepest or exponent == pytest.approx(steepest)
    steeper = calibrated(ACCURACY, [falling(each + 0.5) for each in exponents])
    assert steeper >= exponent


def test_a_slow_search_gives_its_runs_more_time():
    slow = [falling(1.2)] * 20
    fast = [falling(0.3)] * 20
    run = [0.5, 0.6, 0.7, 0.75]
    patient, strict = (
        Stops(metric=ACCURACY, search_target=0.95, epochs=20, exponent=calibrated(ACCURACY, each))
        for each in (slow, fast)
    )
    assert patient.decide(run) is None
    assert strict.decide(run) is Stop.CANNOT_REACH


@given(st.lists(st.floats(0.01, 3.0), min_size=1, max_size=40), st.floats(0.1, 2.0))
def test_a_goal_is_the_same_squared_or_not(errors, target):
    plain, squared = stops(target, name="rmse"), stops(target**2, name="mse")
    if len(errors) >= GRACE:
        alike = [errors[-1]] * 3  # where means of errors and of their squares are the same
        future = plain.best_future([*errors[:-3], *alike])
        assert squared.best_future([each**2 for each in [*errors[:-3], *alike]]) == pytest.approx(
            future**2
        )
