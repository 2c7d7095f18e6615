"""What a search was asked for, and what it takes where nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from occam.search.loop import Budget
from occam.search.pipeline import Data, Pipeline
from occam.search.settings import TRIALS, Settings


@pytest.mark.parametrize(
    ("said", "budget"),
    [
        ({}, Budget(trials=TRIALS)),
        ({"trials": 7}, Budget(trials=7)),
        ({"epochs": 50}, Budget(epochs=50)),
        ({"timeout": 0.5}, Budget(seconds=0.5)),
        ({"trials": 7, "epochs": 50, "timeout": 9}, Budget(trials=7, epochs=50, seconds=9)),
    ],
)
def test_trials_are_limited_unless_another_limit_is_given(said, budget):
    assert Settings(pipeline="digits", **said).budget == budget


def test_a_file_is_found_from_any_folder_and_a_name_stays_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Settings(pipeline="my_task.py").source == str(Path("my_task.py").resolve())
    assert Settings(pipeline="digits").source == "digits"
    made = Pipeline(data=lambda: Data((), (), ()), space=print, target=0.9)
    assert Settings(pipeline=made).source is None
