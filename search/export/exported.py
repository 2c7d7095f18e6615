"""What was exported and how it compares with Keras: as a table, as JSON, and in MLflow."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import keras

from ..figures import figure
from ..runs.store import mlflow, quietly
from .formats import names

if TYPE_CHECKING:
    from ..champions.candidate import Candidate
    from ..screen import Screen
    from .agreement import Measured

SUMMARY = "export.json"  # beside the exported files
TABLE = "exports.json"  # on the model's run; MLflow shows it as a table
LINKS = {"softmax": "logits: their softmax", "sigmoid": "a logit: its sigmoid"}


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The files of one model and how each compares with Keras.

    Args:
        rows: validation rows of the comparison.
        inputs: name, shape without the rows, and type of each input.
        transformed: the file of the function that makes such inputs of raw rows; None where the
            inputs are the raw rows.
        own: classes and functions of the pipeline's own that the model is made of.
        link: what the outputs are: probabilities, what softmax or sigmoid makes them of, or none.
        of: the class that the one output is of, where there are two; else empty.
        keras: the reference.
        left_out: why other formats were not made, a line each.
        changed: the rows of the comparison are not those of the search.
        unrecorded: why MLflow did not take the comparison; mostly empty.
    """

    candidate: Candidate
    rows: int
    inputs: list[dict[str, Any]]
    transformed: str | None
    own: list[str]
    link: str
    classes: list[str]
    of: str
    keras: Measured
    formats: list[Measured]
    left_out: list[str]
    changed: bool = False
    unrecorded: str = ""


def inputs(rows: Any) -> list[dict[str, Any]]:
    """What the exported files take."""
    return [
        {
            "name": name,
            "shape": list(leaf.shape[1:]),
            "dtype": "string" if leaf.dtype.kind in "OUS" else str(leaf.dtype),
        }
        for name, leaf in zip(names(rows), keras.tree.flatten(rows), strict=True)
    ]


def as_json(found: Exported) -> str:
    """All that a person with nothing but the files needs to know."""
    candidate = found.candidate
    names = ("pipeline", "metric", "target", "parameter_count", "run_id", "model_uri")
    of = {"of": found.of} if found.of else {}
    return json.dumps(
        {
            **{name: getattr(candidate, name) for name in names},
            "inputs": found.inputs,
            "preprocessing": found.transformed,
            "custom_objects": found.own,
            "outputs": {"kind": found.link, "classes": found.classes, **of},
            "compared_on": {"split": "validation", "rows": found.rows},
            "keras": asdict(found.keras),
            "formats": [asdict(each) for each in found.formats],
        },
        indent=2,
    )


def show(found: Exported, screen: Screen) -> None:
    """Print the comparison, and what goes into the files and comes out of them."""
    from rich.table import Table

    name = found.candidate.metric
    table = Table(
        title=f"{found.candidate.pipeline}: compared on {found.rows:,} validation rows",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("format")
    for column in ("bytes", "largest difference", name, "a row"):
        table.add_column(column, justify="right")
    for each in (found.keras, *found.formats):
        table.add_row(each.format, *_cells(each))
    screen.show(table)
    for line in _lines(found):
        screen.say(line)


def keep(client: mlflow.MlflowClient, found: Exported, version: Any | None) -> None:
    """Add the comparison to the table on the model's run, and to its version's tags."""
    columns = ("format", "size", "difference", "score", "seconds")
    table = {name: [getattr(each, name) for each in found.formats] for name in columns}
    table["rows"] = [found.rows] * len(found.formats)
    with quietly():
        client.log_table(found.candidate.run_id, table, TABLE)
    if version is None:
        return
    for each in found.formats:
        size, difference, score, time = _cells(each)
        name = found.candidate.metric
        text = f"{size} bytes, largest difference {difference}, {name} {score}, {time} a row"
        client.set_model_version_tag(version.name, version.version, f"export.{each.format}", text)


def _cells(each: Measured) -> tuple[str, str, str, str]:
    return (
        f"{each.size:,}",
        f"{each.difference:.1e}" if each.difference else "0",
        figure(each.score),
        f"{1e6 * each.seconds:,.0f} µs",
    )


def _lines(found: Exported) -> list[str]:
    taken = ", ".join(_input(**each) for each in found.inputs)
    made = "raw rows"
    if found.transformed:
        made = f"{found.transformed} holds the function that makes it of raw rows"
    lines = [f"Takes {taken}: {made}."]
    if found.own:
        lines.append(
            "Keras loads it with compile=False and custom_objects, the second value in "
            "preprocessing.pkl: "
            f"{', '.join(found.own)}."
        )
    if found.link in LINKS:
        lines.append(f"Gives {LINKS[found.link]} is the probability.")
    if found.of:
        lines.append(f"The one output is of class {found.of!r}.")
    if found.changed:
        lines.append("The data have changed since the search: scores are of those of today.")
    if found.unrecorded:
        lines.append(f"MLflow did not take the comparison: {found.unrecorded}.")
    if any("tflite" in each.format for each in found.formats):
        lines.append("A .tflite file takes one row a call.")
    return [*lines, *(f"Left out: {each}" for each in found.left_out)]


def _input(name: str, shape: list[int], dtype: str) -> str:
    return f"`{name}`, {dtype} ({', '.join(map(str, ['rows', *shape]))})"
