"""A real PostgreSQL for the tests that need one, started by them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "nobody"  # PostgreSQL refuses to run as root


def missing() -> str:
    """Why there can be no PostgreSQL here; empty where there can."""
    if _programs() is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    if os.getuid() == 0 and shutil.which("runuser") is None:
        return "PostgreSQL cannot run as root"
    return ""


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server of its own in this folder; the URL of an empty database."""
    programs, data = _programs(), folder / "data"
    if programs is None:
        raise RuntimeError(missing())
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    if os.getuid() == 0:
        shutil.chown(folder, USER)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    _run(programs / "initdb", "-D", data, "-U", "occam", "--auth=trust", "--no-sync", cwd=folder)
    control = (programs / "pg_ctl", "-D", data, "-w")
    _run(*control, "-o", options, "-l", folder / "log", "start", cwd=folder)
    try:
        yield f"postgresql://occam:secret@127.0.0.1:{port}/postgres"
    finally:
        _run(*control, "-m", "immediate", "stop", cwd=folder)


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


def _run(*command: object, cwd: Path) -> None:
    words = [str(each) for each in command]
    if os.getuid() == 0:
        words = ["runuser", "-u", USER, "--", *words]
    subprocess.run(words, check=True, cwd=cwd, stdout=subprocess.DEVNULL)
