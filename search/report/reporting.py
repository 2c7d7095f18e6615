"""Makes the report of a search that has just ended, from what its process has at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.pictures import ROWS, as_png, picture
from ..held_out import HeldOut
from ..models import evaluation
from ..nests import first_rows
from ..runs import provenance
from .artifacts import artifacts
from .layers import layers
from .predictions import predictions
from .preprocessing import steps
from .record import record

if TYPE_CHECKING:
    from ..plan import Plan
    from ..tracking import Tracker
    from ..trials import FinishedTrial
    from . import Record, Summary


def reported(
    plan: Plan,
    tracker: Tracker,
    trials: Sequence[FinishedTrial],
    summary: Summary,
    *,
    model: Any,
    held_out: Path | None,
    beside: Record,
) -> tuple[Record, dict[str, bytes]]:
    """The record of the report, and the files that are kept of it.

    Args:
        model: the selected one, trained; None where there is none.
        held_out: what it predicts on the test rows, as the gate has kept it.
        beside: `standard_error` and `opened_before`, which go into the record.
    """
    found = record(
        summary,
        trials,
        tracker.run_ids(),
        baselines=[asdict(each) for each in plan.baselines],
        champion=tracker.champion(),
        layers=layers(model) if model is not None else [],
        preprocessing=list(steps(plan.prepared.data.transform)),
        predictions=_predicted(plan, held_out),
        provenance=provenance.record(provenance.facts(summary["backend"]), plan.data_fingerprint),
        **beside,
    )
    return found, artifacts(summary, found)


def drawn(plan: Plan, model: Any) -> dict[str, bytes]:
    """A picture of what the selected model predicts on a few validation rows."""
    if model is None:
        return {}
    inputs, labels = (first_rows(part, ROWS) for part in plan.prepared.data.validation)
    outputs = evaluation.predictions(model, inputs)
    figure = picture(inputs, np.asarray(labels), outputs, plan.metric, plan.pipeline.classes)
    return {"picture.png": as_png(figure)}


def _predicted(plan: Plan, held_out: Path | None) -> dict[str, Any] | None:
    if held_out is None or not held_out.exists():
        return None
    some = first_rows(plan.prepared.data.validation[0], 1)
    return predictions(HeldOut.load(held_out), some, plan.metric, plan.pipeline.classes)
