"""Who is champion, who was, and why each took over: the history of the aliases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..figures import figure, limit
from ..runs.searches import quoted
from ..runs.store import connect, mlflow, reaching
from . import registry

if TYPE_CHECKING:
    from ..screen import Screen

MOST = 1000  # registered models in one answer: MLflow's limit


@dataclass(frozen=True, kw_only=True)
class Champions:
    """A registered model: its versions by number, what points at them, and what happened."""

    name: str
    versions: dict[str, dict[str, str]]  # tags
    aliases: dict[str, str]
    history: list[registry.Event]


def champions(uri: str, pipeline: str | None) -> list[Champions]:
    """The registered model of a pipeline, or of all that have one."""
    client = connect(uri)
    with reaching(uri):
        models = [
            model
            for model in client.search_registered_models(
                f"name = {quoted(pipeline)}" if pipeline else None, max_results=MOST
            )
            if model.aliases
        ]
        if not models:
            which = f"{pipeline!r} has no champion" if pipeline else "There is no champion"
            raise InputError(f"{which}: run `occam promote {pipeline or 'PIPELINE'}` first.")
        return [_champions(client, model) for model in models]


def _champions(client: mlflow.MlflowClient, model: Any) -> Champions:
    found = client.search_model_versions(f"name = {quoted(model.name)}")
    return Champions(
        name=model.name,
        versions={str(each.version): dict(each.tags) for each in found},
        aliases={alias: str(version) for alias, version in model.aliases.items()},
        history=registry.history(client, model.name),
    )


def show(found: list[Champions], screen: Screen) -> None:
    """Print a table of versions and one of events for each model."""
    for each in found:
        screen.show(_versions(each))
        for event in each.history:
            line = f"{event['at']}  {event['alias']} -> version {event['version']}, {event['by']}: "
            screen.say(line + event["why"])


def _versions(model: Champions) -> Any:
    from rich.table import Table

    table = Table(title=model.name, title_justify="left", title_style="bold")
    for column in ("version", "parameters", "test", "95 % bound", "target", "verdict", "alias"):
        table.add_column(column, justify="left" if column in ("verdict", "alias") else "right")
    for number in sorted(model.versions, key=int, reverse=True):
        tags = model.versions[number]
        aliases = [alias for alias, version in model.aliases.items() if version == number]
        forced = " (forced)" if "forced" in tags else ""
        table.add_row(
            number,
            _short(registry.number(tags, "parameter_count"), "{:,.0f}".format),
            _short(registry.number(tags, "test_score")),
            _short(registry.number(tags, "lower_bound"), limit),
            tags.get("target", ""),
            tags.get("verdict", "") + forced,
            ", ".join(sorted(aliases)),
        )
    return table


def _short(number: float | None, written: Callable[[float], str] = figure) -> str:
    return "" if number is None else written(number)
