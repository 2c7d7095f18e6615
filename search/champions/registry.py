"""The registered model of a pipeline: its aliases, and the history of who was champion."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from ..errors import InputError
from ..figures import figure
from ..runs.searches import quoted
from ..runs.store import mlflow
from ..selection import HELD

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
STACK = "occam.champions"  # versions that were champion before, oldest first: the way back
HISTORY = "mlflow.occam.history"  # every change of an alias; MLflow hides what is called so
FACTS = ("target", "metric", "parameter_count", "test_score", "verdict")  # also of the model
LONGEST = 100  # entries of both
MOST = 5000  # characters of a tag: MLflow's limit, which its databases but SQLite keep
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # MLflow's codes for what is not

Event = dict[str, str]


def version_at(client: mlflow.MlflowClient, name: str, alias: str) -> Any | None:
    """The version that an alias points at; None where there is no such alias or model."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except mlflow.exceptions.MlflowException as error:
        denied = error.error_code == "PERMISSION_DENIED"
        if error.error_code in ABSENT or (denied and not _is_registered(client, name)):
            return None
        raise


def _is_registered(client: mlflow.MlflowClient, name: str) -> bool:
    """Whether there is such a model: of one that is not, a server with users denies the aliases."""
    try:
        client.get_registered_model(name)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code in ABSENT:
            return False
        raise
    return True


def check_files(uri: str, what: str) -> None:
    """Refuse a model whose files are gone: what would serve it could not load it.

    Args:
        uri: "models:/..." of the model.
        what: it is the model of, for the message.
    """
    try:
        files = mlflow.artifacts.list_artifacts(uri)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        raise _gone(what, uri) from error
    if not files:
        raise _gone(what, uri)


def _gone(what: str, uri: str) -> InputError:
    return InputError(
        f"The files of the model of {what} are gone from MLflow's store ({uri}): bring them back, "
        "or take another model."
    )


def champion(client: mlflow.MlflowClient, name: str) -> dict[str, Any] | None:
    """Version, size and test score of the present champion."""
    version = version_at(client, name, CHAMPION)
    if version is None:
        return None
    count = number(version.tags, "parameter_count")
    return {
        "version": str(version.version),
        "run_id": version.run_id,
        "parameter_count": None if count is None else int(count),
        "test_score": number(version.tags, "test_score"),
    }


def number(tags: Mapping[str, str], name: str) -> float | None:
    """The number in a tag; None where there is none, or what somebody has made of it."""
    try:
        return float(tags[name])
    except (KeyError, ValueError):
        return None


def aliases(client: mlflow.MlflowClient, name: str) -> list[str]:
    """What points at versions of a model; nothing where there is no such model."""
    found = client.search_registered_models(f"name = {quoted(name)}")
    return sorted(alias for each in found for alias in each.aliases)


def earlier(client: mlflow.MlflowClient, name: str, present: str) -> list[str]:
    """Former champions that still exist, the newest last; it is another than the present one.

    One stands there as often as it was replaced, but not twice in a row. Where the alias was moved
    or deleted by other means than ours, the one that it was given last is the newest.

    Args:
        present: version of the champion; empty where there is none.
    """
    if not _is_registered(client, name):
        return []
    known = {str(each.version) for each in client.search_model_versions(f"name = {quoted(name)}")}
    given = [each["version"] for each in history(client, name) if each["alias"] == CHAMPION][-1:]
    were = [*map(str, _list(client, name, STACK)), *(each for each in given if each != present)]
    kept = [version for version in were if version in known]
    found = [version for version, _ in groupby(kept)]
    return found[:-1] if found[-1:] == [present] else found


def remember(client: mlflow.MlflowClient, name: str, versions: list[str]) -> None:
    """Keep the former champions, the newest last."""
    client.set_registered_model_tag(name, STACK, _as_tag(versions))


def describe(client: mlflow.MlflowClient, name: str, version: str) -> None:
    """Say on the registered model's page what it is for, how good it is and how to use it."""
    tags = client.get_model_version(name, version).tags
    before = client.get_registered_model(name).tags
    facts = {tag: tags[tag] for tag in FACTS if tag in tags}
    for tag, value in facts.items():
        client.set_registered_model_tag(name, tag, value)
    for tag in set(FACTS) & before.keys() - facts.keys():
        client.delete_registered_model_tag(name, tag)
    goal = f"{facts.get('metric', 'its metric')} {facts.get('target', '')}".strip()
    count, score = (number(facts, name) for name in ("parameter_count", "test_score"))
    size = "" if count is None else f"**{int(count):,} parameters**, "
    tested = "" if score is None else f"test {figure(score)}, "
    held = facts.get("verdict") in HELD
    what = "The smallest model known to hold" if held else "What was made champion for"
    client.update_registered_model(
        name,
        f"{what} **{goal}** on `{name}` is version {version}: "
        f"{size}{tested}{facts.get('verdict', 'unproven')}.\n\n"
        f"`models:/{name}@champion` is in use, `@previous` was before, `@challenger` may follow. "
        f"`occam predict {name} INPUT` uses the champion, `occam champions {name}` shows all.",
    )


def history(client: mlflow.MlflowClient, name: str) -> list[Event]:
    """Every change of an alias: when, by whom, which version and why; the oldest first."""
    return _list(client, name, HISTORY)


def note(client: mlflow.MlflowClient, name: str, event: Event) -> None:
    """Add a change of an alias to the history, with the time and the user."""
    entry = {"at": timestamp(), "by": user(), **event}
    client.set_registered_model_tag(name, HISTORY, _as_tag([*history(client, name), entry]))


def _as_tag(entries: list[Any]) -> str:
    """The newest entries, as many as a tag takes."""
    entries = entries[-LONGEST:]
    while len(text := json.dumps(entries)) > MOST and len(entries) > 1:
        entries = entries[1:]
    return text


def timestamp() -> str:
    """The time, as people read it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def user() -> str:
    """Who is at work."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return f"user {os.getuid()}"


def _list(client: mlflow.MlflowClient, name: str, tag: str) -> list[Any]:
    try:
        found = json.loads(client.get_registered_model(name).tags.get(tag, "[]"))
    except ValueError:  # whoever has edited it
        return []
    return found if isinstance(found, list) else []
