"""The arrays that a search computes with."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Rows = tuple[Array, Array]  # labels and a model's outputs
