"""What Occam raises on purpose.

OccamError              the message is for the person at the terminal: one line, no traceback
├── InputError          what was given cannot be used: exit 2, before anything is trained or written
│   └── MissingData     a data file is not there
├── Refused             the registry does not take a model; the message says why and what to do
└── Unreachable         MLflow's store does not answer; what was trained waits for it
"""

from __future__ import annotations

import re

LONGEST = 500  # characters of an error that is passed on


class OccamError(Exception):
    """An error whose message says all that the user needs."""


class Unreachable(OccamError):
    """MLflow's store failed while it was being written or read."""


class Refused(OccamError):
    """The registry does not take a model."""


class InputError(OccamError, ValueError):
    """What the user gave cannot be used."""


class MissingData(InputError):
    """A data file that a pipeline reads is not there."""


def in_one_line(error: BaseException) -> str:
    """Kind and message of what somebody else has raised, cut off if long.

    Without its colours, as Keras writes them, and without its full stop.
    """
    text = re.sub(r"\x1b\[[\d;]*m", "", f"{type(error).__name__}: {error}")
    return " ".join(text.split())[:LONGEST].rstrip(".: ")


def first_line(error: BaseException) -> str:
    """First line of an error's message, without its full stop."""
    text = str(error).strip() or type(error).__name__
    return text.partition("\n")[0].strip().rstrip(". ")


def reason(error: BaseException) -> str:
    """First line of what is at the bottom of an error, which says more than what wraps it."""
    while isinstance(inner := getattr(error, "orig", None) or error.__cause__, Exception):
        error = inner
    return first_line(error)


def redacted(text: str) -> str:
    """`text` without the passwords of the addresses in it."""
    text = re.sub(r"(://[^/:@\s]*):[^/\s]*@", r"\1:***@", text)
    return re.sub(r"(?i)([?&;](?:password|passwd|pwd|token|secret)=)[^&;\s'\"]*", r"\1***", text)
