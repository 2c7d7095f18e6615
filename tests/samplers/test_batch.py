"""What trials that are chosen together are worth beside each other."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from occam.search.samplers.batch import COMPANY, KNOWN, Batch
from occam.search.samplers.candidates import Configuration, Measured
from occam.search.samplers.history import History, Trained
from optuna.distributions import IntDistribution

RNG = np.random.default_rng


def line(size: int, *, template: int = 0, activations: int = 0) -> Configuration:
    measured = Measured(size, template, activations)
    return Configuration({"units": size}, {"units": IntDistribution(1, 4000)}, measured)


def batch(
    *candidates: Configuration, outcome=lambda size: 2.0, reached: int = 400, trained: int = 30
) -> Batch:
    """After trials of 30 to 410 parameters, of which one has reached; 0: none."""
    history = History(optuna.create_study(), 0, lambda score: score)
    history.trained = [
        Trained(
            SimpleNamespace(number=number),
            line(int(size)),
            int(size) == reached,
            outcome(size),
            1.0,
            10,
            False,
        )
        for number, size in enumerate([400, *np.linspace(30, 410, trained - 1)])
    ]
    made = Batch(1, history, seed=0)
    made.add(list(candidates))
    return made


def picked(made: Batch, mates: list[Configuration], seeds: int = 20) -> list[int]:
    """By seed, most often what is worth the most."""
    chosen = [made.pick(mates, set(), RNG(seed)) for seed in range(seeds)]
    return [each.parameter_count for each in chosen if each is not None]


def test_a_gain_is_what_is_left_of_it_when_the_mates_have_reached():
    candidates, mates = [line(100), line(140), line(390)], [line(300), line(150)]
    sure, hopeless = batch(*candidates), batch(*candidates, outcome=lambda size: -2.0)
    alone = [math.log(400 / size) for size in (100, 140, 390)]
    assert sure._gain([]) == pytest.approx(alone)
    assert hopeless._gain(mates) == pytest.approx(alone, abs=1e-3)
    left = [math.log(150 / 100), math.log(150 / 140), 0]
    assert sure._gain(mates) == pytest.approx(left, abs=1e-3)
    assert batch(*candidates[:2], reached=0)._gain([])[1] == pytest.approx(math.log(1.2))


def test_each_mate_of_a_size_leaves_half_to_others_of_that_size():
    made = batch(line(100), line(104), line(120))
    assert list(made._room([line(100)])) == [0.5, 0.5, 1]
    assert list(made._room([line(100), line(101), line(300)])) == [0.25, 0.25, 1]
    assert list(made._room([])) == [1, 1, 1]
    assert picked(batch(line(286), line(280)), [line(300)]).count(280) >= 15


def test_mates_share_a_template_while_that_costs_little_and_there_is_room():
    made = batch(line(100, template=1), line(200, template=2))
    one, two = line(50, template=1), line(60, template=2)
    nearly, far = np.array([0.4, 1.0]), np.array([0.2, 1.0])
    assert list(made._in_company(nearly, [two, one])) == [0.4, -math.inf]
    assert list(made._in_company(nearly, [one, two])) == [-math.inf, 1.0]
    assert list(made._in_company(nearly, [])) == list(nearly)
    assert list(made._in_company(far, [two, one])) == list(far)
    assert list(made._in_company(nearly, [one] * (COMPANY - 1))) == [0.4, -math.inf]
    assert list(made._in_company(nearly, [one] * COMPANY)) == list(nearly)


def test_what_is_hopeless_is_not_picked_however_much_it_would_gain():
    made = batch(line(31), line(350), outcome=lambda size: math.log(size / 300))
    assert picked(made, []).count(350) >= 15


def test_one_trial_in_ten_makes_the_level_set_clearer():
    slow, quick = line(210, activations=100_000), line(300, activations=1_000)
    made = batch(slow, quick, outcome=lambda size: math.log(size / 200))
    assert 4 <= picked(made, [], seeds=100).count(210) <= 18


def test_the_search_ends_where_nothing_is_likely_to_reach_any_more():
    candidates = [line(size) for size in (50, 100, 150)]

    def unlikely(size: float) -> float:
        return 0.1 if size >= 400 else -1.5

    assert picked(batch(*candidates, outcome=unlikely), []) == []
    assert picked(batch(*candidates, outcome=unlikely), [line(300)]), "it may reach"
    assert picked(batch(*candidates, outcome=unlikely, reached=0), [])
    assert picked(batch(*candidates, outcome=unlikely, trained=KNOWN - 1), [])
    assert picked(batch(*candidates), [])


def test_what_is_known_is_not_picked_again_and_nothing_is_judged_twice():
    made = batch(line(100), line(200))
    made.add([line(200), line(300)])
    assert [each.parameter_count for each in made.candidates] == [100, 200, 300]
    known = {line(100).key, line(300).key}
    assert {made.pick([], known, RNG(seed)).parameter_count for seed in range(20)} == {200}
    assert made.pick([], known | {line(200).key}, RNG(0)) is None
