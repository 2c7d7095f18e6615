"""Descents on real studies: children of what reached, told what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import optuna
import pytest
from occam.search.engines.optuna import Engine
from occam.search.metrics import metric
from occam.search.pipeline import Data, Pipeline
from occam.search.samplers.descents import Descents, Sized
from occam.search.stopping import Stop
from occam.search.training.population.templates import Narrows
from occam.search.trials import (
    PARENT,
    RECORD,
    FinishedTrial,
    Trial,
    TrialState,
    finish,
    packed,
)
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

INPUTS = np.zeros((4, 6), dtype="float32")
TRIALS = 8
EPOCHS = 60


def space(hp) -> keras.Model:
    model = keras.Sequential([keras.Input((6,))])
    for layer in range(hp.Int("layers", 1, 2)):
        units = hp.Int(f"units_{layer}", 1, 40, sampling="log", default=30)
        model.add(keras.layers.Dense(units, "relu"))
    model.add(keras.layers.Dense(hp.Choice("code", [2, 4, 8], default=8), "tanh"))
    model.add(keras.layers.Dense(2, "softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def own(hp) -> keras.Model:
    """A layer that populations do not know."""
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(hp.Int("units", 1, 40, default=30))]
    )
    model.add(keras.layers.Lambda(lambda x: x))
    model.add(keras.layers.Dense(2))
    model.compile("adam", "mse")
    return model


def engine(
    folder: Path,
    *,
    sampler: str = "level-set",
    space: Callable = space,
    notice: Callable[[str], None] = lambda text: None,
) -> Engine:
    pipeline = Pipeline(
        data=lambda: Data((), (), ()), space=space, target=0.9, name="toy", epochs=EPOCHS
    )
    return Engine(
        pipeline,
        name="toy",
        storage=folder / "study.journal",
        sampler=sampler,
        seed=0,
        metric=metric("accuracy"),
        search_target=0.9,
        inputs=INPUTS,
        narrows=Narrows(pipeline, 100, notice),
    )


def outcome(trial: Trial) -> FinishedTrial:
    """150 weights reach; whoever begins with trained units needs 60."""
    score = 0.95 if trial.parameter_count >= (60 if trial.parent else 150) else 0.5
    reached = score > 0.9
    return finish(
        trial,
        TrialState.COMPLETE if reached else TrialState.PRUNED,
        score=score,
        projected_score=score,
        reached=reached,
        epochs=25,
        history={"score": [0.1, score]},
        model_path=f"trial-{trial.number}.keras" if reached else None,
    )


def search(searching: Engine, *, batch: int = 1, most: int = TRIALS) -> Iterator[Trial]:
    while len(searching.finished) < most and (asked := searching.ask(batch)):
        for trial in asked:
            searching.tell(outcome(trial))
            yield trial


def told(searching: Engine) -> list[tuple]:
    return [(each.number, str(each.hyperparameters), each.parent) for each in searching.finished]


def test_whatever_has_become_the_smallest_is_narrowed_at_once(tmp_path):
    asked = list(search(engine(tmp_path)))
    first = next(trial.number for trial in asked if outcome(trial).reached)
    child = asked[first + 1]
    assert child.parent is not None
    assert child.parent.number == first
    assert child.parent.model_path == f"trial-{first}.keras"
    changed = {
        name
        for name, value in child.parent.hyperparameters.items()
        if child.hyperparameters[name] != value
    }
    assert len(changed) > 1, "all widths at once"
    assert changed <= {"units_0", "units_1", "code"}
    assert child.epochs == 20


def test_children_come_until_no_width_can_be_lowered(tmp_path):
    searching = engine(tmp_path)
    asked = []
    for trial in search(searching, most=30):
        asked.append(trial)
        if any(each.parent for each in asked) and trial.parent is None:
            break  # the sampler's turn
    children = [trial for trial in asked if trial.parent]
    assert asked[-1].parent is None
    assert min(trial.parameter_count for trial in children if outcome(trial).reached) < 75
    assert len({str(each.hyperparameters) for each in children}) == len(children)


def test_a_batch_holds_a_child_of_all_widths_and_one_of_each_smallest_first(tmp_path):
    searching = engine(tmp_path)
    for trial in searching.ask(1):
        searching.tell(outcome(trial))
    children = searching.ask(4)
    assert {child.parent.number for child in children if child.parent} == {0}
    assert [dict(child.hyperparameters) for child in children] == [
        {"layers": 1, "units_0": 23, "code": 4},
        {"layers": 1, "units_0": 30, "code": 4},
        {"layers": 1, "units_0": 23, "code": 8},
    ]


def test_a_child_takes_a_schedule_up_where_its_parent_was_or_for_its_last_epochs(tmp_path):
    behind: dict[int, int] = {}
    begun = set()
    for trial in search(engine(tmp_path), most=30):
        before = behind[trial.parent.number] if trial.parent else 0
        if trial.parent is not None:
            assert trial.parent.epochs == min(before, EPOCHS - trial.epochs)
            begun.add(trial.parent.epochs)
        behind[trial.number] = before + outcome(trial).epochs
    assert begun == {25, 40}, "a child of a child begins where the last third does"


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("untold", [0, 1, 2])
def test_a_search_that_is_cut_off_in_a_descent_goes_on_the_same(tmp_path, batch, untold):
    whole = engine(tmp_path / "whole")
    list(search(whole, batch=batch))
    cut = engine(tmp_path / "cut")
    list(search(cut, batch=batch, most=3))
    asked = cut.ask(batch)
    for trial in asked[: len(asked) - untold]:
        cut.tell(outcome(trial))
    again = engine(tmp_path / "cut")
    list(search(again, batch=batch))
    assert told(again) == told(whole)
    assert any(parent is not None for _, _, parent in told(whole))


def test_other_samplers_propose_all_themselves(tmp_path):
    assert all(trial.parent is None for trial in search(engine(tmp_path, sampler="random"), most=4))


def test_a_model_without_a_counterpart_has_no_children_which_is_said_once(tmp_path):
    said: list[str] = []
    asked = list(search(engine(tmp_path, space=own, notice=said.append), most=3))
    assert asked
    assert all(trial.parent is None for trial in asked)
    assert said == ["No units are removed from models with layer Lambda."]


@pytest.mark.parametrize(
    ("space", "values", "can"),
    [
        (space, {"layers": 1, "units_0": 30, "code": 8}, True),
        (space, {"layers": 1, "units_0": 1, "code": 2}, True),  # though it has none to lose
        (own, {"units": 30}, False),
    ],
)
def test_it_is_known_whether_models_of_a_kind_lose_units(tmp_path, space, values, can):
    searching = engine(tmp_path, space=space)
    searching.suggest(values)
    for trial in searching.ask(1):
        assert dict(trial.hyperparameters) == values
        searching.tell(
            finish(trial, TrialState.COMPLETE, score=0.95, reached=True, epochs=25, history={})
        )
    assert searching._is_narrowed(searching._study.get_trials()[0]) is can


def test_a_child_that_time_cut_short_closes_no_width(tmp_path):
    searching = engine(tmp_path)
    for trial in searching.ask(1):
        searching.tell(outcome(trial))
    first = searching.ask(4)
    for trial in first:
        reason = Stop.OUT_OF_TIME.value
        searching.tell(finish(trial, TrialState.PRUNED, score=0.5, epochs=2, reason=reason))
    again = searching.ask(4)
    assert [each.hyperparameters for each in again] == [each.hyperparameters for each in first]


DISTRIBUTIONS = {
    "units": IntDistribution(1, 64),
    "code": CategoricalDistribution([2, 4, 8]),
    "patience": IntDistribution(1, 9),  # moves no size
    "bias": CategoricalDistribution([False, True]),
    "rate": FloatDistribution(0.1, 1.0),
}


def sized(values) -> Sized:
    return Sized(
        values=values,
        hyperparameters=values,
        parameter_count=values["units"] + 100 * values["code"] + values["bias"],
    )


def tried(state: TrialState | None, *, parent: int | None = None, reason: str = "", **widths):
    """A trial, and what became of it; None: it is under way."""
    values = {"patience": 5, "bias": True, "rate": 0.5, **widths}
    size = sized(values).parameter_count
    score = {TrialState.COMPLETE: 0.95, TrialState.PRUNED: 0.5}.get(state)
    finished = FinishedTrial(
        number=0,
        state=state or TrialState.FAIL,
        hyperparameters=values,
        parameter_count=size,
        trainable_parameter_count=size,
        seed=0,
        score=None if reason == "beaten" else score,
        reached=state is TrialState.COMPLETE,
        reason=reason,
    )
    known = {RECORD: packed(finished)} if state else {}
    known |= {} if parent is None else {PARENT: parent}
    return optuna.trial.create_trial(
        params=values, distributions=DISTRIBUTIONS, value=1.0, user_attrs=known
    )


def children(*trials: optuna.trial.FrozenTrial) -> list[tuple[int, int, int]]:
    """Number of the incumbent, units and code of each child."""
    study = optuna.create_study()
    study.add_trials(trials)
    found = Descents(sized, lambda wide, narrow: True).children(study.get_trials())
    return [(number, values["units"], values["code"]) for number, values in found]


@pytest.mark.parametrize(
    ("state", "reason", "units"),
    [
        (TrialState.COMPLETE, "", 24),
        (TrialState.PRUNED, "", 28),
        (TrialState.FAIL, "", 28),
        (TrialState.PRUNED, "beaten", 24),
        (TrialState.PRUNED, Stop.OUT_OF_TIME.value, 24),
        (None, "", 24),
    ],
)
def test_a_width_is_bisected_above_what_has_failed_in_the_family(state, reason, units):
    first = tried(TrialState.COMPLETE, units=32, code=8)
    child = tried(state, units=24, code=8, parent=0, reason=reason)
    other = tried(TrialState.COMPLETE, units=32, code=4, parent=0)
    expected = [(2, units, 2), (2, 32, 2), (2, units, 4)]
    assert children(first, child, other) == expected
    stranger = tried(TrialState.COMPLETE, units=32, code=4)
    assert children(first, child, stranger) == [(2, 24, 2), (2, 32, 2), (2, 24, 4)]


def test_children_under_way_are_not_proposed_again():
    first = tried(TrialState.COMPLETE, units=32, code=8)
    both = tried(None, units=24, code=4, parent=0)
    assert children(first, both) == [(0, 32, 4), (0, 24, 8)]


def test_without_a_model_that_reached_there_are_no_children():
    assert children(tried(TrialState.PRUNED, units=32, code=8)) == []
