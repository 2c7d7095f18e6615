"""Of several ways to compute the same the fastest is taken, and only of those that do."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from occam.search.training.population import stem, trying, windows
from occam.search.training.population.trying import fastest, try_all

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


MODULES = {
    "good": "def try_ways():\n    return 'kernels'\n",
    "breaks": "import os\ndef try_ways():\n    os.abort()\n",
    "fails": "def try_ways():\n    raise ValueError\n",
    "hangs": "import time\ndef try_ways():\n    time.sleep(600)\n",
}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for name, code in MODULES.items():
        (tmp_path / f"{name}_here.py").write_text(code)


@pytest.mark.slow
@pytest.mark.parametrize("then", ["breaks", "fails", "hangs"])
def test_what_breaks_another_process_breaks_nothing_here(modules, monkeypatch, then):
    monkeypatch.setattr(trying, "SECONDS", 8)
    assert try_all(["good_here", f"{then}_here", "good_here"]) == {"good_here": "kernels"}


@pytest.mark.slow
@pytest.mark.skipif(jax.default_backend() != "cpu", reason="a GPU may run kernels")
def test_another_process_is_asked_once_also_beside_a_trace(monkeypatch):
    asked = []
    real = trying.try_all
    monkeypatch.setattr(trying, "try_all", lambda modules: asked.append(modules) or real(modules))
    trying._found.cache_clear()

    @jax.jit
    def traced(x):
        assert windows.tried() == "sums"  # on a processor, which runs no kernels
        return x + 1

    assert traced(1.0) == 2
    assert stem.tried() == "columns"
    assert len(asked) == 1
