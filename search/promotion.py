"""The model registry: which model is the champion, and the way back."""

from __future__ import annotations

import getpass
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .candidate import Candidate, Refused, candidate, not_better, unproven
from .errors import InputError, OccamError
from .store import connect, mlflow, quoted, reaching, registering

CHAMPION, PREVIOUS = "champion", "previous"
HISTORY = "occam.champions"  # versions that were champion before, oldest first
LONGEST_HISTORY = 100
SECONDS_UNTIL_READY = 60


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What an alias points at now."""

    version: str
    text: str


def promote(
    uri: str,
    pipeline: str | None,
    *,
    run_id: str | None = None,
    alias: str = CHAMPION,
    force: bool = False,
) -> Promotion:
    """Register a model that holds its target and is better than the present champion.

    Args:
        pipeline: whose last search; None: of the last search of all.
        run_id: a search, which stands for the model it selected, or one trial.
        force: promote what would be refused; who did it and why is kept with the version.
    """
    _check_alias(alias)
    client = connect(uri)
    with registering(uri), reaching(uri):
        model = candidate(client, uri, pipeline, run_id)
        name = model.pipeline
        champion = _version_at(client, name, alias)
        if champion is not None and champion.run_id == model.run_id:
            text = f"{name} version {champion.version} is the {alias} already: no new version."
            return Promotion(version=str(champion.version), text=text)
        objection = unproven(model) or (champion and not_better(model, champion.tags))
        if objection and not force:
            raise Refused(f"Not promoted: {objection} --force promotes it and records who did.")
        version = _register(client, model, objection or "")
        _move(client, name, alias, version, champion)
    text = f"{name} version {version.version} is the {alias}: {model.describe()}."
    return Promotion(version=str(version.version), text=text)


def rollback(uri: str, pipeline: str) -> Promotion:
    """Point `champion` back at the version it pointed at before."""
    client = connect(uri)
    with registering(uri), reaching(uri):
        champion = _version_at(client, pipeline, CHAMPION)
        if champion is None:
            raise InputError(f"{pipeline!r} has no champion: run `occam promote {pipeline}` first.")
        earlier = list(_earlier(client, pipeline, str(champion.version)))
        if not earlier:
            raise InputError(
                f"{pipeline!r} has nothing to go back to: version {champion.version} is its "
                "first champion."
            )
        version = earlier.pop()
        client.set_registered_model_alias(pipeline, CHAMPION, version)
        _remember(client, pipeline, earlier)
        if earlier:
            client.set_registered_model_alias(pipeline, PREVIOUS, earlier[-1])
        else:
            client.delete_registered_model_alias(pipeline, PREVIOUS)
    text = f"{pipeline} version {version} is the champion again; version {champion.version} stays."
    return Promotion(version=version, text=text)


def _check_alias(alias: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", alias) or re.fullmatch(r"latest|v\d+", alias, re.I):
        raise InputError(
            f"Alias {alias!r} cannot be used: give letters, digits, dashes and underscores, "
            "other than `latest` and `v1`, `v2`, ..."
        )


def _register(
    client: mlflow.MlflowClient, model: Candidate, forced: str
) -> mlflow.entities.model_registry.ModelVersion:
    """The version of this model, ready and with its tags; a new one where it has none yet."""
    if model.model_uri is None:
        raise InputError(
            f"Trial {model.trial} has no logged model: only trials on the ladder have one, "
            f"see `occam results {model.pipeline}`."
        )
    name, tags = model.pipeline, model.tags()
    if forced:
        tags |= {"forced": "true", "forced_by": _user(), "forced_reason": forced}
    _ensure_registered(client, name)
    known = client.search_model_versions(f"name = {quoted(name)}")
    version = next((each for each in known if each.run_id == model.run_id), None)
    if version is not None:
        for tag, value in tags.items():
            client.set_model_version_tag(name, version.version, tag, value)
    else:
        version = client.create_model_version(
            name,
            model.model_uri,
            run_id=model.run_id,
            model_id=model.model_uri.rpartition("/")[2],
            tags=tags,
            description=model.describe(),
            await_creation_for=SECONDS_UNTIL_READY,
        )
    if version.status != "READY":
        raise OccamError(f"{name} version {version.version} is {version.status}: try again later.")
    return version


def _ensure_registered(client: mlflow.MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _move(
    client: mlflow.MlflowClient, name: str, alias: str, version: Any, champion: Any | None
) -> None:
    """The alias moves last: until then the present version goes on serving."""
    if alias == CHAMPION and champion is not None:
        earlier = list(_earlier(client, name, str(champion.version)))
        _remember(client, name, [*earlier, str(champion.version)])
        client.set_registered_model_alias(name, PREVIOUS, champion.version)
    client.set_registered_model_alias(name, alias, version.version)


def _earlier(client: mlflow.MlflowClient, name: str, champion: str) -> Iterator[str]:
    """Former champions that still exist, the present one left out."""
    history = client.get_registered_model(name).tags.get(HISTORY, "[]")
    known = {str(each.version) for each in client.search_model_versions(f"name = {quoted(name)}")}
    for version in json.loads(history):
        if version in known and version != champion:
            yield version


def _remember(client: mlflow.MlflowClient, name: str, versions: list[str]) -> None:
    client.set_registered_model_tag(name, HISTORY, json.dumps(versions[-LONGEST_HISTORY:]))


def _version_at(client: mlflow.MlflowClient, name: str, alias: str) -> Any | None:
    try:
        return client.get_model_version_by_alias(name, alias)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"user {os.getuid()}"
