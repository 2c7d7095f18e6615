"""What MODULE:NAME on the command line stands for."""

from __future__ import annotations

import pkgutil
from typing import Any

from .errors import InputError, in_one_line


def resolved(reference: str, what: str) -> Any:
    """The object that MODULE:NAME names.

    Args:
        what: it is to be, for the message.

    Raises InputError, whatever that module raises while it is imported.
    """
    try:
        return pkgutil.resolve_name(reference)
    except Exception as error:
        problem = in_one_line(error)
        raise InputError(f"{what} {reference!r} cannot be imported: {problem}.") from error
