"""Of several ways to compute the same the fastest is taken, and only of those that do."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from occam.search.training.population.trying import fastest, once

SHAPES = (64, 96), (96, 32)


def right(x, kernel):
    return jnp.matmul(x, kernel, precision="highest")


def slow(x, kernel):
    turned = jax.lax.fori_loop(0, 100 * len(x), lambda _, x: jnp.roll(x, 1, axis=0), x)
    return right(turned, kernel)


def impossible(x, kernel):
    raise ValueError("not on this device")


def rounded(x, kernel):
    return right(x.astype("bfloat16").astype("float32"), kernel)


def slightly_off(x, kernel):
    return right(x, kernel) * 1.00001


@jax.custom_vjp
def off_backwards(x, kernel):
    return right(x, kernel)


off_backwards.defvjp(
    lambda x, kernel: (right(x, kernel), (x, kernel)),
    lambda kept, gradient: tuple(map(jnp.zeros_like, kept)),
)


def test_the_fastest_of_ways_that_compute_the_same_is_taken():
    assert fastest({"slow": slow, "right": right}, *SHAPES) == "right"
    assert fastest({"right": right, "slow": slow}, *SHAPES) == "right"


@pytest.mark.parametrize("other", [impossible, rounded, slightly_off, off_backwards])
def test_a_way_that_fails_or_computes_something_else_is_none(other):
    assert fastest({"slow": slow, "other": other}, *SHAPES) == "slow"


def test_the_first_way_has_to_work():
    with pytest.raises(ValueError, match="not on this device"):
        fastest({"first": impossible, "right": right}, *SHAPES)


def test_ways_are_tried_beside_a_trace():
    @jax.jit
    def traced(x):
        assert fastest({"right": right}, *SHAPES) == "right"
        return x + 1

    assert traced(1.0) == 2


def test_ways_are_tried_once():
    asked = []
    ask = once(lambda: asked.append(1) or "way")
    assert (ask(), ask()) == ("way", "way")
    assert len(asked) == 1
