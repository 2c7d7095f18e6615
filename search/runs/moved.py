"""A store whose folder was moved or copied: what it keeps is looked for where it is now.

MLflow's tables hold the whole address of each run's and each model's files.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

FOLDER, ARTIFACTS = "mlruns", "artifacts"  # the store's own folder, and what is beside it there
ADDRESSES = (  # table and column; pinned to mlflow<4, as `child_runs` is
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
KEPT = """
    SELECT artifact_uri FROM runs
    JOIN tags AS search ON search.run_uuid = runs.run_uuid AND search.key = 'occam.search'
    JOIN tags AS answer ON answer.run_uuid = runs.run_uuid AND answer.key = 'verdict'
    UNION SELECT artifact_location FROM logged_models
"""


def follow(database: Path) -> bool:
    """Have a SQLite store that was moved, or copied, keep its files beside it again; said if so.

    One that was left where it is, or whose files are not beside it, stays as it is.
    """
    here = database.resolve().parent / ARTIFACTS
    with closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
        if not _elsewhere(connection, here):
            return False
        if not (os.access(database, os.W_OK) and os.access(here.parent, os.W_OK)):
            said = f"{here.parent} was moved or copied, and can only be read: its files are looked "
            print(f"{said}for where they were.", file=sys.stderr)
            return False
        connection.execute("BEGIN IMMEDIATE")
        followed = [
            address
            for address in _elsewhere(connection, here)
            if _followed(connection, address, here, database.name)
        ]
        for address in followed:
            _rewrite(connection, address, here)
            _rewrite_sources(connection, place(address).parent, here.parent)
        connection.execute("COMMIT")
    for old in (place(address).parent for address in followed):
        how = "copied" if (old / database.name).exists() else "moved"
        said = f"{here.parent} was {how} from {old}: its runs and models are used from here on."
        print(said, file=sys.stderr)
    return bool(followed)


def place(address: str) -> Path:
    """The folder that a `file:` address names."""
    return Path(url2pathname(urlsplit(address).path))


def _elsewhere(connection: sqlite3.Connection, here: Path) -> list[str]:
    """Addresses of other folders that experiments keep their files in, in the way of ours."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not tables.issuperset(table for table, _ in ADDRESSES):
        return []
    query = (
        "SELECT DISTINCT artifact_location FROM experiments "
        "WHERE artifact_location LIKE 'file:///%' AND artifact_location LIKE ? "
        "AND artifact_location <> ?"
    )
    return [address for (address,) in connection.execute(query, (f"%/{ARTIFACTS}", here.as_uri()))]


def _followed(connection: sqlite3.Connection, address: str, here: Path, name: str) -> bool:
    """Whether what was kept at an address is here now.

    A folder that is gone has left something here, or nothing was kept; of one that is still
    there everything is here, which then is a copy.
    """
    old = place(address)
    if old.exists() and here.exists() and old.samefile(here):
        return False
    addresses = (each for (each,) in connection.execute(KEPT) if each.startswith(f"{address}/"))
    found = [Path(here, each.removeprefix(f"{address}/")).is_dir() for each in addresses]
    if found:
        return all(found) if old.exists() else any(found)
    return not old.parent.exists() or (old.parent / name).exists()


def _rewrite(connection: sqlite3.Connection, address: str, here: Path) -> None:
    for table, column in ADDRESSES:
        connection.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
            f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
            (here.as_uri(), len(address) + 1, address, len(address) + 1, f"{address}/"),
        )


def _rewrite_sources(connection: sqlite3.Connection, old: Path, new: Path) -> None:
    """Pipelines and data files beside the store's own folder came along with it."""
    if not old.name == new.name == FOLDER:
        return
    before, after = f"{old.parent}/", f"{new.parent}/"
    for spelling in dict.fromkeys([f'"{before}', json.dumps(before)[:-1]]):  # of older versions
        connection.execute(  # a path, or one among the JSON of `own` data
            "UPDATE params SET value = substr(replace('\"' || value, ?, ?), 2) "
            "WHERE key = 'source'",
            (spelling, f'"{after}'),
        )
