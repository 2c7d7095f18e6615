"""The page that a reviewer reads: one HTML file that needs no network and no server."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from ..figures import figure, limit, sentence
from ..files import cache_folder
from ..runs.provenance import version
from . import charts
from .description import headline
from .record import scored
from .sections import sections
from .summary import holds
from .tables import axes, slices, tables, told
from .words import advice, claim, higher, metric_name, sizes

if TYPE_CHECKING:
    from .record import Record
    from .summary import Summary

EMBED = "window.vegaEmbed = vegaEmbed;"  # what the page uses of Vega
FOLDER = Path(__file__).parent


def page(summary: Summary, record: Record) -> str:
    """The report of a search; what the record lacks is left out.

    Args:
        record: as `record.record` makes it, or only its `trials`, of an older search.
    """
    import jinja2

    summary = {**summary, "metric": metric_name(summary)}
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": figure, "limit": limit}
    template = environment.from_string(_text("page.html"))
    selected = summary["selected"]
    return template.render(
        title=f"{summary['pipeline']}: {headline(summary)}",
        headline=headline(summary),
        summary=summary,
        selected=selected,
        higher=higher(summary),
        verdict_class="good" if holds(summary) else "bad",
        claim=claim(summary, record).replace("**", ""),
        lines=[*map(sentence, sizes(summary, record)), *advice(summary, record)],
        sections=sections(summary, record),
        style=_text("page.css"),
        script=_text("page.js"),
        vega=_vega(),
        data=_json(_data(summary, record)),
    )


def _data(summary: Summary, record: Record) -> dict[str, Any]:
    """What the script draws: tables, and charts that name them."""
    at = summary.get("mlflow", {})
    uri = str(at.get("tracking_uri", ""))
    drawn = tables(summary, record)
    return {
        "trials": record["trials"],
        "figures": _figures(record),
        "tables": drawn,
        "charts": _charts(summary, record, importances=len(drawn["importances"]) // 2),
        "slices": slices(record),
        "told": told(record),
        "axes": axes(record),
        "experiment": at.get("experiment_id"),
        "server": uri.rstrip("/") if uri.startswith("http") and "@" not in uri else None,
        "sign": 1 if higher(summary) else -1,
    }


def _figures(record: Record) -> list[str]:
    """The score of each trial as all of Occam writes it; empty of one that has none."""
    at = record["trials"]["columns"].index("score")
    scores = (row[at] for row in record["trials"]["rows"])
    return ["" if score is None else figure(score) for score in scores]


def _charts(summary: Summary, record: Record, *, importances: int) -> dict[str, Any]:
    scores = [each["score"] for each in scored(record)]
    found = {
        "size_score": charts.size_score(summary, scores),
        "incumbents_epochs": charts.incumbents("epochs_trained", "epochs trained"),
        "incumbents_seconds": charts.incumbents("seconds", "seconds of training"),
        "importances": charts.importances(importances),
        "parallel": charts.parallel([axis["title"] for axis in axes(record)]),
        "curves": charts.curves(summary),
        "budget": charts.budget(),
        **_slices(summary, scores),
    }
    predictions = record.get("predictions") or {"kind": None}
    if predictions["kind"] == "classes":
        found["confusion"] = charts.confusion(predictions["names"])
    elif predictions["kind"] == "numbers":
        found["residuals"] = charts.residuals(summary["metric"])
    return found


def _slices(summary: Summary, scores: list[float]) -> dict[str, Any]:
    kinds = {"linear": (True, False), "log": (True, True), "choice": (False, False)}
    return {
        name: charts.slices(summary, scores, numeric=numeric, log=log)
        for name, (numeric, log) in kinds.items()
    }


@cache
def _vega() -> str:
    """The script that draws Vega's charts, which takes a second to bundle: kept where it can be."""
    import vl_convert

    of = f"{version('vl-convert-python')} {EMBED}"
    kept = cache_folder() / f"vega-{hashlib.sha256(of.encode()).hexdigest()[:16]}.js"
    with suppress(OSError):
        if script := kept.read_text(encoding="utf-8"):
            return script
    script = str(vl_convert.javascript_bundle(EMBED))
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", encoding="utf-8", dir=kept.parent, delete=False) as part:
            part.write(script)  # a file of its own: others may be at it just now
        Path(part.name).replace(kept)
    return script


def _text(name: str) -> str:
    return FOLDER.joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """JSON that cannot end the script element that it is in, whatever names and texts it holds."""
    return json.dumps(_finite(value), separators=(",", ":")).replace("<", "\\u003c")


def _finite(value: Any) -> Any:
    """JSON knows no infinity and no NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple | Iterator):
        return [_finite(each) for each in value]
    return value
