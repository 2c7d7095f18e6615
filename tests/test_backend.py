"""A backend is chosen before Keras is imported, or refused with what to do."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys

import keras
import pytest
from occam.search.backend import use_backend
from occam.search.errors import InputError
from occam.search.options import BACKENDS
from tasks import blobs


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-c", "from occam.search.backend import *\n" + code]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True)


def test_the_environment_says_backend_devices_and_quiet_logs():
    done = run(
        "import os, sys; use_backend('tensorflow', gpus='0,2')\n"
        "print([os.environ[name] for name in ('KERAS_BACKEND', 'CUDA_VISIBLE_DEVICES', "
        "'TF_CPP_MIN_LOG_LEVEL', 'TF_FORCE_GPU_ALLOW_GROWTH')])\n"
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )
    assert done.stdout.splitlines() == ["['tensorflow', '0,2', '3', 'true']", "set()"]


def test_no_gpus_means_none_and_what_the_user_set_stays():
    done = run(
        "import os; use_backend('tensorflow', gpus='none')\n"
        "print(repr(os.environ['CUDA_VISIBLE_DEVICES']), os.environ['TF_CPP_MIN_LOG_LEVEL'])",
        TF_CPP_MIN_LOG_LEVEL="0",
    )
    assert done.stdout.split() == ["''", "0"]


@pytest.mark.skipif(os.cpu_count() == 1, reason="there are no fewer cores than one")
def test_libraries_take_the_cores_that_there_are_to_use():
    done = run(
        "import os, numpy, threadpoolctl; use_backend('tensorflow')\n"
        "print({os.environ[name] for name in ('TF_NUM_INTRAOP_THREADS', 'JAX_NUM_CPU_DEVICES')})\n"
        "print({each['num_threads'] for each in threadpoolctl.threadpool_info()})",
        LOKY_MAX_CPU_COUNT="1",  # as where a container has one of the machine's cores
    )
    assert done.stdout.split() == ["{'1'}", "{1}"]


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed")
def test_jax_keeps_what_it_compiled_in_the_users_cache_folder(tmp_path):
    done = run(
        "import os; use_backend('jax'); print(os.environ['JAX_COMPILATION_CACHE_DIR'])",
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert done.stdout.strip() == str(tmp_path / "occam" / "xla")


def test_jax_keeps_nothing_where_nothing_can_be_kept(tmp_path):
    (tmp_path / "file").touch()
    done = run(
        "import os; use_backend('jax'); print('JAX_COMPILATION_CACHE_DIR' in os.environ)",
        XDG_CACHE_HOME=str(tmp_path / "file"),
    )
    assert done.stdout.strip() == "False"


def test_an_unknown_backend_is_refused_with_the_known_ones():
    known = "from --backend or KERAS_BACKEND. Available backends: tensorflow"
    with pytest.raises(InputError, match=f"Unknown backend 'theano', {known}"):
        use_backend("theano")


def test_a_missing_backend_is_refused_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    known = rf"'jax' is not installed: {re.escape(sys.executable)} -m pip install 'jax>="
    with pytest.raises(InputError, match=known):
        use_backend("jax")


def test_keras_cannot_change_its_backend_once_imported():
    other = next(name for name in BACKENDS if name != keras.config.backend())
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    with pytest.raises(InputError, match="Keras already runs on .* Start a new process"):
        use_backend(other)


@pytest.mark.parametrize("gpus", ["", "some", "0;1", "-1"])
def test_gpus_that_make_no_sense_are_refused(gpus):
    with pytest.raises(InputError, match="give all, none, or device numbers such as 0,1"):
        use_backend(keras.config.backend(), gpus=gpus)


@pytest.mark.slow
def test_keras_starts_without_a_word():
    done = run("use_backend('tensorflow'); import_keras(); import keras; print(keras.__name__)")
    assert (done.stdout.strip(), done.stderr) == ("keras", "")


@pytest.mark.slow
def test_what_a_failing_start_has_written_is_shown():
    done = run("os.environ['KERAS_BACKEND'] = 'nothing'; import_keras()")
    assert done.returncode != 0
    assert "nothing" in done.stderr


SERVED = """
import json, sys, mlflow, numpy as np
summary = json.load(open("result.json"))
mlflow.set_tracking_uri("sqlite:///mlruns/mlflow.db")
model = mlflow.pyfunc.load_model(summary["selected"]["model_uri"])
predicted = [model.predict(np.zeros((rows, 4)))["probability_1"] for rows in (1, 3)]
assert np.allclose(predicted[0][0], predicted[1], atol=1e-6)
print(sys.modules["keras"].backend.backend(), len(predicted[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_search_ends_on_another_backend_with_a_model_that_is_served_there(backend, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    last = "    model.add(keras.layers.Dense(2"
    task = blobs(tmp_path, (last, f"    model.add(keras.layers.Dropout(0.1))\n{last}"))
    command = [sys.executable, "-m", "occam.search.cli", "search", task]
    options = ["--target", "0.8", "--trials", "4", "--json", "result.json", "--quiet"]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    run = {"env": kept, "cwd": tmp_path, "capture_output": True, "text": True}
    done = subprocess.run([*command, "--backend", backend, *options], **run)
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads((tmp_path / "result.json").read_text())
    together = importlib.util.find_spec("jax") is not None  # whatever backend builds the models
    assert summary["trainer"] == ("population" if together else "fit")
    served = subprocess.run([sys.executable, "-c", SERVED], **run)
    assert served.stdout.split() == [backend, "3"], served.stderr
