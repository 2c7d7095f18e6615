"""What Occam raises on purpose.

OccamError              the message is for the person at the terminal: one line, no traceback
└── InputError          what was given cannot be used: exit 2, before anything is trained or written
"""

from __future__ import annotations


class OccamError(Exception):
    """An error whose message says all that the user needs."""


class InputError(OccamError, ValueError):
    """What the user gave cannot be used."""
