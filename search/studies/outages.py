"""What a search does while the database of its study is away."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import optuna
import sqlalchemy

from ..errors import OccamError, reason, redacted

SECONDS = 60.0  # of silence
VARIABLE = "OCCAM_LEASE_SECONDS"  # environment variable: another time, the same in all processes
AWAY = (
    *(sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError),
    *(sqlalchemy.exc.InternalError, optuna.exceptions.StorageInternalError),
)

Made = TypeVar("Made")


def silence() -> float:
    """Seconds without a sign of life, after which an owner of a lease is taken for dead."""
    return float(os.environ.get(VARIABLE, SECONDS))


def outlasting(action: Callable[[], Made]) -> Made:
    """Do again what fails while a database is away, for as long as an owner may be silent."""
    ends = time.monotonic() + silence()
    while True:
        try:
            return action()
        except AWAY:
            if time.monotonic() > ends:
                raise
            time.sleep(random.uniform(0.5, 1.5))


@contextmanager
def reaching(url: str | None) -> Iterator[None]:
    """Say in one line that the database of a search has failed; None: it has none."""
    try:
        yield
    except AWAY as error:
        if url is None:
            raise
        raise OccamError(
            f"The database of --storage {redacted(url)} failed: {redacted(reason(error))}. "
            "What finished is kept: the same command goes on once it works."
        ) from error
