"""The answer in words: how small the model is, against what, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..figures import ENDLESS, figure, times
from ..metrics import direction

Values = Mapping[str, Any]


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


def higher(summary: Values) -> bool:
    """Whether more is better."""
    return direction(summary["metric"]).higher_is_better


def spent(summary: Values) -> str:
    """Trials by state, epochs and seconds."""
    counts = summary["trials"]
    trials = "trial" if counts["complete"] == 1 else "trials"
    return (
        f"{counts['complete']:,} {trials} complete, {counts['pruned']:,} stopped early, "
        f"{counts['rejected']:,} rejected untrained, {counts['fail']:,} failed; "
        f"{summary['epochs_trained']:,} epochs in {summary['seconds']:.0f} s."
    )
