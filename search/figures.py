"""How scores, sizes and sentences are written for people."""

from __future__ import annotations

ENDLESS = 1e30  # a bound beyond bounds nothing: what is infinite has to be a number in JSON


def figure(value: float) -> str:
    """Four decimals; three digits of what is below 0.01, and thousands apart of what is large."""
    if abs(value) >= 1e12:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.1f}"
    return f"{value:.3g}" if 0 < abs(value) < 0.01 else f"{value:.4f}"


def shortened(value: float, digits: int) -> float:
    """The number with so many significant digits: fewer to keep, however small it is."""
    return float(f"{value:.{digits}g}")


def limit(bound: float) -> str:
    """A confidence bound; "none" of one that is as bad as a number can be."""
    return "none" if abs(bound) >= ENDLESS else figure(bound)


def sentence(words: str) -> str:
    """Words as a sentence: a capital letter before, a full stop behind."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def times(other: int, count: int, name: str) -> str:
    """How `count` parameters compare with those of another: "5.0 times smaller than X (3,694)"."""
    if other == count:
        return f"as small as {name} ({other:,})"
    change = "smaller" if count < other else "larger"
    ratio = max(other, count) / max(min(other, count), 1)
    if ratio < 1.995:
        amount = f"{100 * abs(other - count) / max(other, 1):.0f} %"
    else:
        amount = f"{ratio:,.1f} times"
    return f"{amount} {change} than {name} ({other:,})"
