"""How scores and sentences are written for people."""

from __future__ import annotations


def figure(value: float) -> str:
    """Four decimals; three digits of what is below 0.01, and thousands apart of what is large."""
    if abs(value) >= 1000:
        return f"{value:,.1f}"
    return f"{value:.3g}" if 0 < abs(value) < 0.01 else f"{value:.4f}"


def sentence(words: str) -> str:
    """Words as a sentence: a capital letter before, a full stop behind."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."
