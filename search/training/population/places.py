"""Where the lanes of a program run: all devices take a part of them each."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

LANES, EVERYWHERE = PartitionSpec("lanes"), PartitionSpec()


def devices() -> list[Any]:
    """All that JAX sees: GPUs where there are any, else a device a core, see `backend`."""
    return list(jax.local_devices())


@cache
def lanes_mesh() -> Mesh:
    """The devices as one axis, along which lanes are spread."""
    return Mesh(np.array(devices()), ("lanes",))


def everywhere(values: Any) -> Any:
    """An array on each device."""
    return jax.device_put(values, NamedSharding(lanes_mesh(), EVERYWHERE))
