"""Lanes spread over several devices are trained as on one."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

TRAINED = """
import sys
import keras, numpy as np
from occam.search.metrics import metric
from occam.search.stopping import Stops
from occam.search.training.population.cohort import Cohort, Lane
from occam.search.training.population.dataset import Dataset
from occam.search.training.population.lowering import lower
from occam.search.training.population.places import devices
from occam.search.training.population.program import Program
from occam.search.training.population.sizing import sized

x = np.random.default_rng(0).normal(size=(48, 5)).astype("float32")
y = (x.sum(axis=1) > 0).astype("int64")
members = []
for width in (3, 4, 6, 7, 8):
    layers = [keras.Input((5,)), keras.layers.Dense(width, "relu"), keras.layers.Dropout(0.2)]
    model = keras.Sequential([*layers, keras.layers.Dense(2, "softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    members.append(lower(model, 8))
stops = Stops(metric=metric("accuracy"), search_target=1.1, epochs=4)
widths, lanes = sized(members)
assert lanes == 8 and lanes % len(devices()) == 0
program = Program(members[0], widths, Dataset((x, y), x), lanes)
cohort = Cohort(program, y, metric("accuracy"))
for number, member in enumerate(members):
    cohort.add(Lane(number, member, number, 4, stops))
ended = []
while any(cohort.runs):
    ended += cohort.advance()
losses = np.array([lane.losses for lane in sorted(ended, key=lambda lane: lane.owner)])
np.savez(sys.argv[1], losses=losses, devices=len(devices()))
"""


@pytest.mark.slow
def test_members_on_two_devices_train_as_on_one(tmp_path):
    found = []
    for number in (1, 2):
        file = tmp_path / f"{number}.npz"
        environment = os.environ | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={number}"}
        environment.pop("JAX_NUM_CPU_DEVICES", None)
        subprocess.run([sys.executable, "-c", TRAINED, str(file)], env=environment, check=True)
        found.append(np.load(file))
    assert [int(each["devices"]) for each in found] == [1, 2]
    assert found[0]["losses"].shape == (5, 4)
    assert np.allclose(found[0]["losses"], found[1]["losses"], atol=1e-5)
