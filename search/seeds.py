"""Seeds that follow from others, so that one number makes a whole search repeatable."""

from __future__ import annotations

import numpy as np


def derived(*parts: int) -> int:
    """A seed of 32 bits that hangs on all the parts, as a search's seed and a trial's number."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
