"""Which members share a program, to what widths they are padded, and how many lanes it has."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence

import jax

from .layout import Layout, Widths, padded_widths
from .lowering import Member
from .places import devices

WORK = 2**18  # numbers in one layer's outputs that a core takes at a time; beyond, lanes cost time
MOST = {"cpu": 64}  # lanes of a core: more of them take no less time each
MOST_ELSEWHERE = 256
SHARE = 0.5  # of a device's memory
COPIES = 3  # of all that a layer makes of a row: itself, its gradient, a passing copy
PROGRAM = 5e10  # multiplications that take as long as another program's compilation
EPOCHS = 10  # of a run, of which many are stopped


def parts(members: Sequence[Member], rows: int) -> list[list[Member]]:
    """Members of a template by the program that trains them.

    Where there is room for one lane a device, padding costs time: then those of much the same
    widths go together, and two groups become one where that costs less than another program.
    """
    if sized(members)[1] > len(devices()):
        return [list(members)]
    groups: dict[Widths, list[Member]] = {}
    for member in members:
        groups.setdefault(padded_widths([member], close=True), []).append(member)
    merged = list(groups.values())
    while len(merged) > 1:
        pairs = itertools.combinations(range(len(merged)), 2)
        dearer, one, other = min((_dearer(merged[a], merged[b], rows), a, b) for a, b in pairs)
        if dearer > PROGRAM:
            break
        merged[one] = merged[one] + merged.pop(other)
    return merged


def sized(members: Sequence[Member]) -> tuple[Widths, int]:
    """The widths of a program for these members, and its lanes: a multiple of the devices."""
    widths, number = padded_widths(members), len(devices())
    needed = 1 << (math.ceil(len(members) / number) - 1).bit_length()
    most = MOST.get(jax.default_backend(), MOST_ELSEWHERE)
    lanes = 1 << (max(1, min(_room(members[0], widths), most, needed)).bit_length() - 1)
    return (widths if lanes > 1 else padded_widths(members, close=True)), lanes * number


def is_brief(member: Member, widths: Widths, lanes: int, rows: int) -> bool:
    """Whether a program's runs take less time than its compilation with full effort."""
    work = _work(member, widths) * lanes / len(devices())
    return lanes > len(devices()) and EPOCHS * rows * work < PROGRAM


def _room(member: Member, widths: Widths) -> int:
    """Lanes that a device has memory for, and a core time."""
    layout, batch_size = Layout.of(member, widths), member.template.batch_size
    weights = sum(math.prod(place.shape) for place in layout.places)
    numbers = COPIES * batch_size * layout.row_total + 4 * weights
    room = int(SHARE * _memory() / (4 * numbers))
    if jax.default_backend() == "cpu":
        return min(room, WORK // (batch_size * layout.row_size))
    return room


def _memory() -> float:
    """Bytes of one device: what it says of itself, else its part of the machine's."""
    statistics = devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return float(statistics["bytes_limit"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / len(devices())


def _dearer(some: list[Member], others: list[Member], rows: int) -> float:
    """Multiplications that one program for both takes more than one each, on each device."""
    merged = _rounds([*some, *others]) - _rounds(some) - _rounds(others)
    return EPOCHS * rows * merged


def _rounds(members: list[Member]) -> float:
    """Multiplications of a row for all of them; a lane without a run takes as long as one with."""
    widths = padded_widths(members, close=True)
    return math.ceil(len(members) / len(devices())) * _work(members[0], widths)


def _work(member: Member, widths: Widths) -> float:
    """Multiplications of a row, forward and backward."""
    layout = Layout.of(member, widths)
    return 3.0 * sum(
        math.prod(place.shape) * math.prod(member.shapes[place.node]) for place in layout.places
    )
