"""The model registry: which model is the champion, and the way back."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import dataclass

from .champions import registry
from .champions.candidate import candidate
from .champions.decision import Decision, decide
from .champions.registry import CHALLENGER, CHAMPION, PREVIOUS
from .errors import InputError, OccamError, Refused
from .runs.store import connect, mlflow, reaching, registering

SECONDS_UNTIL_READY = 60


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """What an alias points at now; no version where nothing was changed."""

    version: str
    text: str


def promote(
    uri: str,
    pipeline: str | None,
    *,
    run_id: str | None = None,
    alias: str = CHAMPION,
    force: bool = False,
    dry_run: bool = False,
) -> Promotion:
    """Register a model that holds its target and is better than the present champion.

    Args:
        pipeline: whose last search; None: of the last search of all.
        run_id: a search, which stands for the model it selected, or one trial.
        force: promote what would be refused; who did it and why is kept with the version.
        dry_run: change nothing, and say what would change and why.
    """
    _check_alias(alias)
    client = connect(uri, write=not dry_run)
    with nullcontext() if dry_run else registering(uri), reaching(uri):
        model = candidate(client, pipeline, run_id)
        decision = decide(client, model, alias)
        name, objection = model.pipeline, decision.objection
        if decision.standing and decision.present is not None:
            number = str(decision.present.version)
            text = f"{name} version {number} is the {alias} already: no new version."
            return Promotion(version=number, text=text)
        if objection and not force:
            raise Refused(f"Not promoted: {objection} --force promotes it and records who did.")
        model.check_logged()
        if dry_run:
            return Promotion(version="", text=_would(decision, objection))
        version = _register(client, decision, objection)
        _move(client, decision, str(version.version), objection)
    text = f"{name} version {version.version} is the {alias}: {model.describe()}."
    return Promotion(version=str(version.version), text=text)


def rollback(uri: str, pipeline: str) -> Promotion:
    """Point `champion` back at the version it pointed at before."""
    client = connect(uri, write=True)
    with registering(uri), reaching(uri):
        champion = registry.version_at(client, pipeline, CHAMPION)
        present = "" if champion is None else str(champion.version)
        earlier = registry.earlier(client, pipeline, present)
        if champion is None and not earlier:
            others = ", ".join(registry.aliases(client, pipeline))
            only = f", only {others}" if others else ""
            raise InputError(
                f"{pipeline!r} has no champion{only}: run `occam promote {pipeline}` first."
            )
        if not earlier:
            raise InputError(
                f"{pipeline!r} has nothing to go back to: version {present} is its first champion."
            )
        version = earlier.pop()
        registry.check_files(f"models:/{pipeline}/{version}", f"version {version}")
        client.set_registered_model_alias(pipeline, CHAMPION, version)
        registry.remember(client, pipeline, earlier)
        if earlier:
            client.set_registered_model_alias(pipeline, PREVIOUS, earlier[-1])
        else:
            client.delete_registered_model_alias(pipeline, PREVIOUS)
        registry.describe(client, pipeline, version)
        why = f"rolled back from version {present}" if present else "brought back"
        registry.note(client, pipeline, {"alias": CHAMPION, "version": version, "why": why})
    stays = f"; version {present} stays" if present else ""
    text = f"{pipeline} version {version} is the champion again{stays}."
    return Promotion(version=version, text=text)


def _check_alias(alias: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", alias) or re.fullmatch(r"latest|v\d+", alias, re.I):
        raise InputError(
            f"Alias {alias!r} cannot be used: give letters, digits, dashes and underscores, "
            "other than `latest` and `v1`, `v2`, ..."
        )
    if alias == PREVIOUS:
        raise InputError(
            f"Alias {alias!r} is the way back from the champion: `occam rollback` goes it. "
            "Give another alias."
        )


def _would(decision: Decision, objection: str) -> str:
    name = decision.candidate.pipeline
    forced = [f"Only by --force: {objection}"] if objection else []
    lines = [
        f"{name}: this would change, and nothing has been changed.",
        *(f"  {change}" for change in decision.changes()),
        "Why:",
        *(f"  {reason}" for reason in decision.reasons()),
        *forced,
    ]
    return "\n".join(lines)


def _register(
    client: mlflow.MlflowClient, decision: Decision, forced: str
) -> mlflow.entities.model_registry.ModelVersion:
    """The version of this model, ready, described and tagged; a new one where it has none yet."""
    model = decision.candidate
    name, tags = model.pipeline, model.tags()
    if forced:
        tags |= {"forced": "true", "forced_by": registry.user(), "forced_reason": forced}
    _ensure_registered(client, name)
    version = decision.registered
    if version is None:
        version = client.create_model_version(
            name,
            model.model_uri,
            run_id=model.run_id,
            model_id=str(model.model_uri).rpartition("/")[2],
            await_creation_for=SECONDS_UNTIL_READY,
        )
    if version.status != "READY":
        raise OccamError(f"{name} version {version.version} is {version.status}: try again later.")
    for tag, value in tags.items():
        client.set_model_version_tag(name, version.version, tag, value)
    client.update_model_version(name, version.version, decision.markdown(forced))
    return version


def _ensure_registered(client: mlflow.MlflowClient, name: str) -> None:
    try:
        client.create_registered_model(name)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _move(client: mlflow.MlflowClient, decision: Decision, version: str, forced: str) -> None:
    """The alias moves last: until then the present version goes on serving."""
    name, alias, present = decision.candidate.pipeline, decision.alias, decision.present
    if alias == CHAMPION:
        if present is not None:
            earlier = registry.earlier(client, name, str(present.version))
            registry.remember(client, name, [*earlier, str(present.version)])
            client.set_registered_model_alias(name, PREVIOUS, present.version)
        registry.describe(client, name, version)
    client.set_registered_model_alias(name, alias, version)
    challenger = registry.version_at(client, name, CHALLENGER)
    if alias == CHAMPION and challenger is not None and str(challenger.version) == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    why = f"forced, though {forced}" if forced else " ".join(decision.reasons())
    registry.note(client, name, {"alias": alias, "version": version, "why": why})
