"""Other structures of a size: one choice changed, and as wide as fits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from occam.search.samplers.candidates import Configuration, Measured
from occam.search.samplers.pool import Draw, Pool
from occam.search.samplers.variants import variants


def measure(draw: Draw) -> Measured:
    """One to three layers on ten inputs, plain or with a bias and a scale; 1 to 40 units each."""
    before, size = 10, 0
    draw.suggest_float("rate", 1e-3, 1e-1, log=True)
    if draw.suggest_categorical("optimizer", ["adam", "sgd"]) == "sgd":
        draw.suggest_float("momentum", 0, 1)
    scaled = draw.suggest_categorical("scaled", [False, True])
    for layer in range(draw.suggest_int("layers", 1, 3)):
        units = draw.suggest_int(f"units_{layer}", 1, 40, log=True)
        size += before * units + (2 * units if scaled else 0)
        before = units
    return Measured(size)


def model(layers: int, **values) -> tuple[Pool, Configuration]:
    pool = Pool(measure, 0)
    units = {f"units_{layer}": 20 for layer in range(layers)}
    given = {"rate": 0.01, "optimizer": "adam", "scaled": False, "layers": layers}
    base = pool.configuration({**given, **units, **values})
    assert base is not None
    return pool, base


def test_each_differs_by_one_choice_or_in_depth():
    pool, base = model(2)
    found = variants(pool, base, 400)
    changes = [(each.values["scaled"], each.values["layers"]) for each in found]
    assert sorted(changes) == [(False, 1), (False, 3), (True, 2)]
    assert {each.values["optimizer"] for each in found} == {"adam"}, "that is a recipe"
    assert {each.values["rate"] for each in found} == {0.01}
    assert len({each.structure for each in [base, *found]}) == 4


def test_only_numbers_may_differ_within_a_structure():
    _, base = model(2)
    _, other = model(2, units_1=3, rate=0.1)
    _, deeper = model(3)
    assert base.structure == other.structure != deeper.structure


def test_what_does_not_fit_at_its_narrowest_is_none():
    pool, base = model(1)
    assert [each.values["layers"] for each in variants(pool, base, 11.5)] == [2]
    assert variants(pool, base, 5) == []


@given(limit=st.integers(60, 1200), layers=st.integers(1, 3))
def test_they_are_as_wide_as_fits(limit, layers):
    pool, base = model(layers)
    for each in variants(pool, base, limit):
        assert each.parameter_count <= limit
        wider = pool.scaled(each, 1.1)
        widest = all(each.values[name] == 40 for name in each.values if name.startswith("units"))
        assert widest or wider is None or wider.parameter_count >= 0.9 * limit


def test_the_same_comes_again():
    first, second = (variants(*model(2), 300) for _ in range(2))
    assert [each.key for each in first] == [each.key for each in second]
