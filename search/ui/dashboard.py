"""Optuna's dashboard on the study of a search, while it runs or afterwards."""

from __future__ import annotations

import logging
from pathlib import Path

from werkzeug.serving import make_server  # Flask's own

from ..errors import InputError
from ..extras import installation
from ..settings import as_folder
from ..studies import STUDIES, STUDY
from .review import HOST, check_free


def dashboard(name: str | None, *, storage: str | None, port: int) -> None:
    """Serve the dashboard until interrupted.

    Args:
        name: of the search; None: of the one that was last at work.
        storage: Optuna storage URL, where the search was given one.
    """
    check_free(port, "occam dashboard --port 8081")
    journal = None if storage else _journal(name)
    try:
        import optuna_dashboard
    except ImportError as error:
        how = installation("dashboard")
        raise InputError(f"Optuna's dashboard is not installed: {how}") from error
    from ..studies.storage import reading_only, storage_of

    app = optuna_dashboard.wsgi(reading_only(journal) if journal else storage_of(str(storage)))
    address = f"http://{HOST}:{port}/dashboard{'/studies/0' if journal else ''}"
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each request
    server = make_server(HOST, port, app, threaded=True)  # a page asks for several things at once
    print(f"Optuna's dashboard is at {address}\nStop with Ctrl-C.", flush=True)
    server.serve_forever()
    print()


def _journal(name: str | None) -> Path:
    """The journal of a search, or that which was written last."""
    journals = {path.parent.name: path for path in STUDIES.glob(f"*/{STUDY}")}
    if name is None and journals:
        return max(journals.values(), key=lambda path: path.stat().st_mtime)
    for given in (name, as_folder(name or "")):
        if given in journals:
            return journals[given]
    known = ", ".join(sorted(journals)) or "none"
    which = f"No study of a search {name!r}" if name else "No study of a search"
    raise InputError(
        f"{which} in {STUDIES}: it has {known}. Only searches by Optuna have one; give --storage "
        "where the search was given it."
    )
