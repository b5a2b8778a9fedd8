# SPDX-License-Identifier: Apache-2.0
"""Offsets for buffers with known lifetimes: dynamic storage allocation.

The problem is NP-hard. First-fit over a few good orders is usually optimal for networks; where it
is not, a bounded, seeded local search over orders follows. The lower bound (the largest sum of
sizes alive at one time) says how far from optimal the result can be at most.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

_SEARCH_STEPS = 400
Intervals = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Item:
    """``size`` bytes, alive during ``intervals`` (inclusive times)."""

    size: int
    intervals: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Packing:
    """An offset in bytes for every item, what they need in all, and what no packing can beat."""

    offsets: tuple[int, ...]
    peak: int
    lower_bound: int


def _align(n: int, alignment: int) -> int:
    return -(-n // alignment) * alignment


def _conflicts(items: Sequence[Item]) -> list[list[int]]:
    return [
        [
            j
            for j, b in enumerate(items)
            if i != j and any(s <= f and t <= e for s, e in a.intervals for t, f in b.intervals)
        ]
        for i, a in enumerate(items)
    ]


def _first_fit(
    items: Sequence[Item], order: Sequence[int], conflicts: Sequence[Sequence[int]], alignment: int
) -> tuple[list[int], int]:
    offsets = [-1] * len(items)
    peak = 0
    for i in order:
        taken = sorted(
            (offsets[j], offsets[j] + items[j].size) for j in conflicts[i] if offsets[j] >= 0
        )
        at = 0
        for begin, end in taken:
            if at + items[i].size <= begin:
                break
            at = max(at, _align(end, alignment))
        offsets[i] = at
        peak = max(peak, at + items[i].size)
    return offsets, peak


def _lower_bound(items: Sequence[Item], alignment: int) -> int:
    times = {t for item in items for interval in item.intervals for t in interval}
    bound = 0
    for time in times:
        alive = [i.size for i in items if any(s <= time <= e for s, e in i.intervals)]
        # The last one needs no padding behind it.
        padded = sum(_align(size, alignment) for size in alive)
        slack = max((_align(size, alignment) - size for size in alive), default=0)
        bound = max(bound, padded - slack)
    return bound


def pack(items: Sequence[Item], alignment: int, seed: int = 0) -> Packing:
    """Finds offsets, multiples of ``alignment``, such that items alive together are apart."""
    if not items:
        return Packing((), 0, 0)
    conflicts = _conflicts(items)
    bound = _lower_bound(items, alignment)
    span = [sum(e - s + 1 for s, e in item.intervals) for item in items]
    everything = range(len(items))
    orders = [
        sorted(everything, key=lambda i: (-items[i].size, items[i].intervals)),
        sorted(everything, key=lambda i: (-items[i].size * span[i], items[i].intervals)),
        sorted(everything, key=lambda i: (items[i].intervals, -items[i].size)),
        sorted(everything, key=lambda i: (-span[i], -items[i].size)),
    ]
    best_order, (best, peak) = min(
        ((o, _first_fit(items, o, conflicts, alignment)) for o in orders), key=lambda r: r[1][1]
    )
    rng = random.Random(seed)
    order = list(best_order)
    for _ in range(_SEARCH_STEPS if len(items) > 2 else 0):
        if peak <= bound:
            break
        i, j = rng.sample(everything, 2)
        order[i], order[j] = order[j], order[i]
        offsets, candidate = _first_fit(items, order, conflicts, alignment)
        if candidate <= peak:
            best, peak = offsets, candidate
        else:
            order[i], order[j] = order[j], order[i]
    return Packing(tuple(best), peak, bound)
