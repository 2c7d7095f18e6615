"""Workers on a real local Ray cluster; what they train is nothing."""

from __future__ import annotations

import ast
import importlib.util
import os
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest
from doing import Doing, trial
from occam.search.errors import InputError, OccamError
from occam.search.executors.ray_actors import Actors, _check, check_cluster
from occam.search.trials import TrialState
from occam.search.workers import Pool

LOOPBACK = ("0100007F", "0" * 24 + "01000000")  # 127.0.0.1, also as IPv6, and ::1

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray leaves sockets and deprecations behind
]


def listening() -> list[str]:
    """Addresses on which Ray's processes, and this one, take connections; hexadecimal."""
    sockets = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            line = (link.parents[1] / "cmdline").read_text()
            if "ray" in line and "session_" in line or "ray::" in line:
                sockets.add(str(link.readlink()).removeprefix("socket:[").rstrip("]"))
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, _, state, *_, inode = line.split()[:10]
            if state == "0A" and inode in sockets:
                found.append(local.partition(":")[0])
    return found


def test_trials_run_on_a_local_cluster_and_survive_the_death_of_an_actor(tmp_path, monkeypatch):
    """All in one test: a cluster takes several seconds to start."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))  # doing.py, for the actors
    actors = Actors(Doing(models=tmp_path / "models"), 2)
    pool = Pool(actors, 2, timeout=5.0)
    import ray  # later than Actors, which chooses its addresses by the environment

    try:
        assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
        assert not [address for address in listening() if not address.endswith(LOOPBACK)]
        running = [pool.submit(trial(number)) for number in range(4)]
        while not all(future.done() for future in running):
            pool.wait([future for future in running if not future.done()])
        pids = {ast.literal_eval(future.result().reason)["pid"] for future in running}
        hanging = pool.submit(trial(4, "hang"))
        reached = pool.submit(trial(5, "reach"))
        [ended] = pool.wait([reached])
        assert Path(ended.result().model_path) == tmp_path / "models" / "trial-5.keras"
        assert Path(ended.result().model_path).read_bytes() == b"a model"
        [ended] = pool.wait([hanging])
        assert ended.result().error == "it took longer than --trial-timeout 5 s"
        [ended] = pool.wait([pool.submit(trial(6, "die"))])
        assert ended.result().state is TrialState.FAIL
        assert ended.result().error.startswith("the worker process died: ")
        with pytest.raises(OccamError, match="A worker on Ray failed: .*no disk") as caught:
            pool.wait([pool.submit(trial(8, "break"))])
        assert not isinstance(caught.value, InputError)
        [ended] = pool.wait([pool.submit(trial(7))])
        assert ended.result().state is TrialState.COMPLETE
        assert len(pids) <= 2
        assert os.getpid() not in pids
    finally:
        pool.shutdown()


@pytest.mark.parametrize(
    ("workers", "gpu", "refused"),
    [
        (2, 1.0, "--workers 2 need 2 GPUs of the Ray cluster, which has 0.5: start its nodes"),
        (5, 0.1, "--workers 5 need 5 CPUs of the Ray cluster, which has 4"),
        (4, 0.125, ""),
    ],
)
def test_what_ray_would_wait_for_in_vain_is_refused(workers, gpu, refused):
    with pytest.raises(InputError, match=refused) if refused else nullcontext():
        _check({"CPU": 4.0, "GPU": 0.5}, workers, gpu)


def test_a_cluster_that_is_not_there_is_said_in_one_line(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "nonsense://x")
    with pytest.raises(InputError, match="Ray cannot be reached at nonsense.* Check RAY_ADDRESS"):
        Actors(Doing(), 1)


def test_a_cluster_that_is_not_there_is_refused_at_once(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(InputError, match="Ray cannot be reached at 127.0.0.1:1: .*refused"):
        check_cluster(2)
