"""Memory that a step of a population reads and writes on a GPU; none is needed for it.

    pip install -c constraints.txt "jax[cuda13]"
    python benchmarks/throughput/traffic.py mnist 32

Arguments: the task, how many lanes. XLA compiles the epoch for an H200, and what each of its
kernels reads and writes in a step is added up, for each way to compute convolutions there. It says
nothing of how long they take but for the least: that device's memory moves 4.8 TB a second.
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections import defaultdict

import numpy as np

os.environ["JAX_SKIP_CUDA_CONSTRAINTS_CHECK"] = "1"  # of a driver
os.environ["KERAS_BACKEND"] = "jax"
os.environ["XLA_FLAGS"] = "--xla_gpu_autotune_level=0"  # which would need a GPU
import jax
from jax import ShapeDtypeStruct
from jax.experimental import topologies
from occam.search.counting import unallocated
from occam.search.training.population import optimizers, stem, windows
from occam.search.training.population.dataset import Dataset
from occam.search.training.population.layout import padded_widths
from occam.search.training.population.lowering import lower
from occam.search.training.population.program import Program
from tasks import TASKS

H200 = """
gpu_device_info {
  name: "NVIDIA H200"  cuda_compute_capability { major: 9 }
  device_vendor: "NVIDIA Corporation"  platform_version: "Compute Capability 9.0"
  core_count: 132  fpus_per_core: 128  threads_per_warp: 32  clock_rate_ghz: 1.98
  threads_per_block_limit: 1024  threads_per_core_limit: 2048
  thread_dim_limit_x: 1024  thread_dim_limit_y: 1024  thread_dim_limit_z: 64
  block_dim_limit_x: 2147483647  block_dim_limit_y: 65535  block_dim_limit_z: 65535
  registers_per_core_limit: 65536  registers_per_block_limit: 65536
  shared_memory_per_block: 49152  shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448  l2_cache_size: 52428800
  memory_bandwidth: 4800000000000  device_memory_size: 151397597184  device_address_bits: 64
  driver_version: "13.0.0"  runtime_version: "13.0.0"  compile_time_toolkit_version: "13.0.0"
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
"""
BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4}
FREE = {"parameter", "get-tuple-element", "tuple", "bitcast", "constant", "while"}
SHAPE = re.compile(rf"\b({'|'.join(BYTES)})\[([\d,]*)\]")
INSTRUCTION = re.compile(r"\s+(?:ROOT )?%([\w.-]+) = (.*?) ([\w-]+)\((.*?)\)(?:, |$)")


def compiled_for_gpu(task: str, lanes: int) -> str:
    """What XLA makes of an epoch of a population of this task."""
    topology = topologies.get_topology_desc(
        platform="cuda", topology_name="1x1x1", topology="1x1x1", target_config=H200
    )
    mesh = jax.sharding.Mesh(np.array(topology.devices[:1]), ("all",))
    there = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    (x, y, x_validation, _), make, batch_size = TASKS[task]()
    rng = np.random.default_rng(0)
    with unallocated():
        members = [lower(make(rng), batch_size) for _ in range(lanes)]
    data = Dataset((x, y), x_validation)
    program = Program(members[0], padded_widths(members), data, lanes, penalized=False)
    orders = ShapeDtypeStruct((lanes, program.steps, batch_size), "int32")
    coefficients = ShapeDtypeStruct((lanes, program.steps, len(optimizers.NAMES)), "float32")
    given = jax.tree.map(
        lambda each: ShapeDtypeStruct(each.shape, each.dtype, sharding=there),
        (program._states, orders, coefficients, program._data),
    )
    epoch = jax.jit(jax.vmap(program._epoch, in_axes=(0, 0, 0, None)), out_shardings=there)
    with jax.default_matmul_precision("highest"):
        return epoch.lower(*given).compile().as_text()


def traffic(text: str) -> int:
    """Bytes that the loop over steps reads and writes in each, which has gradients."""
    totals: dict[str, int] = defaultdict(int)
    learning: set[str] = set()
    sizes: dict[str, int] = {}
    computation = ""
    for line in text.splitlines():
        if opened := re.match(r"(?:ENTRY )?%([\w.-]+) \(.*\{$", line):
            computation, sizes = opened[1], {}
        elif found := INSTRUCTION.match(line):
            name, shape, operation, operands = found.groups()
            sizes[name] = sum(
                BYTES[kind] * math.prod(int(n) for n in axes.split(",") if n)
                for kind, axes in SHAPE.findall(shape)
            )
            if "transpose(jvp" in line:
                learning.add(computation)
            read = sum(sizes.get(each, 0) for each in re.findall(r"%([\w.-]+)", operands))
            totals[computation] += 0 if operation in FREE else sizes[name] + read
    return max(totals[name] for name in learning if f"body=%{name}" in text)


def main() -> None:
    task, lanes = sys.argv[1], int(sys.argv[2])
    jax.config.update("jax_platforms", "cpu")
    jax.devices()
    jax.default_backend = lambda: "gpu"
    windows.has_rounded_units = lambda: True
    for convolution, first in (("sums", "columns"), ("kernels", "kernels")):
        windows.tried, stem.tried = lambda way=convolution: way, lambda way=first: way
        moved = traffic(compiled_for_gpu(task, lanes)) / lanes
        print(
            f"{task}, convolutions by {convolution}, first layers by {first}: "
            f"{moved / 1e6:.0f} MB a step and member, {moved / 4.8e6:.1f} us at least"
        )


if __name__ == "__main__":
    main()
