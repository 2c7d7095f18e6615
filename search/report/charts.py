"""The charts of the page, as Vega-Lite: each names the table that it draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from .record import OUTCOMES
from .words import higher, metric_name

Values = Mapping[str, Any]
Spec = dict[str, Any]

TALL, LOW = 340, 240  # pixels
NOT_USED = -0.1  # place on an axis of what a trial did not use
OUTCOME = alt.Scale(domain=list(OUTCOMES))


def size_score(summary: Values, scores: Sequence[float]) -> Spec:
    """Size against score of every trial, with the ladder and both target lines."""
    domain = _score_domain(summary, scores)
    y = alt.Y("score:Q", title=f"validation {metric_name(summary)}").scale(
        domain=domain, clamp=True
    )
    x = alt.X("parameter_count:Q", title="parameters").scale(type="log", nice=False, padding=12)
    trials = alt.Chart(alt.NamedData("trials")).transform_filter("isValid(datum.score)")
    points = trials.mark_point(
        filled=True, size=48, opacity=0.75, cursor="pointer", aria=False
    ).encode(
        x=x,
        y=y,
        color=_outcome(),
        shape=alt.Shape("outcome:N", title=None, scale=OUTCOME),
        tooltip=alt.value({"expr": "datum.tip"}),
        order=alt.Order("reached:Q"),
    )
    ladder = alt.Chart(alt.NamedData("ladder")).mark_line(interpolate="step-after", opacity=0.5)
    winner = alt.Chart(alt.NamedData("selected")).mark_point(size=260, strokeWidth=2.5)
    answer = [ladder.encode(x=x, y=y), points, winner.encode(x=x, y=y)]
    lines = alt.Chart(alt.NamedData("targets")).mark_rule(strokeDash=[6, 4])
    names = alt.Chart(alt.NamedData("targets")).mark_text(align="left", dx=4, dy=-6)
    here = {"x": alt.value(0), "y": alt.Y("score:Q").scale(domain=domain, clamp=True)}
    return _spec(
        alt.layer(
            lines.encode(y=here["y"]),
            names.encode(**here, text="name:N"),
            *(answer if summary["ladder"] else [points]),
        ),
        TALL,
    )


def incumbents(unit: str, title: str) -> Spec:
    """How the smallest model that has reached fell, over epochs or seconds."""
    chart = alt.Chart(alt.NamedData("incumbents")).encode(
        x=alt.X(f"{unit}:Q", title=title).axis(
            tickMinStep=1 if unit == "epochs_trained" else alt.Undefined
        ),
        y=alt.Y("parameter_count:Q", title="parameters").scale(type="log", nice=False, padding=16),
        tooltip=[
            "trial:N",
            alt.Tooltip("parameter_count:Q", title="parameters", format=","),
            alt.Tooltip("epochs_trained:Q", title="epochs trained", format=","),
            alt.Tooltip("seconds:Q", title="seconds", format=",.1f"),
        ],
    )
    return _spec(chart.mark_line(interpolate="step-after", point={"size": 50}), LOW)


def importances(hyperparameters: int) -> Spec:
    """Shares of the variance of score and of size that each of so many explains."""
    chart = alt.Chart(alt.NamedData("importances")).encode(
        x=alt.X("share:Q", title="share of the variance explained").axis(format="%", tickCount=8),
        y=alt.Y("hyperparameter:N", title=None, sort=None),
        yOffset=alt.YOffset("of:N", sort=["score", "size"]),
        color=alt.Color("of:N", title="of the", sort=["score", "size"]).legend(orient="top"),
        tooltip=["hyperparameter:N", "of:N", alt.Tooltip("share:Q", format=".1%")],
    )
    return _spec(chart.mark_bar(), 24 * hyperparameters)


def slices(summary: Values, scores: Sequence[float], *, numeric: bool, log: bool) -> Spec:
    """Score against the values of one hyperparameter, which the page puts in as `value`."""
    kind = "Q" if numeric else "N"
    x = alt.X(f"value:{kind}", title=None)
    chart = alt.Chart(alt.NamedData("slice")).encode(
        x=x.scale(type="log") if log else x.scale(zero=False) if numeric else x,
        y=alt.Y("score:Q", title=f"validation {metric_name(summary)}").scale(
            domain=_score_domain(summary, scores), clamp=True
        ),
        color=_outcome(),
        shape=alt.Shape("outcome:N", title=None, scale=OUTCOME),
        tooltip=alt.value({"expr": "datum.tip"}),
    )
    if not numeric:
        chart = chart.encode(xOffset="jitter:Q")
    return _spec(
        chart.mark_point(filled=True, size=36, opacity=0.7, cursor="pointer", aria=False), LOW
    )


def parallel(axes: Sequence[str]) -> Spec:
    """One line a trial over the most important hyperparameters, size and score."""
    base = alt.Chart(alt.NamedData("parallel"))
    x = alt.X("axis:N", title=None, sort=list(axes)).axis(
        orient="top", labelAngle=0, labelLimit=104, domain=False, offset=6
    )
    lines = base.mark_line(opacity=0.45, strokeWidth=1.3, cursor="pointer", aria=False).encode(
        x=x,
        y=_place("place"),
        detail="trial:N",
        color=_outcome(),
        tooltip=alt.value({"expr": "datum.tip"}),
        order=alt.Order("index:Q"),
    )
    ends = alt.Chart(alt.NamedData("axes")).encode(x=x)
    rules = ends.mark_rule(opacity=0.5).encode(y=_place("bottom"), y2="top:Q")
    text = ends.mark_text(align="left", dx=5, fontSize=10, fontWeight="bold")
    low = text.encode(y=_place("bottom"), text="low:N")
    high = text.encode(y=_place("top"), text="high:N")
    return _spec(alt.layer(rules, lines, low, high), TALL)


def _place(field: str) -> alt.Y:
    return alt.Y(f"{field}:Q").axis(None).scale(domain=[NOT_USED, 1])


def curves(summary: Values) -> Spec:
    """Learning curves of the ladder's models, in the run that was kept."""
    chart = alt.Chart(alt.NamedData("curves")).encode(
        x=alt.X("epoch:Q", title="epoch").axis(tickMinStep=1, format="d"),
        y=alt.Y("score:Q", title=f"validation {metric_name(summary)}").scale(zero=False),
        color=alt.Color("model:N", title="parameters", sort=None)
        .scale(scheme="tableau10")
        .legend(orient="top", columns=6),
        tooltip=["trial:N", "model:N", "epoch:Q", alt.Tooltip("score:Q", format=".4~r")],
    )
    line = alt.Chart(alt.NamedData("targets")).mark_rule(strokeDash=[6, 4]).encode(y="score:Q")
    return _spec(alt.layer(line, chart.mark_line(point={"size": 20})), LOW)


