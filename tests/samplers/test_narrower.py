"""Which narrower copies come next: bold steps, then bisection, until no width can be lowered."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from occam.search.samplers.narrower import Attempt, Width, narrower

UNITS = Width(name="units", allowed=tuple(range(1, 65)))
FILTERS = Width(name="filters", allowed=(4, 8, 16))


def attempt(parent: dict[str, int], values: dict[str, int], reached: bool | None) -> Attempt:
    return Attempt(parent=parent, values=values, reached=reached)


def descent(
    start: dict[str, int], widths: list[Width], reaches: Callable[[dict[str, int]], bool]
) -> tuple[dict[str, int], int]:
    """The narrowest copy that one child at a time comes to, and how many were tried."""
    values, attempts = start, []
    while children := narrower(values, widths, attempts):
        child = children[0]
        attempts.append(attempt(values, child, reaches(child)))
        values = child if reaches(child) else values
        assert len(attempts) < 100
    return values, len(attempts)


def test_the_first_step_leaves_out_a_quarter():
    assert narrower({"units": 32}, [UNITS], []) == [{"units": 24}]
    assert narrower({"units": 3}, [UNITS], []) == [{"units": 2}]


def test_after_a_step_that_reached_comes_another_bold_one():
    tried = [attempt({"units": 32}, {"units": 24}, True)]
    assert narrower({"units": 24}, [UNITS], tried) == [{"units": 18}]


def test_after_a_failure_the_middle_is_tried():
    tried = [attempt({"units": 32}, {"units": 24}, False)]
    assert narrower({"units": 32}, [UNITS], tried) == [{"units": 28}]


def test_what_failed_is_not_undercut_by_the_copies_of_smaller_models():
    tried = [
        attempt({"units": 8, "filters": 16}, {"units": 7, "filters": 16}, False),
        attempt({"units": 8, "filters": 16}, {"units": 8, "filters": 8}, True),
    ]
    assert narrower({"units": 8, "filters": 8}, [UNITS, FILTERS], tried) == [
        {"units": 8, "filters": 4}
    ]


def test_a_copy_that_was_beaten_before_its_end_says_nothing():
    tried = [attempt({"units": 32}, {"units": 24}, None)]
    assert narrower({"units": 32}, [UNITS], tried) == [{"units": 24}]


def test_only_values_that_the_space_allows_are_tried():
    assert narrower({"filters": 16}, [FILTERS], []) == [{"filters": 8}]
    assert narrower({"filters": 4}, [FILTERS], []) == []
    close = Width(name="filters", allowed=(0, 14, 15))
    assert narrower({"filters": 15}, [close], [])[0] == {"filters": 0}
    close = Width(name="filters", allowed=(14, 15, 16))
    assert narrower({"filters": 16}, [close], []) == [{"filters": 15}]


def test_it_ends_at_the_narrowest_that_reaches_after_few_children():
    for least in range(1, 65):
        found, tried = descent({"units": 64}, [UNITS], lambda v, n=least: v["units"] >= n)
        assert found == {"units": least}
        assert tried <= 18


def test_at_last_one_step_is_tried_again_of_what_failed_in_a_larger_model():
    wide, narrow = {"units": 8, "filters": 8}, {"units": 8, "filters": 4}
    tried = [
        attempt(wide, {**wide, "units": 7}, False),
        attempt(wide, narrow, True),
    ]
    assert narrower(narrow, [UNITS, FILTERS], tried) == [{"units": 7, "filters": 4}]
    tried.append(attempt(narrow, {**narrow, "units": 7}, False))
    assert narrower(narrow, [UNITS, FILTERS], tried) == []


def test_several_widths_come_down_together():
    wide = {"units": 32, "filters": 16}
    assert narrower(wide, [UNITS, FILTERS], []) == [
        {"units": 24, "filters": 8},
        {"units": 24, "filters": 16},
        {"units": 32, "filters": 8},
    ]


def test_all_widths_at_once_are_not_lowered_to_where_that_was_too_much():
    wide, narrow = {"units": 32, "filters": 16}, {"units": 24, "filters": 16}
    tried = [attempt(wide, {"units": 24, "filters": 8}, False), attempt(wide, narrow, True)]
    one_by_one = [{"units": 18, "filters": 16}, {"units": 24, "filters": 8}]
    assert narrower(narrow, [UNITS, FILTERS], tried) == one_by_one
    other = {"units": 36, "filters": 16}
    assert narrower(other, [UNITS, FILTERS], tried)[0] == {"units": 27, "filters": 8}


@given(
    start=st.tuples(st.integers(1, 64), st.integers(1, 64), st.sampled_from(FILTERS.allowed)),
    each=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    share=st.floats(0, 1),
)
def test_a_descent_ends_where_no_width_can_be_lowered_any_more(start, each, share):
    widths = [UNITS, Width(name="more", allowed=UNITS.allowed), FILTERS]
    names = [width.name for width in widths]

    def size(values):
        return sum(weight * values[name] for weight, name in zip(each, names, strict=True))

    first = dict(zip(names, start, strict=True))
    found, _ = descent(first, widths, lambda values: size(values) >= share * size(first))
    for width in widths:
        for lower in (value for value in width.allowed if value < found[width.name]):
            assert size({**found, width.name: lower}) < share * size(first)


def test_what_failed_in_a_larger_model_says_nothing_of_one_that_came_below_it():
    tried = [attempt({"units": 64}, {"units": failed}, False) for failed in (48, 56, 60, 62)]
    assert narrower({"units": 61}, [UNITS], tried) == [{"units": 60}]
    assert narrower({"units": 59}, [UNITS], tried) == [{"units": 58}]
    assert narrower({"units": 47}, [UNITS], tried) == [{"units": 36}]
