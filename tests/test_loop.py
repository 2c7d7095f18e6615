"""The loop, with an engine of a few lines and workers that train nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace

import pytest
from occam.search.errors import OccamError
from occam.search.failures import IN_A_ROW
from occam.search.loop import HOPELESS, Budget, run
from occam.search.stopping import Stop
from occam.search.trials import (
    FinishedTrial,
    Parent,
    Trial,
    TrialState,
    failed,
    finish,
    packed,
    rejected,
    unpacked,
)


class Sizes:
    """Proposes models of given sizes, in order."""

    exhausted_because = "no size is left"

    def __init__(self, sizes: list[int], known: list[FinishedTrial] | None = None) -> None:
        self.sizes, self.finished = list(sizes), list(known or [])
        self.number = len(self.finished)

    def ask(self, n: int) -> list[Trial]:
        asked = []
        for size in self.sizes[:n]:
            asked.append(proposal(self.number, size))
            self.number += 1
        del self.sizes[:n]
        return asked

    def tell(self, finished: FinishedTrial) -> None:
        self.finished.append(finished)


class Answers:
    """Workers that answer at once with what `outcome` says."""

    def __init__(
        self, outcome: Callable[[Trial], FinishedTrial], size: int = 1, batch: int = 1
    ) -> None:
        self.outcome, self.size, self.batch = outcome, size, batch
        self.submitted, self.closed = [], False

    def submit(self, trial: Trial) -> Future[FinishedTrial]:
        self.submitted.append(trial)
        future: Future[FinishedTrial] = Future()
        future.set_result(self.outcome(trial))
        return future

    def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
        return list(running)

    def shutdown(self) -> None:
        self.closed = True


def proposal(number: int, size: int, *, error: str | None = None) -> Trial:
    return Trial(
        number=number,
        hyperparameters={"units": size},
        parameter_count=size,
        trainable_parameter_count=size,
        epochs=10,
        seed=number,
        error=error,
    )


def reaches(trial: Trial) -> FinishedTrial:
    return finish(trial, TrialState.COMPLETE, reached=True, score=0.99, epochs=4)


def misses(trial: Trial) -> FinishedTrial:
    return finish(trial, TrialState.PRUNED, score=0.5, projected_score=0.6, epochs=4)


def rejects(trial: Trial) -> FinishedTrial:
    return rejected(trial, "not smaller")


def states(finished: list[FinishedTrial]) -> list[str]:
    return [trial.state.name for trial in finished]


def test_a_batch_is_asked_for_at_once_and_the_next_when_it_is_over():
    asked = []

    class Batches(Sizes):
        def ask(self, n: int) -> list[Trial]:
            asked.append((n, len(self.finished)))
            return super().ask(n)

    workers = Answers(misses, size=4, batch=4)
    run(Batches([100] + [10 * n for n in range(1, 10)]), workers, budget=Budget(trials=9))
    assert asked == [(4, 0), (4, 4), (1, 8)]


def test_a_budget_of_epochs_begins_as_many_of_a_batch_as_it_can_pay_for():
    asked = []

    class Batches(Sizes):
        def ask(self, n: int) -> list[Trial]:
            asked.append(len(self.finished))
            return super().ask(n)

    workers = Answers(misses, size=4, batch=4)
    finished = run(Batches([10, 20, 30, 40, 50, 60]), workers, budget=Budget(epochs=24))
    assert [trial.epochs for trial in workers.submitted] == [10, 10, 4, 10, 8, 4]
    assert len(finished) == 6
    assert asked == [0, 4]  # the fourth was begun before more were asked for


def test_what_cannot_win_is_rejected_without_an_epoch():
    workers = Answers(reaches)
    finished = run(Sizes([100, 200, 100, 50]), workers, budget=Budget())
    assert states(finished) == ["COMPLETE", "REJECTED", "REJECTED", "COMPLETE"]
    assert [trial.number for trial in workers.submitted] == [0, 3]
    for too_large in finished[1:3]:
        assert too_large.reason == "not smaller than trial 0 (100 parameters)"
    assert workers.closed


def test_a_model_that_missed_does_not_make_larger_ones_hopeless():
    finished = run(Sizes([100, 200]), Answers(misses), budget=Budget())
    assert states(finished) == ["PRUNED", "PRUNED"]


def test_the_same_hyperparameters_are_not_trained_twice():
    finished = run(Sizes([100, 100]), Answers(misses), budget=Budget())
    assert states(finished) == ["PRUNED", "REJECTED"]
    assert finished[1].reason == "the same hyperparameters as trial 0"


def test_they_are_where_it_begins_with_weights_that_the_other_had_not():
    class Narrower(Sizes):
        def ask(self, n: int) -> list[Trial]:
            parent = Parent(number=0, hyperparameters={}, model_path="any.keras")
            return [replace(each, parent=parent) for each in super().ask(n)]

    first = run(Sizes([100]), Answers(misses), budget=Budget())
    finished = run(Narrower([100], first), Answers(misses), budget=Budget())
    assert states(finished) == ["PRUNED", "PRUNED"]


def test_what_is_to_be_smaller_than_falls_with_each_that_reached():
    finished = run(Sizes([100, 50, 70]), Answers(reaches), budget=Budget())
    assert finished[-1].reason == "not smaller than trial 1 (50 parameters)"


def test_a_larger_one_that_ends_after_a_smaller_one_does_not_take_its_place():
    workers = Answers(reaches, size=2)
    finished = run(Sizes([90, 100, 95]), workers, budget=Budget())
    assert states(finished) == ["COMPLETE", "COMPLETE", "REJECTED"]
    assert finished[-1].reason.startswith("not smaller than trial 0 ")


def test_trials_are_counted_when_trained_and_not_when_rejected():
    finished = run(Sizes([100, 300, 300, 90, 80]), Answers(reaches), budget=Budget(trials=2))
    assert states(finished) == ["COMPLETE", "REJECTED", "REJECTED", "COMPLETE"]


def test_a_budget_of_one_trial_trains_one():
    reasons: list[str] = []
    budget = Budget(trials=1)
    finished = run(Sizes([100, 90]), Answers(misses), budget=budget, on_end=reasons.append)
    assert states(finished) == ["PRUNED"]
    assert reasons == ["its one trial is done"]


def test_parallel_trials_share_those_that_are_left():
    asked = []

    class Pairs(Sizes):
        def ask(self, n: int) -> list[Trial]:
            asked.append(n)
            return super().ask(n)

    workers, reasons = Answers(misses, size=4, batch=2), []
    engine, budget = Pairs([10, 20, 30, 40, 50]), Budget(trials=3)
    run(engine, workers, budget=budget, on_end=reasons.append)
    assert asked == [2, 1]
    assert reasons == ["all 3 trials are done"]
    assert len(workers.submitted) == 3


def test_a_search_ends_when_its_time_is_over_with_what_is_under_way():
    def second_takes_long(trial: Trial) -> FinishedTrial:
        time.sleep(0.3 * trial.number)
        return misses(trial)

    reasons: list[str] = []
    workers, budget = Answers(second_takes_long), Budget(seconds=0.3)
    finished = run(Sizes([30, 20, 10]), workers, budget=budget, on_end=reasons.append)
    assert states(finished) == ["PRUNED", "PRUNED"]
    assert reasons == ["0.3 seconds are over"]


def test_no_epoch_is_trained_beyond_the_budget():
    workers, reasons = Answers(misses), []
    budget = Budget(epochs=9)
    run(Sizes([100, 200, 300, 400]), workers, budget=budget, on_end=reasons.append)
    assert [trial.epochs for trial in workers.submitted] == [9, 5, 1]
    assert reasons == ["all 9 epochs are spent"]


def test_what_the_budget_cuts_short_is_judged_by_all_it_may_take_and_may_come_again():
    def cut(trial: Trial) -> FinishedTrial:
        reason = Stop.OUT_OF_EPOCHS.value
        return finish(trial, TrialState.PRUNED, score=0.5, epochs=trial.epochs, reason=reason)

    workers = Answers(cut)
    first = run(Sizes([100]), workers, budget=Budget(epochs=4))
    assert [(each.epochs, each.horizon, each.cut_short) for each in workers.submitted] == [
        (4, 10, True)
    ]
    again = Answers(misses)
    run(Sizes([100], first), again, budget=Budget(epochs=40))
    assert [(each.epochs, each.cut_short) for each in again.submitted] == [(10, False)]


def test_what_may_take_no_more_than_is_left_is_not_cut_short():
    workers = Answers(misses)
    run(Sizes([100]), workers, budget=Budget(epochs=10))
    assert [(each.epochs, each.cut_short) for each in workers.submitted] == [(10, False)]


def test_a_round_that_is_cut_short_is_judged_by_all_rounds():
    class Rounds(Sizes):
        def ask(self, n: int) -> list[Trial]:
            return [replace(each, initial_epoch=3, horizon=30) for each in super().ask(n)]

    workers = Answers(misses)
    run(Rounds([100]), workers, budget=Budget(epochs=4))
    assert [(each.epochs, each.horizon) for each in workers.submitted] == [(4, 30)]


def test_parallel_trials_share_the_epochs_that_are_left():
    workers = Answers(misses, size=3)
    run(Sizes([100, 200, 300]), workers, budget=Budget(epochs=15))
    assert [trial.epochs for trial in workers.submitted[:2]] == [10, 5]


def test_a_search_that_goes_on_counts_what_it_had():
    first = run(Sizes([100, 90]), Answers(reaches), budget=Budget())
    reasons: list[str] = []
    workers = Answers(reaches)
    finished = run(Sizes([80], first), workers, budget=Budget(trials=2), on_end=reasons.append)
    assert not workers.submitted
    assert len(finished) == 2
    assert reasons == ["all 2 trials are done"]


def test_a_configuration_that_cannot_be_built_fails_and_the_search_goes_on():
    class Broken(Sizes):
        def ask(self, n: int) -> list[Trial]:
            asked = super().ask(n)
            return (
                [proposal(0, 0, error="ValueError: no")] if asked and not self.finished else asked
            )

    finished = run(Broken([1, 70]), Answers(reaches), budget=Budget())
    assert states(finished) == ["FAIL", "COMPLETE"]
    assert finished[0].error == "ValueError: no"


def test_hundreds_of_useless_proposals_end_a_search_only_in_the_end():
    reasons: list[str] = []
    sizes = [100] + [200] * (HOPELESS - 1) + [90] + [200] * (HOPELESS + 1)
    finished = run(Sizes(sizes), Answers(reaches), budget=Budget(), on_end=reasons.append)
    assert [trial.parameter_count for trial in finished if trial.reached] == [100, 90]
    assert reasons == [f"{HOPELESS} proposals in a row needed no training"]


def test_what_is_begun_beside_another_ends_a_row_of_useless_proposals():
    first = run(Sizes([100]), Answers(reaches), budget=Budget())
    sizes = [200] * (HOPELESS - 1) + [90, 200, 80]
    finished = run(Sizes(sizes, first), Answers(reaches, size=3), budget=Budget())
    assert [trial.parameter_count for trial in finished if trial.reached] == [100, 90, 80]


def test_after_a_row_of_useless_proposals_nothing_is_asked_for_beside_what_is_under_way():
    first = run(Sizes([100]), Answers(reaches), budget=Budget())
    engine = Sizes([90] + [200] * HOPELESS + [80], first)
    run(engine, Answers(reaches, size=2), budget=Budget())
    assert engine.sizes == [80]
    assert engine.finished[-1].reached


@pytest.mark.parametrize(
    "error",
    [
        "the worker process died: signal 9 (SIGKILL)",
        "MemoryError: Unable to allocate 3 GiB",
        "ResourceExhaustedError: OOM when allocating tensor",
        "XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory",
        "OutOfMemoryError: CUDA out of memory.",
    ],
)
@pytest.mark.parametrize(("failures", "state"), [(1, "COMPLETE"), (2, "FAIL")])
def test_a_trial_that_lacked_memory_or_its_process_is_tried_once_more(error, failures, state):
    left = [failures]

    def outcome(trial: Trial) -> FinishedTrial:
        left[0] -= 1
        return replace(failed(trial, error), seconds=3.0) if left[0] >= 0 else reaches(trial)

    ended = run(Sizes([100]), Answers(outcome), budget=Budget())
    assert states(ended) == [state]
    if state == "FAIL":
        assert ended[0].error == ended[0].reason == f"{error} (tried twice)"
        assert ended[0].seconds == 3.0


def test_the_epochs_of_a_first_try_are_spent_and_kept():
    tries = []

    def outcome(trial: Trial) -> FinishedTrial:
        tries.append(trial.epochs)
        if len(tries) == 1:
            return failed(trial, "MemoryError", epochs=7)
        return replace(reaches(trial), epochs=trial.epochs)

    engine = Sizes([100, 50])
    ended = run(engine, Answers(outcome), budget=Budget(epochs=10))
    assert tries == [10, 3]
    assert [(each.epochs, each.lost_epochs) for each in ended] == [(3, 7)]
    assert unpacked(packed(ended[0])).epochs_spent == 10
    again = Answers(reaches)
    run(Sizes([50], ended), again, budget=Budget(epochs=10))
    assert not again.submitted


def test_they_are_spent_for_what_begins_beside_the_second_try():
    tries = []

    def outcome(trial: Trial) -> FinishedTrial:
        tries.append((trial.number, trial.epochs))
        return failed(trial, "MemoryError", epochs=7) if len(tries) == 1 else misses(trial)

    class InTurn(Answers):
        def wait(self, running: Iterable[Future[FinishedTrial]]) -> list[Future[FinishedTrial]]:
            return list(running)[:1]

    run(Sizes([100, 90, 80]), InTurn(outcome, size=2), budget=Budget(epochs=20))
    assert tries == [(0, 10), (1, 10), (0, 3), (2, 6)]


def test_what_was_lost_within_a_try_counts_too():
    tries = []

    def outcome(trial: Trial) -> FinishedTrial:
        tries.append(trial.epochs)
        if len(tries) == 1:
            return replace(failed(trial, "MemoryError", epochs=2), lost_epochs=3)
        return replace(failed(trial, "MemoryError", epochs=1), lost_epochs=4)

    (ended,) = run(Sizes([100]), Answers(outcome), budget=Budget(epochs=10))
    assert tries == [10, 5]
    assert (ended.epochs, ended.lost_epochs) == (1, 9)


def test_a_trial_is_not_tried_again_once_the_epochs_are_spent():
    workers = Answers(lambda trial: failed(trial, "MemoryError", epochs=trial.epochs))
    ended = run(Sizes([100]), workers, budget=Budget(epochs=10))
    assert len(workers.submitted) == 1
    assert ended[0].error == "MemoryError"


@pytest.mark.parametrize("error", ["ValueError: no", "the loss is not a finite number, in epoch 3"])
def test_what_is_wrong_with_a_configuration_is_not_tried_again(error):
    workers = Answers(lambda trial: failed(trial, error))
    run(Sizes([100, 200]), workers, budget=Budget())
    assert [trial.number for trial in workers.submitted] == [0, 1]


@pytest.mark.parametrize(
    "error",
    [
        "OSError: [Errno 28] Can't write data (file write failed)",
        "OSError: [Errno 122] Disk quota exceeded: 'trial-3.keras'",
    ],
)
def test_a_full_disk_ends_the_search_and_fails_no_trial(error):
    engine = Sizes([100, 90])
    full = Answers(lambda trial: failed(trial, error) if trial.number else reaches(trial))
    with pytest.raises(OccamError, match=r"trial 1 was to keep .* make room for it, or"):
        run(engine, full, budget=Budget())
    assert [each.number for each in engine.finished] == [0]


def test_ten_failures_in_a_row_for_one_reason_end_the_search():
    workers = Answers(lambda trial: failed(trial, f"ValueError: no file number {trial.number}."))
    engine = Sizes([*range(100, 200)])
    with pytest.raises(OccamError, match="10 trials in a row failed .* number 9. What finished"):
        run(engine, workers, budget=Budget())
    assert len(engine.finished) == IN_A_ROW
    assert workers.closed


def test_failures_of_several_kinds_or_with_a_success_between_do_not():
    def outcome(trial: Trial) -> FinishedTrial:
        if trial.number % 10 == 9:
            return misses(trial)
        return failed(trial, "ValueError: no" if trial.number % 4 else "TypeError: no")

    assert len(run(Sizes([*range(100, 160)]), Answers(outcome), budget=Budget())) == 60


def test_each_trial_that_ends_is_told_to_the_engine_first_and_then_to_who_asked():
    engine, seen, began = Sizes([100, 200]), [], time.time()
    run(
        engine,
        Answers(reaches),
        budget=Budget(),
        on_finish=[lambda trial: seen.append((trial.number, len(engine.finished)))],
    )
    assert seen == [(0, 1), (1, 2)]
    assert began <= engine.finished[0].ended <= engine.finished[1].ended <= time.time()


def test_an_interrupt_leaves_no_worker_behind():
    def interrupt(trial: Trial) -> FinishedTrial:
        raise KeyboardInterrupt

    workers = Answers(interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(Sizes([100]), workers, budget=Budget())
    assert workers.closed


def test_what_is_asked_between_two_trials_may_end_the_search():
    workers, engine = Answers(misses), Sizes([100, 90, 80])

    def interrupted() -> None:
        if len(engine.finished) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(engine, workers, budget=Budget(), on_turn=interrupted)
    assert workers.closed
    assert len(engine.finished) == 2


def test_a_reason_is_kept_to_one_line():
    assert failed(proposal(0, 1), "two\nlines").error == "two lines"


class Elsewhere:
    """Other processes, at `at` trials for as long as they are seen to be busy."""

    shared = True

    def __init__(
        self,
        told: Iterable[FinishedTrial] = (),
        *,
        at: int = 0,
        begun: int = 0,
        busy: int = 0,
        left: int = 0,
    ) -> None:
        self.told, self.at, self.begun = list(told), at, begun
        self.looks, self.lefts, self.noted = busy, left, []

    def news(self) -> list[FinishedTrial]:
        told, self.told = self.told, []
        return told

    def running(self) -> int:
        return self.at if self.looks else 0

    def before(self, number: int) -> int:
        return self.begun

    def busy(self) -> bool:
        self.looks = max(self.looks - 1, -1)
        return self.looks >= 0

    def left(self) -> bool:
        self.lefts -= 1
        return self.lefts >= 0

    def note(self, numbers: Iterable[int]) -> None:
        self.noted += numbers


@pytest.fixture
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("occam.search.loop.PAUSE", 0.001)


def test_what_another_process_has_told_counts_and_makes_larger_ones_hopeless():
    others = Elsewhere([replace(reaches(proposal(7, 50)), epochs=6)])
    workers = Answers(misses)
    finished = run(Sizes([60, 40]), workers, budget=Budget(epochs=10), others=others)
    assert finished[0].reason == "not smaller than trial 7 (50 parameters)"
    assert [trial.epochs for trial in workers.submitted] == [4]


def test_what_others_have_begun_beforehand_leaves_nothing_to_begin():
    others = Elsewhere(begun=3)
    finished = run(Sizes([70]), Answers(misses), budget=Budget(trials=3), others=others)
    assert [each.reason for each in finished] == ["other processes have begun all trials"]


@pytest.mark.usefixtures("_no_pause")
def test_what_others_are_at_counts_until_they_are_gone_which_is_waited_for():
    first, workers = run(Sizes([90, 80]), Answers(misses), budget=Budget()), Answers(misses)
    others, idle = Elsewhere(at=1, busy=3), []

    def on_idle() -> None:
        idle.append(len(workers.submitted))

    budget = Budget(trials=4)
    run(Sizes([70, 60], first), workers, budget=budget, others=others, on_idle=on_idle)
    assert idle == [1, 1, 1, 2]
    assert others.noted == [0, 1]


@pytest.mark.usefixtures("_no_pause")
def test_who_has_nothing_to_try_takes_up_what_others_leave_behind():
    class Later(Sizes):
        def ask(self, n: int) -> list[Trial]:
            asked.append(n)
            return super().ask(n) if len(asked) > 1 else []

    for left in (0, 1):
        asked, workers = [], Answers(misses)
        others = Elsewhere(busy=2, left=left)
        run(Later([40]), workers, budget=Budget(), others=others)
        assert len(workers.submitted) == left


@pytest.mark.usefixtures("_no_pause")
@pytest.mark.parametrize(("told", "asks"), [(misses, 2), (rejects, 1)])
def test_who_has_nothing_to_try_asks_again_once_another_has_trained_something(told, asks):
    class Later(Sizes):
        def ask(self, n: int) -> list[Trial]:
            asked.append(n)
            return []

    asked, others = [], Elsewhere(busy=1)
    news = iter([[], [], [told(proposal(7, 50))]])  # just when nobody is at anything any more
    others.news = lambda: next(news, [])
    run(Later([]), Answers(misses), budget=Budget(), others=others)
    assert len(asked) == asks


@pytest.mark.usefixtures("_no_pause")
def test_who_asks_again_has_a_whole_row_of_useless_proposals_before_it():
    first, others = run(Sizes([100]), Answers(reaches), budget=Budget()), Elsewhere(busy=2)
    engine = Sizes([200] * HOPELESS + [200, 80], first)
    others.news = lambda: [misses(proposal(999, 90))] if len(engine.sizes) == 2 else []
    run(engine, Answers(reaches), budget=Budget(), others=others)
    assert engine.finished[-1].reached


def test_nobody_is_waited_for_once_the_time_is_over():
    others, idle = Elsewhere(busy=9), []
    run(
        Sizes([70]),
        Answers(misses),
        budget=Budget(seconds=0.0),
        others=others,
        on_idle=lambda: idle.append(others.looks),
    )
    assert idle == [9]


def test_what_was_asked_for_and_is_not_begun_is_told_to_who_may_wait_for_it():
    workers, budget = Answers(misses, size=4, batch=4), Budget(epochs=4)
    finished = run(Sizes([10, 20, 30]), workers, budget=budget, others=Elsewhere())
    assert states(finished) == ["PRUNED", "REJECTED", "REJECTED"]
    assert finished[1].reason == "the search ended: all 4 epochs are spent"
    alone = run(Sizes([10, 20, 30]), Answers(misses, size=4, batch=4), budget=budget)
    assert states(alone) == ["PRUNED"], "nobody waits: it comes again when the search goes on"


def test_what_is_another_process_s_by_now_is_not_counted_here():
    class Lost(Sizes):
        def tell(self, finished: FinishedTrial) -> bool:
            super().tell(finished)
            return finished.number != 0

    seen: list[FinishedTrial] = []
    run(
        Lost([50, 60, 40]),
        Answers(reaches),
        budget=Budget(trials=2),
        others=Elsewhere(),
        on_finish=[seen.append],
    )
    assert [each.number for each in seen] == [1, 2]
