"""Opens MLflow's pages on the newest search: which model won, and by how much."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import webbrowser

from ..errors import InputError, OccamError
from ..report import description
from ..runs.searches import newest_search
from ..runs.store import connect, reaching

HOST = "127.0.0.1"
REVIEW = "OCCAM_REVIEW"  # environment variable: the path of the pages that `/review` opens
SECONDS_TO_START = 120  # MLflow's server needs about 10 on an idle machine


def review(uri: str, port: int) -> None:
    """Serve MLflow's pages until interrupted, and print the address that shows the newest search.

    A store that is itself a server serves its own pages: only the address is printed.
    """
    path = review_path(uri)
    if uri.startswith(("http://", "https://")):
        print(f"Review the newest search at {uri.rstrip('/')}{path}")
        return
    check_free(port, "occam ui --port 5001")
    address = f"http://{HOST}:{port}"
    print(f"Starting MLflow at {address} ...", flush=True)
    server = subprocess.Popen(_command(port), env=_environment(uri, path))
    previous = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        _wait(server, address)
        print(f"Review the newest search at {address}/review\nStop with Ctrl-C.", flush=True)
        _open(f"{address}/review")
        server.wait()
    except KeyboardInterrupt:
        print()
    finally:
        server.terminate()
        server.wait()
        signal.signal(signal.SIGTERM, previous)


def review_path(uri: str) -> str:
    """Below the server's address: the table of the newest search's winners, or all experiments."""
    client = connect(uri)
    with reaching(uri):
        run = newest_search(client)
    return "/" if run is None else description.view_path(run.info.experiment_id)


def check_free(port: int, other: str) -> None:
    """Refuse a port that is in use, or that there is not.

    Args:
        other: the command that takes another port.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "there is no such port"
            raise InputError(
                f"Port {port} cannot be used: {reason}. Give another: `{other}`."
            ) from error


def _command(port: int) -> list[str]:
    """Without the store's address, which may hold a password: commands are seen by all users."""
    command = [sys.executable, "-m", "mlflow", "server"]
    command += ["--host", HOST, "--port", str(port), "--workers", "1", "--app-name", "occam"]
    return [*command, "--uvicorn-opts", "--log-level warning"]


def _environment(uri: str, path: str) -> dict[str, str]:
    """One reader needs no job runner; deprecations inside MLflow are not for our users."""
    return {
        "MLFLOW_REGISTRY_STORE_URI": uri,  # unless the user has named another
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_TRACKING_URI": uri,
        REVIEW: path,
    }


def _open(address: str) -> None:
    """Show it in the browser of a person who sits at this machine."""
    desktop = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY")
    if sys.stdout.isatty() and (desktop or os.environ.get("WAYLAND_DISPLAY")):
        webbrowser.open(address)


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise OccamError("MLflow's server did not start: what it printed above says why.")
