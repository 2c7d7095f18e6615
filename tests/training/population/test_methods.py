"""A convolution is the same by columns and by XLA's own, and the faster of them is chosen."""

from __future__ import annotations

import jax
import keras
import numpy as np
import pytest
from occam.search.training.population import blocks, methods
from occam.search.training.population.layout import Layout, padded_widths
from occam.search.training.population.lowering import lower
from occam.search.training.population.windows import METHODS


def shaped(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize("mode", ["same", "valid"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("rank", [1, 2])
def test_both_methods_give_the_same_values_and_gradients(mode, strides, dilation, rank):
    x, kernel = shaped(3, *(9, 8)[:rank], 4), shaped(*(3, 2)[:rank], 3, 5)
    options = (strides,) * rank, mode, (dilation,) * rank

    def by(name):
        def size(x, kernel):
            return (METHODS[name](x, kernel, *options) ** 2).sum()

        return jax.tree.leaves(jax.value_and_grad(size, argnums=(0, 1))(x, kernel))

    for one, other in zip(by("columns"), by("library"), strict=True):
        assert np.allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["same", "valid"])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("places", [12, 96])
def test_a_convolution_in_blocks_is_the_same(mode, rank, places, monkeypatch):
    x, kernel = shaped(3, *(9, 8)[:rank], 4), shaped(*(3, 2)[:rank], 3, 5)

    def gradients():
        def size(x, kernel):
            return (METHODS["columns"](x, kernel, (1,) * rank, mode, (1,) * rank) ** 2).sum()

        return jax.tree.leaves(jax.jit(jax.value_and_grad(size, argnums=(0, 1)))(x, kernel))

    whole = gradients()
    loops = []
    loop = jax.lax.fori_loop
    monkeypatch.setattr(jax.lax, "fori_loop", lambda *args: loops.append(args[1]) or loop(*args))
    monkeypatch.setattr(blocks, "LARGE", 1)
    monkeypatch.setattr(blocks, "FEWEST", 1)
    monkeypatch.setattr(blocks, "PLACES", places)
    for one, other in zip(gradients(), whole, strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-5)
    assert len(loops) == (0 if places == 96 and rank == 1 else 2)


def test_blocks_are_of_one_size_and_not_too_small():
    assert blocks._at_a_time(14, 1792) == 2
    assert blocks._at_a_time(13, 1664) == 1
    assert blocks._at_a_time(127, 32) == 127
    assert blocks._at_a_time(28, 2**13) == 1


def test_the_faster_method_is_chosen():
    assert methods.fastest({"columns": 0.2, "library": 0.1}) == "library"
    assert methods.fastest({"columns": 0.1, "library": 0.2}) == "columns"


def member():
    layers = [keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(2, "softmax")])
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    return lower(model, 4)


def test_nothing_is_measured_on_a_processor(monkeypatch):
    monkeypatch.setattr(methods, "seconds", None)
    one = member()
    assert methods.methods(one, Layout.of(one, padded_widths([one])), 2) == {}


def test_elsewhere_each_convolution_gets_what_measured_faster(monkeypatch):
    monkeypatch.setattr(methods.jax, "default_backend", lambda: "gpu")
    one = member()
    chosen = methods.methods(one, Layout.of(one, padded_widths([one])), 2)
    assert list(chosen) == [0]
    assert chosen[0] in METHODS
