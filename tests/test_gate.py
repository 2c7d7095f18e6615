"""The gate shows each candidate the test split once, and keeps what it answers."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from occam.search.errors import OccamError
from occam.search.gate import Gate, judged
from occam.search.held_out import HeldOut
from occam.search.metrics import metric
from occam.search.pipeline import Data, Pipeline
from occam.search.selection import Ladder, Verdict
from occam.search.trials import FinishedTrial, TrialState

LABELS = np.arange(40) % 2
ROWS = np.eye(2, dtype="float32")[1 - LABELS], LABELS


class Kept(dict):
    """As much of an engine as a gate asks for."""

    remember = dict.__setitem__
    recall = dict.get


def space(hp) -> keras.Model:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def trained(number: int, folder: Path, *, right: bool) -> FinishedTrial:
    """All of its answers are right, or all are wrong."""
    model, path = space(None), folder / f"trial-{number}.keras"
    model.set_weights([np.eye(2) * (-9 if right else 9), np.zeros(2)])
    model.save(path)
    return FinishedTrial(
        number=number,
        state=TrialState.COMPLETE,
        hyperparameters={},
        parameter_count=6,
        trainable_parameter_count=6,
        seed=0,
        reached=True,
        score=0.95,
        model_path=str(path),
    )


def gate(engine: Any, folder: Path, groups: Any = None) -> Gate:
    data = Data(train=ROWS, validation=ROWS, test=ROWS)
    planned: Any = SimpleNamespace(
        pipeline=Pipeline(data=lambda: data, space=space, target=0.9, name="toy", groups=groups),
        prepared=SimpleNamespace(data=data),
        metric=metric("accuracy"),
        test_rows="these",
    )
    return Gate(planned, engine, folder / "test")


def ladder(*rungs: FinishedTrial) -> Ladder:
    return Ladder(rungs=rungs, candidates=rungs)


def test_what_a_candidate_answers_is_kept_and_it_is_not_asked_again(tmp_path):
    engine, trial = Kept(), trained(3, tmp_path, right=True)
    opened = gate(engine, tmp_path)
    (result,) = opened.open(ladder(trial))
    assert (result.trial, result.score, result.opened) == (3, 1.0, 1)
    answers = HeldOut.load(opened.answers(3))
    assert (answers.split, list(answers.predictions)) == ("these", list(LABELS))
    Path(trial.model_path).unlink()
    assert gate(engine, tmp_path).open(ladder(trial)) == [result]


def test_answers_that_are_not_there_are_asked_for_without_opening_anything(tmp_path):
    engine, trial = Kept(), trained(3, tmp_path, right=True)
    opened = gate(engine, tmp_path)
    results = opened.open(ladder(trial))
    opened.answers(3).unlink()
    assert opened.open(ladder(trial)) == results
    assert opened.answers(3).exists()
    assert len(engine["test"]) == 1


def test_what_was_seen_counts_though_the_search_ends_at_the_next_candidate(tmp_path):
    first, second = (trained(number, tmp_path, right=bool(number)) for number in range(2))
    engine, file = Kept(), Path(second.model_path)
    content = file.read_bytes()
    file.unlink()
    with pytest.raises(OccamError, match="model of trial 1 is gone"):
        gate(engine, tmp_path).open(ladder(first, second))
    assert [each["trial"] for each in engine["test"]] == [0]
    file.write_bytes(content)
    results = gate(engine, tmp_path).open(ladder(first, second))
    assert [(each.trial, each.opened) for each in results] == [(0, 1), (1, 2)]
    assert judged(ladder(first, second), results[1:]) == [second]


def test_rows_of_a_group_count_as_one_for_the_verdict_and_are_kept_with_it(tmp_path):
    groups, trial = np.repeat(np.arange(4), 10), trained(3, tmp_path, right=True)
    (alone,) = gate(Kept(), tmp_path).open(ladder(trial))
    opened = gate(Kept(), tmp_path, groups)
    (grouped,) = opened.open(ladder(trial))
    assert (alone.score, grouped.score) == (1.0, 1.0)
    assert (alone.verdict, grouped.verdict) == (Verdict.CERTIFIED, Verdict.HOLDS)
    np.testing.assert_array_equal(HeldOut.load(opened.answers(3)).groups, groups)
