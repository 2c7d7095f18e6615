"""Configurations drawn and counted without training."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from occam.search.samplers.candidates import Configuration, Measured
from occam.search.samplers.pool import Draw, Pool
from occam.search.samplers.ranges import fits, from_unit, to_unit
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

DISTRIBUTIONS = [
    IntDistribution(1, 40),
    IntDistribution(2, 64, log=True),
    IntDistribution(3, 12, step=3),
    IntDistribution(5, 5),
    FloatDistribution(-1.0, 2.0),
    FloatDistribution(1e-4, 1e-1, log=True),
    CategoricalDistribution(["a", "b", "c"]),
    CategoricalDistribution([None]),
]


def measure(draw: Draw) -> int:
    """A network of one or two layers on 10 inputs; 13 units cannot be built."""
    units = draw.suggest_int("units", 1, 50, log=True)
    draw.suggest_float("rate", 1e-4, 1e-1, log=True)
    if units == 13:
        raise ValueError("thirteen")
    if draw.suggest_categorical("deep", [False, True]):
        second = draw.suggest_int("second", 1, 50)
        return 11 * units + (units + 1) * second
    return 11 * units


def pool(seed: int = 0, default: dict | None = None) -> Pool:
    return Pool(lambda draw: Measured(measure(draw)), seed, default)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
@given(unit=st.floats(-0.5, 1.5))
def test_every_point_of_the_unit_range_is_a_value_and_comes_back(distribution, unit):
    value = from_unit(distribution, unit)
    assert fits(distribution, value)
    assert from_unit(distribution, to_unit(distribution, value)) == pytest.approx(value)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS[:3], ids=str)
def test_each_whole_number_has_its_share(distribution):
    values = {from_unit(distribution, unit) for unit in np.linspace(0, 1, 2000)}
    assert values == set(range(distribution.low, distribution.high + 1, distribution.step))


def test_random_configurations_are_smaller_and_the_same_for_the_same_seed():
    small = pool().below(100, wanted=30, most=500)
    assert len(small) >= 30
    assert all(each.parameter_count < 100 for each in small)
    assert small == pool().below(100, wanted=30, most=500)
    assert small != pool(1).below(100, wanted=30, most=500)


def test_a_pool_that_grew_for_one_limit_serves_a_lower_one_as_a_fresh_pool_would():
    grown = pool()
    grown.below(math.inf, wanted=96, most=384)
    grown.below(300, wanted=30, most=1000)
    assert grown.below(60, wanted=40, most=1000) == pool().below(60, wanted=40, most=1000)


def test_a_pool_gives_up_where_there_is_nothing_so_small():
    assert pool().below(5, wanted=10, most=128) == []


def test_where_small_is_rare_most_are_drawn_from_the_lower_part_of_each_range():
    searching = Pool(lambda draw: Measured(draw.suggest_int("units", 1, 1000)), 0)
    assert len(searching.below(20, wanted=999, most=640)) > 30  # of every range whole, 12


def test_a_space_that_can_never_be_built_gives_no_configuration():
    def broken(draw: Draw) -> int:
        raise ValueError("never")

    assert Pool(broken, 0).below(100, wanted=10, most=128) == []
    assert Pool(broken, 0).path == []


def test_a_path_widens_the_default_and_changes_nothing_else():
    default = {"units": 8, "rate": 0.01, "deep": False}
    path = pool(default=default).path
    sizes = [each.parameter_count for each in path]
    assert sizes == sorted(set(sizes))
    assert (sizes[0], sizes[-1]) == (11, 550)
    assert default in [each.values for each in path]
    assert {(each.values["rate"], each.values["deep"]) for each in path} == {(0.01, False)}


def test_one_random_configuration_in_four_is_trained_like_the_default():
    default = {"units": 8, "rate": 0.01, "deep": False}
    drawn = pool(default=default).below(500, wanted=64, most=64)
    like = sum(each.values["rate"] == 0.01 for each in drawn)
    assert 0.15 * len(drawn) < like < 0.35 * len(drawn)
    assert len({each.values["deep"] for each in drawn if each.values["rate"] == 0.01}) == 2


def test_neighbours_have_exact_sizes_even_where_they_are_not_built():
    built = []

    def counted(draw: Draw) -> tuple[int, int]:
        built.append(draw)
        return Measured(measure(draw))

    searching = Pool(counted, 0)
    values = {"units": 8, "rate": 0.01, "deep": True, "second": 5}
    base = Configuration(*_drawn(values), Measured(133))
    neighbours = searching.around(base, 300, seed=0)
    for each in neighbours:
        values = each.values
        exact = 11 * values["units"]
        if values["deep"]:
            exact += (values["units"] + 1) * values["second"]
        assert each.parameter_count == exact
    assert len(built) < 200  # 242, were it not learned what moves no size
    assert neighbours == Pool(lambda draw: Measured(measure(draw)), 0).around(base, 300, seed=0)


@pytest.mark.parametrize("seed", range(3))
def test_neighbours_of_a_template_can_be_trained_with_it(seed):
    def counted(draw: Draw) -> Measured:
        return Measured(measure(draw), template=int(draw.values["deep"]))

    searching = Pool(counted, 0)
    base = searching.configuration({"units": 8, "rate": 0.01, "deep": True, "second": 5})
    found = searching.within(base, 32, seed)
    assert len({each.key for each in found}) == len(found) == 32
    assert all(each.values["deep"] for each in found)
    sizes = [each.parameter_count for each in found]
    assert min(sizes) < base.parameter_count < max(sizes)
    assert len({each.values["rate"] for each in found}) > 4


def test_what_has_nothing_to_change_in_its_template_has_no_neighbours_there():
    def counted(draw: Draw) -> Measured:
        return Measured(9, template=draw.suggest_int("layers", 1, 5))

    searching = Pool(counted, 0)
    assert searching.within(searching.configuration({"layers": 2}), 32, 0) == []


def _drawn(values: dict) -> tuple:
    draw = Draw(np.random.default_rng(0), values)
    measure(draw)
    return draw.values, draw.distributions


def test_a_small_space_is_not_drawn_again_and_again():
    built = []

    def counted(draw: Draw) -> Measured:
        built.append(draw.suggest_int("units", 1, 4))
        return Measured(built[-1])

    searching = Pool(counted, 0)
    drawn = searching.below(9, wanted=999, most=10_000)
    assert {each.parameter_count for each in drawn} == {1, 2, 3, 4}
    assert len(built) < 5 * 64
    assert searching.below(1, wanted=999, most=10_000) == []
    assert len(built) < 5 * 64
