"""The values of a configuration against what a build reads: allowed, read, and still fitting."""

from __future__ import annotations

import keras_tuner
import numpy as np
import pytest
from keras_tuner.engine import hyperparameters as kinds
from occam.search.errors import InputError
from occam.search.models.configuration import (
    DefaultHyperParameters,
    GivenHyperParameters,
    allows,
    fits,
    read,
    register,
)


@pytest.mark.parametrize(
    ("hyperparameter", "allowed", "refused"),
    [
        (kinds.Int("x", 3, 9), (3, 9, np.int64(4)), (2, 10, 3.5, True, "3", None)),
        (kinds.Int("x", 2, 10, step=4), (2, 6, 10), (4, 14)),
        (kinds.Int("x", 2, 10, step=4, default=7), (7,), (8,)),
        (kinds.Int("x", 2, 32, step=2, sampling="log"), (2, 16), (1, 33)),
        (kinds.Float("x", 0.0, 0.5, step=0.1), (0.0, 0.3, 0.5), (0.25, 0.6)),
        (kinds.Float("x", 1e-3, 1.0, step=10, sampling="log"), (1e-3, 0.1), (0.05,)),
        (kinds.Float("x", 0.1, 10.0, step=10, sampling="reverse_log"), (10.0, 9.1), (1.0,)),
        (kinds.Float("x", -1.0, 1.0), (-1, 0.123, np.float32(0.5)), (1.1, float("nan"))),
        (kinds.Choice("x", ["a", "b"]), ("a",), ("c", 1)),
        (kinds.Choice("x", [16, 32]), (16,), (24,)),
        (kinds.Boolean("x"), (True, False), ("yes",)),
        (kinds.Fixed("x", 7), (7,), (8,)),
    ],
)
def test_a_hyperparameter_takes_its_own_values_and_no_others(hyperparameter, allowed, refused):
    assert all(allows(hyperparameter, value) for value in allowed)
    assert not any(allows(hyperparameter, value) for value in refused)


def space(hp) -> int:
    kind = hp.Choice("kind", ["a", "b"])
    with hp.conditional_scope("kind", ["a"]):
        if kind == "a":
            return hp.Int("size", 1, 5)
    with hp.conditional_scope("kind", ["b"]):
        return hp.Int("size", 10, 50)


def test_what_was_given_is_read_and_nothing_else_is_recorded():
    hp = GivenHyperParameters({"kind": "b", "size": np.int64(20), "other": 3})
    assert space(hp) == 20
    assert read(hp) == {"kind": "b", "size": 20}
    assert type(read(hp)["size"]) is int


def test_a_value_that_the_range_of_now_does_not_allow_becomes_the_default():
    hp = GivenHyperParameters({"kind": "a", "size": 20})
    assert space(hp) == 1
    assert read(hp) == {"kind": "a", "size": 1}


@pytest.mark.parametrize(
    ("values", "fitting"),
    [
        ({"kind": "a", "size": 3}, True),
        ({"kind": "a", "size": 30}, False),
        ({"kind": "a"}, False),
        ({"kind": "a", "size": 3, "more": 1}, False),
        ({"kind": "c", "size": 3}, False),
    ],
)
def test_a_configuration_fits_where_just_its_values_were_read(values, fitting):
    hp = GivenHyperParameters(values)
    space(hp)
    assert fits(hp, values) is fitting


def test_hyperparameters_that_no_build_reads_are_registered_where_they_are_active():
    declared = keras_tuner.HyperParameters()
    declared.Choice("kind", ["a", "b"])
    declared.Int("batch", 1, 9, parent_name="kind", parent_values=["b"])
    for kind, expected in (("a", {"kind": "a"}), ("b", {"kind": "b", "batch": 1})):
        hp = GivenHyperParameters({"kind": kind})
        register(hp, declared.space)
        assert read(hp) == expected


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (kinds.Int("u", 2, 8), kinds.Int("u", 4, 64), "as Int 2 to 8 and as Int 4 to 64"),
        (kinds.Int("u", 2, 8), kinds.Float("u", 2, 8), "as Int 2 to 8 and as Float 2.0 to 8.0"),
        (kinds.Boolean("u"), kinds.Fixed("u", 3), "as Boolean and as Fixed 3"),
        (kinds.Fixed("u", "a"), kinds.Choice("u", ["b", "a"]), "as Fixed 'a' and as Choice of 'a'"),
    ],
)
def test_a_name_for_two_things_is_noted_in_the_first_build(first, second, said):
    hp = DefaultHyperParameters()
    register(hp, [first, second, second])
    assert list(hp.twice) == ["u"]
    assert hp.twice["u"].startswith(f"Hyperparameter 'u' is asked for twice, {said}")
    assert hp.twice["u"].endswith(": the first counts.")
    assert read(hp) == {"u": first.default}


def test_text_for_a_number_is_refused_in_the_first_build():
    number, text = kinds.Int("u", 2, 8), kinds.Choice("u", ["b", "a"])
    for first, second in ((number, text), (text, number)):
        with pytest.raises(InputError, match="Hyperparameter 'u' is asked for twice, as") as error:
            register(DefaultHyperParameters(), [first, second])
        assert str(error.value).endswith(": give each its own name.")
        register(GivenHyperParameters({}), [first, second])


def test_the_same_again_or_under_another_condition_is_one_thing():
    hp = DefaultHyperParameters()
    assert space(hp) == 1
    hp.Choice("kind", ["b", "a"])
    assert [hp.Float("rate", 0.0, 1.0, default=each) for each in (0.5, 0.1)] == [0.5, 0.5]
    with hp.conditional_scope("kind", ["b"]):
        assert hp.Int("size", 10, 50) is None
        assert hp.Int("rate", 1, 2) is None
    assert not hp.twice
