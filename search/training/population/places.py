"""Where the lanes of a program run: all devices take a part of them each."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

LANES, EVERYWHERE = PartitionSpec("lanes"), PartitionSpec()
ALIGNED = 64  # bytes


def devices() -> list[Any]:
    """All that JAX sees: GPUs where there are any, else a device a core, see `backend`."""
    return list(jax.local_devices())


@cache
def lanes_mesh() -> Mesh:
    """The devices as one axis, along which lanes are spread."""
    return Mesh(np.array(devices()), ("lanes",))


def placed(spec: PartitionSpec) -> NamedSharding:
    """How an array lies on the devices."""
    return NamedSharding(lanes_mesh(), spec)


def everywhere(values: Any) -> Any:
    """Arrays on each device; those of a processor share one copy."""
    return jax.device_put(jax.tree.map(_aligned, values), placed(EVERYWHERE))


def _aligned(values: Any) -> Any:
    """A copy that begins where JAX can take memory over as it is."""
    values = np.asarray(values)
    memory = np.empty(values.nbytes + ALIGNED, "uint8")
    start = -memory.ctypes.data % ALIGNED
    copy = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
