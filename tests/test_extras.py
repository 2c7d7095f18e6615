"""What is missing is installed by its own name, into the Python that lacks it."""

from __future__ import annotations

import shlex
import sys

import pytest
from occam.search.extras import installation
from packaging.requirements import Requirement


@pytest.mark.parametrize(
    ("extra", "first"), [("jax", "jax"), ("torch", "torch"), ("ray", "ray"), ("onnx", "onnx")]
)
def test_the_command_names_the_packages_and_this_python(extra, first):
    python, *rest = shlex.split(installation(extra))
    assert python == sys.executable
    assert rest[:3] == ["-m", "pip", "install"]
    packages = [Requirement(each) for each in rest[3:]]
    assert packages[0].name == first
    assert all(each.specifier and each.name != "occam" for each in packages)


def test_what_all_need_is_left_out_and_what_this_machine_takes_is_chosen():
    assert len(shlex.split(installation("tensorflow"))) == 5
    assert "psycopg[binary]>=" in installation("postgresql")
