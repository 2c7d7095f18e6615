"""The searches that MLflow's store holds: which was last at work, and what it has found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..errors import InputError
from ..settings import as_folder
from .store import FAILURES, mlflow

SEARCH = "occam.search"  # the tag that makes a run the parent run of a search
STUDY = "occam.study"  # the tag that says which study numbers its trials
ACTIVE = "occam.active"  # the tag that says when a search was last at work
CONCLUDED = "occam.concluded"  # the tag that says when it last came to its answer
SUMMARY = "search.json"
ANY = f"tags.`{SEARCH}` LIKE '%'"  # condition for parent runs


def newest_search(
    client: mlflow.MlflowClient,
    pipeline: str | None = None,
    *,
    condition: str = ANY,
    since: str = ACTIVE,
) -> mlflow.entities.Run | None:
    """Parent run of the search that was last at work, of one pipeline or of any.

    Args:
        since: the tag that holds the time that counts.
    """
    if pipeline is None:
        experiments = list(client.search_experiments())
    else:
        experiments = [client.get_experiment_by_name(pipeline)]
    ids = [each.experiment_id for each in experiments if each is not None]
    if not ids:
        return None
    runs = client.search_runs(ids, condition, max_results=1, order_by=[f"tags.`{since}` DESC"])
    return runs[0] if runs else None


def newest_answer(
    client: mlflow.MlflowClient, pipeline: str | None = None, *, condition: str = ANY
) -> mlflow.entities.Run | None:
    """Parent run of the search that last came to its answer, though it may have gone on since."""
    marked = f"{condition} AND tags.`{CONCLUDED}` LIKE '%'"
    ended = f"{condition} AND attributes.status = 'FINISHED'"  # all that older versions tell
    found = (
        newest_search(client, pipeline, condition=marked, since=CONCLUDED),
        newest_search(client, pipeline, condition=ended),
    )
    return max((run for run in found if run is not None), key=concluded, default=None)


def concluded(run: mlflow.entities.Run) -> str:
    """When the search of a parent run came to its answer; empty where it has none."""
    ended = run.info.status == "FINISHED"
    return str(run.data.tags.get(CONCLUDED) or (ended and run.data.tags.get(ACTIVE)) or "")


def find(client: mlflow.MlflowClient, name: str | None) -> mlflow.entities.Run:
    """The newest search of this name or pipeline, or of any, with an answer; or the run of this ID.

    Raises InputError where there is none.
    """
    run = next(filter(None, _meant(client, name)), None)
    if run is None:
        which = f"No search of {name!r}" if name else "No search"
        raise InputError(f"{which} has finished yet: run `occam search {name or 'PIPELINE'}`.")
    return run


def _meant(client: mlflow.MlflowClient, name: str | None) -> Iterator[mlflow.entities.Run | None]:
    """What a name may stand for, in turn; people may give an experiment another one in MLflow."""
    yield newest_answer(client, name)
    if not name:
        return
    for each in filter(None, (name, as_folder(name))):
        yield newest_answer(client, condition=f"tags.`{SEARCH}` = {quoted(each)}")
    yield newest_answer(client, condition=f"{ANY} AND params.pipeline = {quoted(name)}")
    yield _by_id(client, name)


def last_search(client: mlflow.MlflowClient, name: str | None) -> dict[str, Any]:
    """What the search found that last came to an answer, named as for `find`."""
    return summary(find(client, name))


def summary(run: mlflow.entities.Run) -> dict[str, Any]:
    """The `search.json` of a parent run."""
    try:
        found = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{SUMMARY}")
    except FAILURES as error:
        raise InputError(
            f"Run {run.info.run_id} has no {SUMMARY}: its search has not finished, or its files "
            f"are gone from {run.info.artifact_uri}. Bring them back, or run the search again."
        ) from error
    return dict(found)


def now(client: mlflow.MlflowClient) -> str:
    """The time as a tag that sorts as text, behind all others even where the clock was put back."""
    newest, before = newest_search(client), 0.0
    if newest is not None:
        with suppress(ValueError):  # whoever has edited it
            before = float(newest.data.tags.get(ACTIVE, 0))
    return f"{max(time.time(), before + 1e-5):.6f}"


def _by_id(client: mlflow.MlflowClient, run_id: str) -> mlflow.entities.Run | None:
    try:
        run = client.get_run(run_id)
    except FAILURES:
        return None
    return run if SEARCH in run.data.tags else None


def quoted(text: str) -> str:
    """`text` as a literal of MLflow's filter language, which knows no escapes."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    raise InputError(f"The name {text!r} has both kinds of quotes: MLflow cannot search for it.")
