"""The answer in words: how small the model is, against what, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..figures import ENDLESS, figure, times
from ..metrics import direction
from .summary import holds

Values = Mapping[str, Any]


def metric_name(summary: Values) -> str:
    """Of a function of one's own, MODULE:FUNCTION, without its module."""
    return str(summary["metric"]).rpartition(":")[2]


def goal(summary: Values) -> str:
    """What was to be reached: "accuracy 0.95"."""
    return f"{metric_name(summary)} {summary['target']:g}"


def claim(summary: Values, record: Values) -> str:
    """What the test split says of the selected model; what was missing where there is none."""
    selected = summary["selected"]
    if selected is None:
        return (
            f"The search target, with its margin on {summary['rows']['validation']:,} validation "
            f"rows, was {figure(summary['search_target'])}."
        )
    test = selected["test"]
    bound = f"{'at least' if higher(summary) else 'at most'} {figure(test['lower_bound'])}"
    shown = f"{bound} with 95 % confidence"
    if abs(test["lower_bound"]) >= ENDLESS:
        shown = "they are too few, or too seldom wrong, to bound it"
    right = f", {test['correct']:,} right" if test.get("correct") is not None else ""
    before = seen_before(record)
    return (
        f"Trial {selected['trial']}: validation {figure(selected['validation'])}, "
        f"**test {figure(test['score'])}** on {test['rows']:,}{'' if before else ' untouched'} "
        f"rows{right}; {shown}. Verdict: "
        f"**{test['verdict']}** ({test['opened']} opened).{f' {before}' if before else ''}"
    )


def seen_before(record: Values) -> str:
    """How far other searches use the test rows up; empty where they do not."""
    count = record.get("opened_before", 0)
    if not count:
        return ""
    models = "1 model" if count == 1 else f"{count:,} models"
    return (
        f"{models} of other searches saw these test rows, too: the more there "
        "are, the likelier one of them holds by luck."
    )


def sizes(summary: Values, record: Values) -> list[str]:
    """The selected size against the largest model tried, the baseline and the champion."""
    if summary["selected"] is None:
        return []
    count = int(summary["selected"]["parameter_count"])
    lines = []
    if record.get("largest", 0) > count:
        lines.append(times(record["largest"], count, "the largest model tried"))
    for each in record.get("baselines") or []:
        if each.get("parameter_count"):
            text = times(each["parameter_count"], count, f"the {each['name']}")
            part = f", trained on {each['of_rows']:,} rows," if each.get("of_rows") else ""
            lines.append(f"{text}, which{part} scores {figure(each['score'])} on validation rows")
    champion = record.get("champion")
    if champion and champion.get("parameter_count"):
        name = f"the present champion, version {champion['version']}"
        same = champion.get("run_id") == summary["selected"].get("run_id")
        other = times(champion["parameter_count"], count, name)
        lines.append(f"it is {name}" if same else other)
    return lines


def advice(summary: Values, record: Values) -> list[str]:
    """How far the best came where no model holds the target, and what would help."""
    if holds(summary):
        return []
    if summary["selected"] is not None:
        return ["More trials, a larger --margin or more data may help; the registry refuses it."]
    best, counts = record.get("best"), summary["trials"]
    if counts["fail"] and not counts["complete"] + counts["pruned"]:
        what = "The only trial" if counts["fail"] == 1 else f"All {counts['fail']:,} trials"
        return [f"{what} failed: the report and MLflow say why."]
    easier = "a lower --target" if higher(summary) else "a higher --target"
    wider = f"More trials, a larger space or {easier} would help."
    if not best:
        return [wider]
    told = (
        f"The best was trial {best['trial']}: {figure(best['score'])} with "
        f"{best['parameter_count']:,} parameters."
    )
    reaches = direction(summary["metric"]).reaches(best["score"], summary["target"])
    if not (summary["margin"] and reaches):
        return [told, wider]
    return [
        told,
        _chance(summary, best, record.get("standard_error") or 0.0),
        f"More validation rows, {easier} or, at that risk, a lower --margin would help.",
    ]


def _chance(summary: Values, best: Values, error: float) -> str:
    beyond = abs(best["score"] - summary["target"]) / error if error else 0.0
    return (
        f"That is {beyond:.1f} standard errors beyond {summary['target']:g}, not "
        f"{summary['margin']:g}: on {summary['rows']['validation']:,} validation rows one is "
        f"{figure(error)}, and chance alone may lift a worse model so far."
    )


def higher(summary: Values) -> bool:
    """Whether more is better."""
    return direction(summary["metric"]).higher_is_better


def spent(summary: Values) -> str:
    """Trials by state, epochs and seconds."""
    counts = summary["trials"]
    trials = "trial" if counts["complete"] == 1 else "trials"
    epochs = "epoch" if summary["epochs_trained"] == 1 else "epochs"
    return (
        f"{counts['complete']:,} {trials} complete, {counts['pruned']:,} stopped early, "
        f"{counts['rejected']:,} rejected untrained, {counts['fail']:,} failed; "
        f"{summary['epochs_trained']:,} {epochs} in {summary['seconds']:.0f} s."
    )
