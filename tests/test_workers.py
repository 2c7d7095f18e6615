"""Worker processes, really spawned and really killed; what they train is nothing."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from doing import Doing, trial
from occam.search import devices
from occam.search.errors import InputError, OccamError
from occam.search.executors.processes import Processes
from occam.search.trials import FinishedTrial, Trial, TrialState
from occam.search.workers import Pool

IMPORTS = """from doing import Doing, trial
from occam.search.executors.processes import Processes
from occam.search.workers import Pool
"""
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


@pytest.fixture
def pool() -> Iterator[Callable[..., Pool]]:
    """Makes pools of workers that do what they are told; they end with the test."""
    with ExitStack() as stack:

        def make(workers: int = 1, *, recipe: Doing | None = None, **options: object) -> Pool:
            environments = devices.environments(workers, options.pop("gpus", ()))
            made = Pool(Processes(recipe or Doing(), environments), workers, **options)
            stack.callback(made.shutdown)
            return made

        yield make


def run(pool: Pool, *trials: Trial) -> list[FinishedTrial]:
    """What becomes of these trials, in the order of their numbers."""
    running = [pool.submit(each) for each in trials]
    while any(not future.done() for future in running):
        pool.wait([future for future in running if not future.done()])
    return [future.result() for future in running]


def said(finished: FinishedTrial) -> dict[str, str]:
    return ast.literal_eval(finished.reason)


EIGHT = [trial(number) for number in range(8)]


def pids(pool: Pool, workers: int) -> set[str]:
    """The processes of a pool, once all of them have come to work."""
    found: set[str] = set()
    while len(found) < workers:
        found = {said(each)["pid"] for each in run(pool, *EIGHT)}
    return found


def test_a_worker_stays_and_the_death_of_one_costs_its_own_trial_alone(pool):
    two = pool(2, trials=10**6)  # one may train many while the other one starts
    first = pids(two, 2)
    ended = run(two, trial(6, "die"), trial(7), trial(8), trial(9))
    assert [each.state for each in ended] == [TrialState.FAIL] + 3 * [TrialState.COMPLETE]
    assert ended[0].error == (
        "the worker process died: signal 9 (SIGKILL), as the system does when memory runs out"
    )
    assert len(pids(two, 2) & first) == 1
    assert run(two, trial(16, "crash"))[0].error == "the worker process died: signal 6 (SIGABRT)"


def test_a_trial_that_hangs_is_ended_and_the_search_goes_on(pool):
    one = pool(1, timeout=1.0)
    run(one, trial(0))
    began = time.monotonic()
    ended = run(one, trial(1, "hang"), trial(2))
    assert ended[0].error == "it took longer than --trial-timeout 1 s"
    assert 1 <= ended[0].seconds < 30
    assert ended[1].state is TrialState.COMPLETE
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("does", "options"),
    [
        ("train", {"trials": 1}),
        pytest.param("grow", {"growth": 2**26}, marks=linux),
        ("memory", {}),
    ],
)
def test_a_worker_is_replaced_when_it_is_worn(pool, does, options):
    one = pool(1, **options)
    [before] = run(one, trial(0)) if does != "train" else [None]
    worn, after = run(one, trial(1, does), trial(2))
    earlier = worn if does == "train" else before
    assert said(earlier)["pid"] != said(after)["pid"]
    assert worn.state is (TrialState.FAIL if does == "memory" else TrialState.COMPLETE)


def test_workers_that_cannot_start_end_the_search_with_the_reason(pool):
    with pytest.raises(OccamError, match="Workers cannot start: ValueError: no such file"):
        run(pool(2, recipe=Doing(broken="no such file")), trial(0))
    with pytest.raises(OccamError, match="3 in a row: .*SIGKILL.* Give fewer --workers"):
        run(pool(1, recipe=Doing(broken="die")), trial(0))


def test_each_worker_sees_its_gpu_and_its_cores(pool, monkeypatch):
    monkeypatch.setattr(devices, "cores", lambda: 8)
    four = pool(4, gpus=("0", "GPU-beef"))
    seen: dict[str, dict[str, str]] = {}
    while len(seen) < 4:  # one that is slow may find that the others have taken all trials
        seen |= {each["pid"]: each for each in map(said, run(four, *EIGHT))}
    assert sorted(each["CUDA_VISIBLE_DEVICES"] for each in seen.values()) == [
        *("0", "0", "GPU-beef", "GPU-beef")
    ]
    for each in seen.values():
        assert each["XLA_PYTHON_CLIENT_MEM_FRACTION"] == each["OCCAM_GPU_SHARE"] == "0.450"
        assert each["TF_NUM_INTRAOP_THREADS"] == each["OMP_NUM_THREADS"] == each["NPROC"] == "2"


def test_a_batch_is_trained_by_one_worker(pool):
    two = pool(2, batch=3)
    assert (two.size, two.batch) == (6, 3)
    pids = [said(each)["pid"] for each in run(two, *map(trial, range(6)))]
    assert len(set(pids[:3])) == len(set(pids[3:])) == 1


def test_a_worker_does_not_run_the_script_that_started_it(tmp_path):
    code = IMPORTS + (
        "print('once', flush=True)\n"
        "pool = Pool(Processes(Doing(), [{}]), 1)\n"
        "[future] = pool.wait([pool.submit(trial(0))])\n"
        "print(future.result().state.name, flush=True)\n"
        "pool.shutdown()\n"
    )
    (tmp_path / "script.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    script = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(script, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.split() == ["once", "COMPLETE"], done.stderr


@linux
def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    code = IMPORTS + (
        "if __name__ == '__main__':\n"
        "    pool = Pool(Processes(Doing(), [{}]), 1)\n"
        "    [f] = pool.wait([pool.submit(trial(0))])\n"
        "    print(f.result().reason, flush=True)\n"
        "    pool.wait([pool.submit(trial(1, 'hang'))])\n"
    )
    (tmp_path / "parent.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    worker = int(ast.literal_eval(parent.stdout.readline())["pid"])
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{worker}").exists()


@pytest.mark.parametrize(
    ("gpus", "environment", "expected"),
    [
        ("none", "0,1", []),
        ("0,1", None, ["0", "1"]),
        ("all", "1,3", ["1", "3"]),
        ("all", "GPU-beef", ["GPU-beef"]),
        ("all", "", []),
        ("all", "-1", []),
    ],
)
def test_the_gpus_that_are_visible(monkeypatch, gpus, environment, expected):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if environment is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", environment)
    assert devices.visible_gpus(gpus) == expected


def test_all_gpus_are_those_that_the_driver_lists(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: H200 (UUID: a)'\necho 'GPU 1: H200 (UUID: b)'\n")
    tool.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert devices.visible_gpus("all") == ["0", "1"]
    devices.check_installed("0,1")
    with pytest.raises(InputError, match="--gpus 1,2: nvidia-smi lists 2 GPUs here. Give numbers"):
        devices.check_installed("1,2")
    with pytest.raises(InputError, match="--gpus 1,1 names a GPU twice"):
        devices.check_installed("1,1")


@pytest.mark.parametrize(
    ("wanted", "gpus", "each", "expected"),
    [(None, [], None, 1), (3, ["0"], None, 3), (None, ["0", "1"], 2, 4), (3, ["0", "1"], 2, 3)],
)
def test_workers_are_as_many_as_asked_for_or_as_there_are_places(wanted, gpus, each, expected):
    assert devices.workers(wanted, gpus, each) == expected


def test_workers_that_do_not_fit_on_the_gpus_are_refused():
    with pytest.raises(InputError, match="--workers 5 do not fit on 2 GPU.* give at most 4"):
        devices.workers(5, ["0", "1"], 2)
    with pytest.raises(InputError, match="--trials-per-gpu 2 needs a GPU, and none is visible"):
        devices.workers(None, [], 2)


def test_a_gpu_is_shared_by_as_many_as_are_on_it():
    assert devices.share(4, ["0", "1"], None) == 0.5
    assert devices.share(2, ["0", "1"], None) == 1
    assert devices.share(1, ["0"], 4) == 0.25
    assert devices.share(4, [], None) == 0


def test_the_epochs_of_a_trial_that_was_ended_are_counted(pool):
    one = pool(1, timeout=2.0)
    run(one, trial(0))
    ended = run(one, trial(1, "epoch epoch epoch hang"))
    assert ended[0].error == "it took longer than --trial-timeout 2 s"
    assert ended[0].epochs == 3