def budget() -> Spec:
    """Where trials, epochs and seconds went."""
    chart = alt.Chart(alt.NamedData("spent")).encode(
        x=alt.X("amount:Q", title=None).stack("normalize").axis(format="%", tickCount=8),
        y=alt.Y("of:N", title=None, sort=["trials", "epochs", "seconds"]),
        color=_outcome(),
        order=alt.Order("index:Q"),
        tooltip=["outcome:N", "of:N", alt.Tooltip("amount:Q", format=",")],
    )
    return _spec(chart.mark_bar(), 3 * 44)


def confusion(classes: Sequence[str]) -> Spec:
    """Test rows by true and predicted class."""
    base = alt.Chart(alt.NamedData("confusion")).encode(
        x=alt.X("predicted:N", sort=list(classes)).axis(
            orient="top", labelAngle=0, labelLimit=alt.ExprRef(f"width / {len(classes)} - 6")
        ),
        y=alt.Y("true:N", sort=list(classes)),
        tooltip=["true:N", "predicted:N", "rows:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    squares = base.mark_rect().encode(
        color=alt.Color("share:Q", title="of the true class", legend=None).scale(domain=[0, 1])
    )
    numbers = base.transform_filter("datum.rows > 0").mark_text(fontSize=11)
    dark = alt.condition("datum.share > 0.5", alt.value("white"), alt.value("#57606a"))
    return _spec(alt.layer(squares, numbers.encode(text="rows:Q", color=dark)), 26 * len(classes))


def residuals(metric: str) -> Spec:
    """Predictions against the truth on test rows, with the line where both are the same."""
    base = alt.Chart(alt.NamedData("residuals"))
    points = base.mark_point(filled=True, size=22, opacity=0.5).encode(
        x=alt.X("true:Q").scale(zero=False),
        y=alt.Y("predicted:Q").scale(zero=False),
        tooltip=["true:Q", "predicted:Q", "residual:Q"],
    )
    line = base.mark_line(strokeDash=[6, 4]).encode(
        x="true:Q", y=alt.Y("true:Q", title="predicted")
    )
    return _spec(alt.layer(line, points, title=f"test rows ({metric})"), TALL)


def _outcome() -> alt.Color:
    return alt.Color("outcome:N", title=None, scale=OUTCOME).legend(orient="top", columns=3)


def _score_domain(summary: Values, scores: Sequence[float]) -> list[float]:
    """Scores near the target, or near the best: some that went astray would press all together."""
    sign = 1 if higher(summary) else -1
    marks = [sign * summary[name] for name in ("target", "search_target")]
    values = [*marks, *(sign * score for score in scores)]
    top, best = max(values), max(values[len(marks) :], default=max(marks))
    reach = 4 * max(top - min(*marks, best), abs(top) * 0.005, 1e-9)
    low = max(min(values), top - reach)
    room = 0.04 * (top - low)
    return sorted([sign * (low - room), sign * (top + room)])


def _spec(chart: Any, height: int) -> Spec:
    spec: Spec = chart.properties(width="container", height=height).to_dict()
    spec.pop("config", None)  # colours are the page's own, which knows light and dark
    return spec
