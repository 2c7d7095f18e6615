"""Selection is pure, so it is tested as mathematics: on all inputs, and by simulation."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from occam.search.bounds import clopper_pearson
from occam.search.metrics import METRICS, metric
from occam.search.selection import (
    Ladder,
    TestResult,
    Verdict,
    gate,
    judge,
    margin_for,
    rows_to_show,
    search_target,
    select,
)
from occam.search.trials import FinishedTrial, TrialState
from scipy.stats import binom, binomtest
from selection import share, simulated

ACCURACY = metric("accuracy")
targets = st.floats(0.5, 0.99)
margins = st.floats(0.0, 3.0)
row_counts = st.integers(20, 20_000)


def trial(number: int, parameter_count: int, score: float, *, reached: bool = True):
    return FinishedTrial(
        number=number,
        state=TrialState.COMPLETE,
        hyperparameters={},
        parameter_count=parameter_count,
        trainable_parameter_count=parameter_count,
        seed=0,
        reached=reached,
        score=score,
    )


def select_accuracy(trials, *, target=0.9, rows=1000, margin=2.0) -> Ladder:
    return select(trials, metric=ACCURACY, target=target, labels=np.zeros(rows), margin=margin)


@given(targets, row_counts, margins)
def test_a_search_target_is_at_least_the_target_and_within_reach(target, rows, margin):
    goal = search_target(ACCURACY, target, np.zeros(rows), margin)
    assert target <= goal <= max(target, 1 - 1 / rows)


@given(targets, st.integers(20, 40), st.floats(1.0, 3.0))
def test_the_rows_said_to_be_enough_are_enough_and_one_less_is_not(target, rows, margin):
    needed = rows_to_show(ACCURACY, target, np.zeros(rows), margin)
    if needed is None:
        assert target + margin * ACCURACY.standard_error(target, np.zeros(rows)) <= 1 - 1 / rows
        return
    assert needed > rows
    assert rows_to_show(ACCURACY, target, np.zeros(needed), margin) is None
    assert rows_to_show(ACCURACY, target, np.zeros(needed - 1), margin) is not None


@pytest.mark.parametrize("name", ["balanced_accuracy", "f1", "r2"])
def test_they_are_so_of_shares_that_count_no_rows_which_may_be_perfect_on_few(name):
    measured, labels = metric(name), np.array([0, 1] * 5)
    assert search_target(measured, 0.95, labels, 3.0) == measured.perfect
    needed = rows_to_show(measured, 0.95, labels, 3.0)
    some = np.resize(labels, needed + needed % 2)
    assert rows_to_show(measured, 0.95, some, 3.0) is None
    assert search_target(measured, 0.95, some, 3.0) < measured.perfect
    few = np.resize(labels, needed * 9 // 20 * 2)
    assert rows_to_show(measured, 0.95, few, 3.0) > len(few)


@pytest.mark.parametrize("name", METRICS)
def test_a_larger_margin_asks_for_more(name):
    measured = metric(name)
    labels = np.array([0, 1] * 50)
    goals = [search_target(measured, 0.6, labels, margin) for margin in (0, 1, 2, 3)]
    errors = [measured.error(goal) for goal in goals]
    assert errors[0] == pytest.approx(measured.error(0.6))
    assert errors == sorted(set(errors), reverse=True)


def test_the_worked_example_of_the_margin():
    goal = search_target(ACCURACY, 0.95, np.zeros(360), 2.0)
    assert goal == pytest.approx(0.95 + 2 * math.sqrt(0.95 * 0.05 / 360))


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.floats(0.85, 1.0), st.booleans()), min_size=0, max_size=12
    )
)
def test_a_ladder_is_sorted_and_its_candidates_are_its_smallest_at_rising_bars(drawn):
    trials = [trial(i, size, score, reached=ok) for i, (size, score, ok) in enumerate(drawn)]
    ladder = select_accuracy(trials)
    sizes = [rung.parameter_count for rung in ladder.rungs]
    assert sizes == sorted(sizes)
    assert len(ladder.rungs) == sum(ok for _, _, ok in drawn)
    assert len(ladder.candidates) == min(3, len(ladder.rungs))
    assert len(set(map(id, ladder.candidates))) == len(ladder.candidates)
    for candidate, following in zip(ladder.candidates, ladder.candidates[1:], strict=False):
        assert following.parameter_count >= candidate.parameter_count
    for margin in (2.0, 2.5, 3.0):
        bar = search_target(ACCURACY, 0.9, np.zeros(1000), margin)
        smallest = [rung for rung in ladder.rungs if rung.score >= bar][:1]
        assert all(rung in ladder.candidates for rung in smallest)


def test_candidates_are_half_a_standard_error_apart():
    bars = [search_target(ACCURACY, 0.9, np.zeros(1000), 2 + step / 4) for step in range(6)]
    ladder = select_accuracy([trial(step, 10 + step, bar) for step, bar in enumerate(bars)])
    assert [candidate.number for candidate in ladder.candidates] == [0, 2, 4]


def test_a_smaller_model_that_did_not_reach_is_not_selected():
    ladder = select_accuracy([trial(0, 10, 0.99, reached=False), trial(1, 90, 0.95)])
    assert [rung.number for rung in ladder.candidates] == [1]


def test_ties_in_size_go_to_the_more_accurate():
    ladder = select_accuracy([trial(0, 10, 0.95), trial(1, 10, 0.96)])
    assert [rung.number for rung in ladder.rungs] == [1, 0]


@given(st.integers(1, 2000), st.data(), st.floats(0.001, 0.2))
def test_clopper_pearson_is_the_textbook_bound(rows, data, alpha):
    correct = data.draw(st.integers(0, rows))
    bound = clopper_pearson(correct, rows, alpha)
    exact = binomtest(correct, rows, alternative="greater").proportion_ci(1 - alpha).low
    assert bound == pytest.approx(exact, abs=1e-9)
    assert bound <= correct / rows


def test_clopper_pearson_covers_the_truth_as_often_as_it_says():
    rows, truth = 200, 0.93
    outcomes = np.arange(rows + 1)
    bounds = np.array([clopper_pearson(int(k), rows, 0.05) for k in outcomes])
    covered = binom.pmf(outcomes, rows, truth)[bounds <= truth].sum()
    assert covered >= 0.95


def predictions_with(correct: int, rows: int) -> np.ndarray:
    labels = np.zeros(rows, dtype=int)
    return np.where(np.arange(rows) < correct, labels, 1)


@pytest.mark.parametrize(
    ("correct", "verdict"),
    [(899, Verdict.NOT_HELD), (900, Verdict.HOLDS), (960, Verdict.CERTIFIED)],
)
def test_the_verdict_follows_the_test_rows(correct, verdict):
    result = judge(0, predictions_with(correct, 1000), np.zeros(1000), ACCURACY, 0.9, opened=1)
    assert (result.verdict, result.correct, result.rows) == (verdict, correct, 1000)
    assert result.lower_bound == clopper_pearson(correct, 1000, 1 - 0.95)


def test_a_share_that_counts_no_rows_has_no_count_and_no_exact_bound():
    labels, measured = np.arange(100) % 4 // 3, metric("balanced_accuracy")
    result = judge(0, np.roll(labels, 8) * 0.9, labels, measured, 0.5, opened=1)
    assert result.correct is None
    assert result.score == 1.0
    assert result.lower_bound < clopper_pearson(100, 100, 0.05)


def test_rows_of_a_group_are_worth_less_than_as_many_of_their_own():
    ladder = Ladder(rungs=(), candidates=(trial(0, 10, 0.95),))
    groups = np.repeat(np.arange(100), 10)  # whole groups are right or wrong

    def opened(groups: np.ndarray | None) -> TestResult:
        (result,) = gate(
            ladder,
            lambda candidate: predictions_with(950, 1000),
            np.zeros(1000),
            metric=ACCURACY,
            target=0.9,
            groups=groups,
        )
        return result

    alone, grouped = opened(None), opened(groups)
    assert (alone.verdict, grouped.verdict) == (Verdict.CERTIFIED, Verdict.HOLDS)
    assert grouped.score == alone.score
    assert grouped.lower_bound <= clopper_pearson(95, 100, 1 - 0.95)


def test_each_model_that_saw_the_test_lowers_the_bound_of_the_next():
    labels = np.zeros(1000)
    bounds = [
        judge(0, predictions_with(930, 1000), labels, ACCURACY, 0.9, opened=opened).lower_bound
        for opened in (1, 2, 3)
    ]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] > bounds[-1]


def test_the_gate_opens_the_test_for_one_candidate_after_another_until_one_holds():
    ladder = Ladder(rungs=(), candidates=tuple(trial(i, 10 + i, 0.95) for i in range(3)))
    asked: list[int] = []

    def predict(candidate: FinishedTrial) -> np.ndarray:
        asked.append(candidate.number)
        return predictions_with(880 if candidate.number == 0 else 910, 1000)

    opened: list[TestResult] = []
    labels = np.zeros(1000)
    results = gate(ladder, predict, labels, metric=ACCURACY, target=0.9, on_open=opened.append)
    assert opened == results
    assert asked == [0, 1]
    assert [result.verdict for result in results] == [Verdict.NOT_HELD, Verdict.HOLDS]
    assert [result.opened for result in results] == [1, 2]


def test_a_candidate_that_saw_the_test_before_is_not_shown_it_again():
    ladder = Ladder(rungs=(), candidates=(trial(4, 10, 0.95),))
    before = judge(4, predictions_with(950, 1000), np.zeros(1000), ACCURACY, 0.9, opened=2)

    def refuse(candidate: FinishedTrial) -> np.ndarray:
        raise AssertionError("the test split was opened again")

    results = gate(ladder, refuse, np.zeros(1000), metric=ACCURACY, target=0.9, seen=[before])
    assert results == [before]
    assert TestResult.from_record(before.record()) == before


def test_what_was_seen_to_hold_is_the_answer_where_no_new_candidate_does():
    old, *new = (trial(i, size, 0.95) for i, size in enumerate((500, 300, 350, 400)))
    ladder = Ladder(rungs=(*new, old), candidates=tuple(new))
    held = judge(0, predictions_with(950, 1000), np.zeros(1000), ACCURACY, 0.9, opened=1)
    assert held.verdict is Verdict.CERTIFIED
    results = gate(
        ladder,
        lambda candidate: predictions_with(880, 1000),
        np.zeros(1000),
        metric=ACCURACY,
        target=0.9,
        seen=[held],
    )
    assert [each.trial for each in results] == [1, 2, 3, 0]
    assert results[-1] == held


@pytest.mark.parametrize("name", METRICS)
def test_predictions_that_are_no_numbers_hold_nothing(name):
    labels = np.zeros(50) if name == "accuracy" else np.arange(50) % 2
    predictions = np.full((50, 1), np.nan)
    measured = metric(name)
    result = judge(0, predictions, labels, measured, 0.5, opened=1)
    assert result.verdict is Verdict.NOT_HELD
    assert json.loads(json.dumps(result.record(), allow_nan=False))["score"] == result.score


@pytest.mark.parametrize(
    ("rows", "target", "shared"), [(360, 0.95, 0.4), (900, 0.95, 0.0), (10_000, 0.99, 0.0)]
)
def test_nearly_all_selected_models_truly_hold_where_the_naive_rule_s_do_not(rows, target, shared):
    """2,000 simulated searches; at worst nothing of the models' luck with the rows is shared."""
    found = simulated(2000, 120, rows, target, margin=2.0, shared=shared)
    assert share(each.selected for each in found) >= 0.95
    assert share(each.naive for each in found) <= 0.6
    assert sum(each.selected is not None for each in found) >= 0.95 * len(found)


