"""What of a search's review is kept as files with its run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from . import charts, page
from .description import PICTURE, REPORT
from .record import FILE as RECORD
from .record import scored
from .tables import tables

if TYPE_CHECKING:
    from .record import Record
    from .summary import Summary

WIDTH = 620  # pixels: MLflow shows it as large as it is
COLOURS = ["#0969da", "#8c959f", "#9a6700", "#cf222e", "#d0d7de"]  # of outcomes, as on the page


def artifacts(summary: Summary, found: Record) -> dict[str, bytes]:
    """The page, the record that it was made from, and its first chart as a picture."""
    return {
        REPORT: page.page(summary, found).encode(),
        RECORD: json.dumps(found, separators=(",", ":")).encode(),
        PICTURE: picture(summary, found),
    }


def picture(summary: Summary, found: Record) -> bytes:
    """Size against score of all trials, as PNG."""
    import vl_convert

    trials = [{**each, "tip": ""} for each in scored(found)]
    spec = charts.size_score(summary, [each["score"] for each in trials])
    spec |= {"width": WIDTH, "background": "white", "datasets": _drawn(summary, found, trials)}
    spec["config"] = {"range": {"category": COLOURS}, "line": {"color": COLOURS[0]}}
    return bytes(vl_convert.vegalite_to_png(spec))


def _drawn(summary: Summary, found: Record, trials: list[dict[str, Any]]) -> dict[str, Any]:
    known = tables(summary, found)
    return {"trials": trials, **{name: known[name] for name in ("ladder", "selected", "targets")}}
