"""One search of one tool, in a process of its own where several are made at a time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from occam.search.backend import import_keras, use_backend  # noqa: E402

use_backend("tensorflow")
import_keras()

from replay import OURS, occam  # noqa: E402  # after the backend is chosen
from rivals import play  # noqa: E402
from tables import Table, table  # noqa: E402
from tasks import TASKS  # noqa: E402

TABLES = Path(__file__).parent / "tables"


def search(wanted: dict[str, Any]) -> dict[str, Any]:
    """Make one search; its picks are (epochs spent, size, score on new rows)."""
    replayed = made(wanted["task"])
    budget = wanted["budget"] * replayed.task.epochs
    if wanted["tool"] in OURS:
        picks, spent = occam(replayed, wanted["seed"], budget, **OURS[wanted["tool"]])
    else:
        ours = wanted["rule"] == "ours"
        player = play(wanted["tool"], replayed, wanted["seed"], budget, ours=ours)
        picks, spent = player.picks, player.spent
    return wanted | {"picks": picks, "spent": spent}


def made(name: str) -> Table:
    return table(TASKS[name], TABLES)
