"""Who shares a program, and how many lanes it has."""

from __future__ import annotations

import re
from collections.abc import Sequence

import jax
import keras
import pytest
from occam.search.training.population import program, sizing
from occam.search.training.population.layout import Layout, padded_widths
from occam.search.training.population.lowering import Member, lower
from occam.search.training.population.program import QUICKLY

L = keras.layers


def dense(width: int) -> Member:
    return member([keras.Input((4,)), L.Dense(width, "relu")])


def convolutional(width: int) -> Member:
    return member([keras.Input((64, 64, 1)), L.Conv2D(width, 3, padding="same"), L.Flatten()])


def member(layers: Sequence[object]) -> Member:
    model = keras.Sequential([*layers, L.Dense(2, "softmax")])
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    return lower(model, 128)


@pytest.fixture(autouse=True)
def two_devices(monkeypatch):
    monkeypatch.setattr(sizing, "devices", lambda: [Device(), Device()])


class Device:
    """An accelerator of 1 MB."""

    @staticmethod
    def memory_stats() -> dict[str, int]:
        return {"bytes_limit": 2**20}


def test_small_models_all_share_a_program_with_as_many_lanes_as_there_are_models():
    members = [dense(width) for width in (3, 5, 9)]
    assert sizing.parts(members, rows=1000) == [members]
    widths, lanes = sizing.sized(members)
    assert lanes == 4
    assert dict(widths[0]) == {"units": 16}


def test_large_models_have_one_lane_a_device_and_share_by_width():
    members = [convolutional(width) for width in (4, 4, 32, 32)]
    assert sizing.sized(members)[1] == 2
    assert sizing.parts(members, rows=10**6) == [members[:2], members[2:]]


def test_where_each_lane_costs_time_few_are_proposed_together():
    assert sizing.proposed_together(dense(8), 16) == 16
    assert sizing.proposed_together(convolutional(16), 16) == 2 * 2
    assert sizing.proposed_together(convolutional(16), 3) == 3


def test_another_program_has_to_be_worth_its_compilation():
    members = [convolutional(width) for width in (4, 4, 32, 32)]
    assert sizing.parts(members, rows=100) == [members]


def test_little_work_is_not_worth_a_thorough_compilation():
    one = dense(8)
    widths, _ = sizing.sized([one])
    assert sizing.is_brief(one, widths, 4, rows=1000)
    assert not sizing.is_brief(one, widths, 4, rows=10**8)
    assert sizing.is_brief(one, widths, 2, rows=1000)  # one lane a device, too


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.setattr(sizing.jax, "default_backend", lambda: "gpu")


@pytest.mark.usefixtures("on_gpu")
def test_a_gpu_has_as_many_lanes_as_its_memory_holds():
    lanes = [sizing.sized([dense(width)] * 256)[1] for width in (8, 64)]
    assert 2 <= lanes[1] < lanes[0] <= 256


@pytest.mark.usefixtures("on_gpu")
def test_a_gpu_has_no_more_lanes_than_keep_it_busy(monkeypatch):
    monkeypatch.setattr(Device, "memory_stats", staticmethod(lambda: {"bytes_limit": 2**36}))
    assert sizing.sized([dense(8)] * 512)[1] == 2 * 256
    assert sizing.sized([dense(8)] * 40)[1] == 2 * 24
    assert sizing.sized([convolutional(16)] * 512)[1] == 2 * 40
    assert sizing.sized([convolutional(128)] * 512)[1] == 2 * sizing.FEW


def compiled_with(options: dict) -> str:
    """What XLA says of options; nothing where it takes them."""
    try:
        jax.jit(lambda x: 2 * x, compiler_options=options)(1.0)
    except jax.errors.JaxRuntimeError as error:
        return re.sub(r".*(No such compile option).*", r"\1", str(error), flags=re.DOTALL)
    return ""


@pytest.mark.parametrize("device", QUICKLY)
def test_what_compiles_quickly_is_known_to_xla(device):
    answers = [compiled_with({name: value}) for name, value in QUICKLY[device].items()]
    assert set(answers) <= {"", "No such compile option"}  # the next version may lack one
    assert "" in answers
    assert compiled_with({"xla_gpu_unheard_of": 0}) == "No such compile option"


def test_what_xla_does_not_know_is_left_out(monkeypatch):
    options = {"xla_cpu_unheard_of": 0, "xla_backend_optimization_level": 1}
    monkeypatch.setitem(QUICKLY, jax.default_backend(), options)
    assert program._quickly.__wrapped__() == {"xla_backend_optimization_level": 1}


def test_what_is_flattened_is_as_large_as_before():
    one = convolutional(16)
    layout = Layout.of(one, padded_widths([one]))
    assert layout.row_size == 16 * 64 * 64
    assert layout.row_total == 2 * 16 * 64 * 64 + 2 + 9 * 64 * 64


@pytest.mark.usefixtures("on_gpu")
def test_little_work_is_compiled_quickly_for_a_gpu_too():
    one = dense(8)
    widths, _ = sizing.sized([one])
    assert sizing.is_brief(one, widths, 2, rows=60_000)
    assert not sizing.is_brief(one, widths, 2, rows=10**10)


@pytest.mark.usefixtures("on_gpu")
def test_many_large_models_share_by_width_on_a_gpu():
    small, large = [convolutional(4)] * 32, [convolutional(16)] * 32
    assert sizing.parts([*small, *large], rows=10**6) == [small, large]
    assert sizing.parts([*small, *large], rows=10_000) == [[*small, *large]]
    assert sizing.parts([dense(4), *[dense(16)] * 32], rows=60_000) == [
        [dense(4), *[dense(16)] * 32]
    ]