def test_a_margin_makes_picks_hold_before_any_test_row_is_seen():
    held = [
        share(each.picked for each in simulated(500, 120, 900, 0.95, margin=margin))
        for margin in (0.0, 1.0, 2.0, 3.0)
    ]
    assert held == sorted(held)
    assert held[0] <= 0.3
    assert held[-1] >= 0.98


@given(st.integers(1, 10**6), st.integers(1, 10**6), margins)
def test_more_trials_never_need_less_margin_and_a_hundred_need_the_usual(few, many, margin):
    few, many = sorted((few, many))
    needed = [
        margin_for(n, metric=ACCURACY, target=0.95, labels=np.zeros(360), margin=margin)
        for n in (100, few, many)
    ]
    assert needed[0] == margin <= needed[1] <= needed[2] <= margin + 2.5


@pytest.mark.parametrize(("rows", "target"), [(10_000, 0.99), (2000, 0.88), (100, 1.0)])
def test_many_trials_need_no_more_where_rows_show_the_errors_well(rows, target):
    asked = {"metric": ACCURACY, "target": target, "labels": np.zeros(rows)}
    assert margin_for(10_000, **asked, margin=2.0) == 2.0


def test_the_margin_for_many_trials_keeps_out_the_luck_that_the_usual_one_lets_through():
    enough = margin_for(1000, metric=ACCURACY, target=0.95, labels=np.zeros(360), margin=2.0)
    held = [
        share(each.selected for each in simulated(300, 1000, 360, 0.95, margin=margin))
        for margin in (2.0, enough)
    ]
    assert held[0] <= 0.9
    assert held[1] >= 0.95


def test_the_steps_of_sequences_are_not_counted_as_rows():
    labels = np.repeat(np.arange(100)[:, None] % 3, 5, axis=1)
    predicted = labels.copy()
    predicted[:6] = (predicted[:6] + 1) % 3  # whole sequences
    result = judge(0, np.eye(3)[predicted], labels, ACCURACY, 0.9, opened=1)
    assert (result.score, result.correct, result.rows) == (0.94, None, 100)
    assert 0.86 < result.lower_bound < 0.92
