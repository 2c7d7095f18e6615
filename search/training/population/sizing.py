"""Which members share a program, to what widths they are padded, and how many lanes it has."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import jax

from .layout import Layout, Widths, padded_widths
from .lowering import Member
from .places import devices

Work = Callable[[Widths], float]  # multiplications of a row, at certain widths

WORK = 2**18  # numbers in one layer's outputs that a core takes at a time; beyond, lanes cost time
SHARE = 0.5  # of a device's memory
COPIES = 3  # of all that a layer makes of a row: itself, its gradient, a passing copy
EPOCHS = 10  # of a run, of which many are stopped
FEW, STEP = 8, 8  # lanes: powers of two up to so many, then multiples


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What a kind of device does in what time, in multiplications of a row over all its lanes.

    Args:
        most: lanes; more of them take no less time each.
        program: multiplications, of all rows, that take as long as another compilation.
        idle: up to so many take no longer than fewer.
        busy: more take longer by as much.
        brief: multiplications, of all rows, too few for a compilation with full effort.
    """

    most: int
    program: float
    idle: float
    busy: float
    brief: float


CORE = Speed(most=64, program=5e10, idle=0, busy=math.inf, brief=5e10)  # `WORK` bounds its lanes
GPU = Speed(most=256, program=2e13, idle=8e6, busy=1e8, brief=3e12)  # H200: benchmarks/README.md


def parts(members: Sequence[Member], rows: int) -> list[list[Member]]:
    """Members of a template by the program that trains them.

    Where each lane costs time, so does padding: then those of much the same widths go together,
    and two groups become one where that costs less than another program.
    """
    if _is_free(members):
        return [list(members)]
    groups: dict[Widths, list[Member]] = {}
    for member in members:
        groups.setdefault(padded_widths([member], close=True), []).append(member)
    work = cache(partial(_work, members[0]))
    merged = list(groups.values())
    while len(merged) > 1:
        pairs = itertools.combinations(range(len(merged)), 2)
        costs = ((_dearer(merged[a], merged[b], rows, work), a, b) for a, b in pairs)
        dearer, one, other = min(costs)
        if dearer > _speed().program:
            break
        merged[one] = merged[one] + merged.pop(other)
    return merged


def sized(members: Sequence[Member]) -> tuple[Widths, int]:
    """The widths of a program for these members, and its lanes: a multiple of the devices."""
    number = len(devices())
    widths = padded_widths(members, close=not _is_free(members))
    room = max(1, min(_room(members[0], widths), _speed().most))
    room = room if room > FEW else 1 << (room.bit_length() - 1)
    needed = math.ceil(len(members) / number)
    of_a_round = math.ceil(needed / math.ceil(needed / room))  # where all train for as long
    return widths, min(room, _rounded(of_a_round)) * number


def _rounded(lanes: int) -> int:
    """Of few different numbers, for programs to be taken again."""
    return 1 << (lanes - 1).bit_length() if lanes <= FEW else -(-lanes // STEP) * STEP


def proposed_together(member: Member, most: int) -> int:
    """Trials to propose at a time, where models are like this one: two for each lane that is free.

    Where every lane costs time, what is known of the others helps more than company in a program.
    """
    room = max(1, _room(member, padded_widths([member])))
    return min(most, 2 * room * len(devices()))


def _is_free(members: Sequence[Member]) -> bool:
    """Whether more lanes take no longer than one, so that padding costs nothing."""
    widths = padded_widths(members)
    if jax.default_backend() == "cpu":
        return _room(members[0], widths) > 1 and len(members) > len(devices())
    return len(members) * _work(members[0], widths) <= len(devices()) * GPU.idle


def _speed() -> Speed:
    return CORE if jax.default_backend() == "cpu" else GPU


def is_brief(member: Member, widths: Widths, lanes: int, rows: int) -> bool:
    """Whether a program's runs take less time than its compilation with full effort."""
    work = _work(member, widths) * lanes / len(devices())
    return EPOCHS * rows * work < _speed().brief


def _room(member: Member, widths: Widths) -> int:
    """Lanes that a device has memory for, and a core time."""
    layout, batch_size = Layout.of(member, widths), member.template.batch_size
    weights = sum(math.prod(place.shape) for place in layout.places)
    numbers = COPIES * batch_size * layout.row_total + 4 * weights
    room = int(SHARE * _memory() / (4 * numbers))
    if jax.default_backend() == "cpu":
        return min(room, WORK // (batch_size * layout.row_size))
    return min(room, max(FEW, int(GPU.busy / _work(member, widths))))


def _memory() -> float:
    """Bytes of one device: what it says of itself, else its part of the machine's."""
    statistics = devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return float(statistics["bytes_limit"])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / len(devices())


def _dearer(some: list[Member], others: list[Member], rows: int, work: Work) -> float:
    """Multiplications that one program for both takes more than one each, on each device."""
    merged = _rounds([*some, *others], work) - _rounds(some, work) - _rounds(others, work)
    return EPOCHS * rows * merged


def _rounds(members: list[Member], work: Work) -> float:
    """Multiplications of a row for all of them; a lane without a run takes as long as one with."""
    each = work(padded_widths(members, close=True))
    return max(_speed().idle, math.ceil(len(members) / len(devices())) * each)


def _work(member: Member, widths: Widths) -> float:
    """Multiplications of a row, forward and backward."""
    layout = Layout.of(member, widths)
    return 3.0 * sum(
        math.prod(place.shape) * math.prod(member.shapes[place.node]) for place in layout.places
    )
