"""Programs are compiled before they are needed, and kept for those who come again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import current_thread, main_thread

import keras
import numpy as np
import pytest
from occam.search.training.population import programs
from occam.search.training.population.dataset import Dataset
from occam.search.training.population.lowering import Member, lower
from occam.search.training.population.programs import Programs

L = keras.layers
ROWS = np.zeros((16, 3), "float32"), np.zeros(16, "int64")


def members(*widths: int, activation: str = "relu") -> list[Member]:
    made = []
    for width in widths:
        layers = [keras.Input((3,)), L.Dense(width, activation), L.Dense(2, "softmax")]
        model = keras.Sequential(layers)
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
        made.append(lower(model, 8))
    return made


@pytest.fixture
def kept():
    with ThreadPoolExecutor(1) as compilers:
        yield Programs(Dataset(ROWS, ROWS[0]), compilers)


@pytest.mark.slow
def test_what_is_expected_is_compiled_by_another_thread(kept, monkeypatch):
    compiling = []
    compiled = programs.Program.compile

    def compile(program):
        compiling.append(current_thread())
        return compiled(program)

    monkeypatch.setattr(programs.Program, "compile", compile)
    kept.expect(members(3, 4))
    program = kept.of(members(4, 3))
    assert len(kept) == 1
    assert compiling
    assert main_thread() not in compiling
    assert program.compile() is program.compile()


@pytest.mark.slow
def test_what_is_wrong_with_a_program_is_said_to_who_needs_it(kept, monkeypatch):
    monkeypatch.setattr(programs.Program, "compile", lambda program: 1 / 0)
    kept.expect(members(3))
    with pytest.raises(ZeroDivisionError):
        kept.of(members(3))


def test_those_that_nobody_has_asked_for_the_longest_are_given_up(kept, monkeypatch):
    monkeypatch.setattr(programs, "KEPT", 2)
    monkeypatch.setattr(programs.Program, "compile", lambda program: program)
    relu = kept.of(members(3))
    tanh = kept.of(members(3, activation="tanh"))
    assert kept.of(members(3)) is relu
    kept.of(members(3, activation="gelu"))
    assert len(kept) == 2
    assert kept.of(members(3)) is relu
    assert kept.of(members(3, activation="tanh")) is not tanh
