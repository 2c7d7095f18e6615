"""A convolution is the same by every method, and each device gets the one that suits it."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from occam.search.training.population import blocks, kernels, stem, transposed, windows


def shaped(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


@pytest.mark.parametrize("mode", ["same", "valid"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize("units", [1, windows.FEW + 1])
def test_a_convolution_is_that_of_the_library(
    mode, strides, dilation, rank, backend, units, monkeypatch
):
    x, kernel = shaped(3, *(9, 8)[:rank], 4), shaped(*(3, 2)[:rank], 3, units)
    options = (strides,) * rank, mode, (dilation,) * rank
    monkeypatch.setattr(jax, "default_backend", lambda: backend)

    def by(convolve):
        def size(x, kernel):
            return (convolve(x, kernel, *options) ** 2).sum()

        return jax.tree.leaves(jax.value_and_grad(size, argnums=(0, 1))(x, kernel))

    for one, other in zip(by(windows.convolve), by(of_the_library), strict=True):
        assert np.allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    mode=st.sampled_from(["same", "valid"]),
    rank=st.integers(1, 2),
    places=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    taps=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    strides=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_a_transposed_convolution_is_what_a_convolution_turns_around(
    mode, rank, places, taps, strides
):
    """Keras defines it so; its sizes are held against Keras where models are trained."""
    beyond = [
        max(tap - step, 0) * (mode == "valid") for tap, step in zip(taps, strides, strict=True)
    ]
    whole = [n * step + more for n, step, more in zip(places, strides, beyond, strict=True)][:rank]
    x, kernel = shaped(2, *places[:rank], 3), shaped(*taps[:rank], 4, 2)

    def convolved(y):
        return of_the_library(y, kernel, strides[:rank], mode, (1,) * rank)

    _, turned = jax.vjp(convolved, np.zeros((4, *whole, 3), "float32"))
    found = transposed.convolve_transposed(x, kernel, strides[:rank], mode)
    assert np.allclose(found, turned(x)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", ["same", "valid"])
@pytest.mark.parametrize(
    ("strides", "dilation", "length"), [(1, 1, 9), (1, 1, 40), (2, 1, 9), (1, 2, 9)]
)
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_a_depthwise_convolution_is_that_of_the_library(
    mode, strides, dilation, length, rank, backend, monkeypatch
):
    assert (length > windows.ADDED) == (length == 40)  # rows are added up in both ways
    x, kernel = shaped(3, *(length, 8)[:rank], 4), shaped(*(3, 2)[:rank], 3, 2)
    options = (strides,) * rank, mode, (dilation,) * rank
    monkeypatch.setattr(jax, "default_backend", lambda: backend)

    def of_each(x, kernel, *options):
        return of_the_library(x, kernel.reshape(*kernel.shape[:-2], 1, 6), *options, groups=3)

    def by(convolve):
        def size(x, kernel):
            return (convolve(x, kernel, *options) ** 2).sum()

        return jax.tree.leaves(jax.jit(jax.value_and_grad(size, argnums=(0, 1)))(x, kernel))

    for one, other in zip(by(windows.convolve_depthwise), by(of_each), strict=True):
        assert np.allclose(one, other, rtol=1e-4, atol=1e-4)


def of_the_library(x, kernel, strides, mode, dilation, groups=1):
    axes = "HW"[: x.ndim - 2]
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        strides,
        mode.upper(),
        rhs_dilation=dilation,
        dimension_numbers=(f"C{axes}N", f"{axes}IO", f"C{axes}N"),
        feature_group_count=groups,
    )


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a GPU does not work in blocks")
@pytest.mark.parametrize("mode", ["same", "valid"])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("places", [12, 96])
def test_a_convolution_in_blocks_is_the_same(mode, rank, places, monkeypatch):
    x, kernel = shaped(3, *(9, 8)[:rank], 4), shaped(*(3, 2)[:rank], 3, 5)

    def gradients():
        def size(x, kernel):
            return (windows.convolve(x, kernel, (1,) * rank, mode, (1,) * rank) ** 2).sum()

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


@pytest.mark.parametrize(
    ("backend", "units", "kernel", "way"),
    [
        ("cpu", False, (3, 3, 16, 16), "columns"),
        ("gpu", True, (3, 3, 1, 16), "columns"),
        ("gpu", False, (3, 3, 16, 16), "sums"),
        ("gpu", True, (3, 16, 16), "sums"),
        ("gpu", True, (3, 3, 32, 64), "sums"),
        ("gpu", True, (3, 3, 17, 50), "sums"),  # computed as 32 and 64
        ("gpu", True, (3, 3, 16, 64), "kernels"),
        ("gpu", True, (5, 3, 2, 32), "kernels"),
    ],
)
def test_each_device_gets_the_way_that_suits_it(backend, units, kernel, way, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(windows, "has_rounded_units", lambda: units)
    monkeypatch.setattr(windows, "tried", lambda: "kernels")
    used = []
    monkeypatch.setattr(
        windows, "WAYS", {name: lambda *given, n=name: used.append(n) for name in windows.WAYS}
    )
    space = len(kernel) - 2
    image = np.zeros((kernel[-2], *(9,) * space, 4))
    windows.convolve(image, np.zeros(kernel), (1,) * space, "same", (1,) * space)
    assert used == [way]


@pytest.mark.parametrize(
    ("backend", "units", "outputs", "way"),
    [
        ("cpu", True, 16, "columns"),
        ("gpu", False, 16, "columns"),
        ("gpu", True, 16, "kernels"),
        ("gpu", True, 80, "columns"),
    ],
)
def test_each_device_gets_the_first_layers_that_suit_it(backend, units, outputs, way, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    monkeypatch.setattr(windows, "has_rounded_units", lambda: units)
    monkeypatch.setattr(stem, "tried", lambda: "kernels")
    first = stem.Stem((), taps=(3, 3), added=((1, 1), (1, 1)), size=(2, 2))
    assert stem.best_way((4 * outputs, 16), first) == way


def test_kernels_and_who_chooses_them_agree_on_the_fewest_features():
    assert windows.LEAST == kernels.LEAST


@pytest.mark.slow
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a GPU can do both")
@pytest.mark.parametrize(("module", "way"), [(windows, "sums"), (stem, "columns")])
def test_a_device_that_cannot_run_kernels_has_the_usual_way(module, way):
    assert module.try_ways() == way


def gradients(function, *given):
    size = jax.vmap(jax.value_and_grad(lambda *each: (function(*each) ** 2).sum(), (0, 1)))
    return jax.tree.leaves(jax.jit(size)(*given))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["same", "valid"])
def test_kernels_for_a_gpu_compute_the_same_convolution(mode):
    x, kernel = shaped(2, 3, 6, 5, 20), shaped(2, 3, 2, 3, 5)
    added = windows.padding(mode, (6, 5), (3, 2), (1, 1), (1, 1))
    found = gradients(lambda x, kernel: kernels.convolve(x, kernel, added, True), x, kernel)
    usual = gradients(
        lambda x, kernel: windows.convolve(x, kernel, (1, 1), mode, (1, 1)), x, kernel
    )
    for one, other in zip(found, usual, strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_kernels_for_a_gpu_compute_the_same_first_layers(channels):
    first = stem.Stem((), taps=(3, 2), added=((0, 2), (0, 1)), size=(3, 2))
    x, kernel = shaped(2, channels, 6, 6, 16), shaped(2, 3, 2, channels, 12)

    def by_kernels(x, kernel):
        padded, shifted = windows.padded(x, first.added), stem._shifted(kernel, first.size)
        return kernels.pooled(padded, shifted, first.reach, first.size, True)

    def by_columns(x, kernel):
        return stem.by_columns(x, stem._shifted(kernel, first.size), first)

    found, usual = gradients(by_kernels, x, kernel), gradients(by_columns, x, kernel)
    for index in (0, 2):  # the data has no gradient
        assert np.allclose(found[index], usual[index], rtol=1e-5, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(
    jax.__version_info__ >= (0, 11) and jax.default_backend() == "cpu",
    reason="since 0.11 JAX lowers kernels where there is a GPU alone",
)
def test_kernels_for_a_gpu_are_compiled_as_far_as_can_be_seen_here():
    x, kernel = shaped(2, 3, 6, 6, 20), shaped(2, 3, 3, 3, 5)
    seen = shaped(2, 20, 48)

    def size(x, kernel, seen):
        y = kernels.convolve(x, kernel, ((1, 1), (1, 1)))
        return (y**2).sum() + (kernels.pooled(x, seen, (4, 4), (2, 2)) ** 2).sum()

    step = jax.jit(jax.vmap(jax.grad(size, (0, 1, 2)))).trace(x, kernel, seen)
    assert step.lower(lowering_platforms=("cuda",)).as_text().count("custom_call") >= 5
