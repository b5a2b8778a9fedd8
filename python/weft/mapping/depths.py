# SPDX-License-Identifier: Apache-2.0
"""How deep channels must be, so that no credit cycle is slower than the bottleneck.

Depths reach a period ``T`` exactly if start times exist with ``s_v >= s_u + cycles_u`` along every
channel from ``u`` to ``v``, and ``s_u + T * depth >= s_v + cycles_v`` back along it; that is, if
round every cycle the depths add up to at least ``ceil(cycles / T)``. So the least memory is a
covering problem in whole numbers, one row for each of too many cycles, NP-hard in general.

**Heuristic.** Rows are met when they are broken: channels are tied up one after the other, and
start times repaired locally (after Cotton and Maler, "Fast and flexible difference constraint
propagation for DPLL(T)", 2006). Where a repair comes round, a cycle is short of depth. Primal-dual:
the row gets a price, as high as the bytes of its rings allow, and the ring whose bytes are spent is
deepened. At the end, every ring that was deepened is made as shallow again as the others allow.
This is done for a few orders, and the best is taken.

**Exact.** The depths always allow the period: start times were found. No ring that costs bytes can
be made shallower alone, unless the steps ran out. The sum of prices is a lower bound on memory by
linear duality; its rows are rounded up, so it is often above that of the linear relaxation.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from weft.mapping.marked_graph import (
    Channel,
    Transition,
    in_turns,
    index_of,
    loads,
    place_in,
    topological_order,
)

# Repairs of one start time; a million take about five seconds. Networks of thousands of shards
# need some ten thousands; random graphs of that size can need millions.
_STEPS = 1_000_000


@dataclass(frozen=True)
class Ring:
    """Slots of ``slot_bytes`` that one or more channels, (producer, consumer) by name, go through.

    Several producers that write into one slot share a ring, and so do several consumers that read
    one: their channels have the same depth, and the bytes are counted once. ``least`` is the fewest
    slots that are allowed.
    """

    channels: tuple[tuple[str, str], ...]
    slot_bytes: int
    least: int = 1

    def __post_init__(self) -> None:
        if not self.channels:
            raise ValueError("a ring without channels")
        if self.slot_bytes < 0:
            raise ValueError(f"a slot of {self.slot_bytes} bytes in a ring of {self.channels[0]}")
        if self.least < 1:
            raise ValueError(f"{self.least} slots in a ring of {self.channels[0]}")


@dataclass(frozen=True)
class Depths:
    """Slots of every ring, what they take in all, and what no choice for that period can beat."""

    depths: tuple[int, ...]
    bytes: int
    lower_bound: int
    period_cycles: Fraction

    @property
    def gap(self) -> float:
        """By how much of the lower bound ``bytes`` may be too high at most; 0.0 is optimal."""
        return self.bytes / self.lower_bound - 1 if self.lower_bound else 0.0


def with_depths(rings: Sequence[Ring], depths: Sequence[int]) -> tuple[Channel, ...]:
    """The channels of all rings, ring after ring."""
    return tuple(
        Channel(producer, consumer, depth)
        for ring, depth in zip(rings, depths, strict=True)
        for producer, consumer in ring.channels
    )


def choose_depths(
    transitions: Sequence[Transition],
    rings: Sequence[Ring],
    period_cycles: Fraction | int | None = None,
    *,
    guaranteed: bool = False,
    steps: int = _STEPS,
) -> Depths:
    """Depths of little memory at which the credits allow a frame every ``period_cycles``.

    By default the period is that of the busiest resource; a longer one saves memory. Where
    transitions share a resource, each may have to wait for its turn, and depths that just allow the
    period need not reach it. With ``guaranteed`` they do, by ``in_turns``, and cost more.

    ``steps`` limits the search; the same arguments give the same depths. ``ValueError`` if channels
    close a cycle, or if a resource is kept for longer than the period.
    """
    load = max(loads(transitions).values(), default=0)
    period = Fraction(load if period_cycles is None else period_cycles)
    if period < load:
        raise ValueError(f"a resource is kept {load} cycles a frame, and the period is {period}")
    problem = _Problem(in_turns(transitions) if guaranteed else transitions, rings, period)
    if not period:
        return _as_depths(rings, problem.least, problem.bytes_of(problem.least), period)
    least = problem.least_depths(steps)
    # Start times without credits; what depths they come to is the answer if nothing better is.
    start = problem.earliest()
    depths = problem.depths_for(start, least)
    lower_bound = problem.bytes_of(least)
    reduced = False
    left, last = steps, 0
    for order in _orders(rings):
        # What was not enough for the order before is not begun with.
        if problem.bytes_of(depths) == lower_bound or left < last:
            break
        search = _Search(problem, list(least), least, list(start))
        solved = search.solve(order, left)
        left, last = left - search.steps, search.steps
        lower_bound = max(lower_bound, search.lower_bound)
        if not solved:
            break
        search.reduce(list(dict.fromkeys(reversed(search.deepened))), steps)
        if problem.bytes_of(search.depths) < problem.bytes_of(depths):
            depths, reduced = search.depths, True
    if not reduced and problem.bytes_of(depths) > lower_bound:
        search = _Search(problem, depths, least, start)
        search.tie_all()
        search.reduce(_orders(rings)[-1], steps)
        depths = search.depths
    return _as_depths(rings, depths, lower_bound, period)


def _as_depths(
    rings: Sequence[Ring], depths: Sequence[int], lower_bound: int, period: Fraction
) -> Depths:
    total = sum(ring.slot_bytes * d for ring, d in zip(rings, depths, strict=True))
    return Depths(tuple(depths), total, lower_bound, period)


def _orders(rings: Sequence[Ring]) -> list[list[int]]:
    """Small slots first, as given, the other way, and large slots first."""
    given = list(range(len(rings)))
    by_size = sorted(given, key=lambda r: rings[r].slot_bytes)
    return [by_size, given, given[::-1], sorted(given, key=lambda r: -rings[r].slot_bytes)]


class _Problem:
    """The rings in numbers. Times are scaled so that the period is a whole number too."""

    def __init__(
        self, transitions: Sequence[Transition], rings: Sequence[Ring], period: Fraction
    ) -> None:
        index = index_of(transitions)
        self.cycles = [t.cycles * period.denominator for t in transitions]
        self.period = period.numerator
        self.slot_bytes = [ring.slot_bytes for ring in rings]
        self.least = [ring.least for ring in rings]
        self.ends = [
            [(place_in(index, p), place_in(index, c)) for p, c in ring.channels] for ring in rings
        ]
        self.consumers: list[list[int]] = [[] for _ in transitions]
        for ends in self.ends:
            for producer, consumer in ends:
                self.consumers[producer].append(consumer)
        n = len(transitions)
        self.order = topological_order(n, [end for ends in self.ends for end in ends])
        if len(self.order) < n:
            stuck = min(set(range(n)) - set(self.order))
            raise ValueError(f"channels close a cycle on the way to {transitions[stuck].name}")

    def slots_for(self, cycles: int) -> int:
        """How many credits must be on a cycle that takes so long."""
        return max(1, -(-cycles // self.period))

    def bytes_of(self, depths: Sequence[int]) -> int:
        return sum(size * depth for size, depth in zip(self.slot_bytes, depths, strict=True))

    def earliest(self) -> list[int]:
        """Start times of the first frame if there were credits without end."""
        start = [0] * len(self.cycles)
        for u in self.order:
            end = start[u] + self.cycles[u]
            for v in self.consumers[u]:
                start[v] = max(start[v], end)
        return start

    def depths_for(self, start: Sequence[int], least: Sequence[int]) -> list[int]:
        """The depths at which these start times repeat every period."""
        return [
            max(low, *(self.slots_for(start[v] + self.cycles[v] - start[u]) for u, v in ends))
            for low, ends in zip(least, self.ends, strict=True)
        ]

    def least_depths(self, steps: int) -> list[int]:
        """What every ring needs at least: of cycles that go back along one channel.

        That is the longest path from producer to consumer. Where it would take too many steps to
        find, the two of them alone.
        """
        level = [0] * len(self.cycles)
        for u in self.order:
            for v in self.consumers[u]:
                level[v] = max(level[v], level[u] + 1)
        place = {u: at for at, u in enumerate(self.order)}
        rings: list[list[tuple[int, int]]] = [[] for _ in self.cycles]
        for r, ends in enumerate(self.ends):
            for producer, consumer in ends:
                rings[producer].append((consumer, r))
        least = list(self.least)
        left = 20 * steps  # these are much shorter ones
        for producer, readers in enumerate(rings):
            top = max((level[consumer] for consumer, _ in readers), default=0)
            end = {consumer: self.cycles[producer] for consumer, _ in readers}
            # Levels grow along the order and along every channel: to the next, there is no detour.
            for at in range(place[producer] + 1, len(self.order)):
                u = self.order[at]
                if level[u] >= top or left < 0:
                    break
                left -= 1
                if u in end:
                    left -= len(self.consumers[u])
                    reach = end[u] + self.cycles[u]
                    for v in self.consumers[u]:
                        if reach > end.get(v, 0):
                            end[v] = reach
            for consumer, r in readers:
                least[r] = max(least[r], self.slots_for(end[consumer] + self.cycles[consumer]))
        return least


class _OutOfSteps(Exception):
    """The search has done as much as it may."""


class _Search:
    """Depths, and start times that keep all channels that are tied up so far."""

    def __init__(
        self, problem: _Problem, depths: list[int], least: Sequence[int], start: list[int]
    ) -> None:
        self.problem = problem
        self.depths = depths
        self.least = least
        self.start = start
        self.lower_bound = problem.bytes_of(least)
        self.steps = 0
        self.limit = 0
        self.deepened: list[int] = []
        # Of every consumer, the producers and rings of channels that are tied up.
        self.tied: list[list[tuple[int, int]]] = [[] for _ in problem.cycles]
        # Of every cycle met, how many credits it has more than it needs; and the cycles of a ring,
        # with how often they pass it.
        self.spare: list[int] = []
        self.cycles_of: list[list[tuple[int, int]]] = [[] for _ in depths]

    def tie_all(self) -> None:
        """For start times that keep all channels at these depths."""
        for r, ends in enumerate(self.problem.ends):
            for producer, consumer in ends:
                self.tied[consumer].append((producer, r))

    def solve(self, order: Sequence[int], steps: int) -> bool:
        """Ties all channels up, rings in ``order``; False if that took too many steps.

        ``lower_bound`` grows with every cycle met, and holds in either case.
        """
        self.limit = self.steps + steps
        unspent = list(self.problem.slot_bytes)
        try:
            for r in order:
                for producer, consumer in self.problem.ends[r]:
                    while cycle := self._tighten(producer, consumer, r):
                        self._cover(*cycle, unspent)
                    self.tied[consumer].append((producer, r))
        except _OutOfSteps:
            return False
        return True

    def _cover(self, need: int, on: Counter[int], unspent: list[int]) -> None:
        """Prices a cycle that is short of credits, and deepens the ring that limits the price."""
        self._note(need, on)
        price = min(unspent[r] // times for r, times in on.items())
        limiting = min(on, key=lambda r: (unspent[r] // on[r], -on[r]))
        for r, times in on.items():
            unspent[r] -= price * times
        self.lower_bound += price * (need - sum(self.least[r] * n for r, n in on.items()))
        short = need - sum(self.depths[r] * times for r, times in on.items())
        self._deepen(limiting, -(-short // on[limiting]))
        self.deepened.append(limiting)

    def reduce(self, order: Sequence[int], steps: int) -> None:
        """Takes slots from each ring for as long as the period holds, while there are steps.

        One pass is enough: what one ring cannot spare now, it cannot when others have less.
        """
        self.limit = self.steps + steps
        try:
            for r in order:
                while self.depths[r] > self.least[r] and self._can_spare(r):
                    pass
        except _OutOfSteps:
            return

    def _can_spare(self, ring: int) -> bool:
        """Takes a slot from a ring if it can."""
        if any(self.spare[cycle] < times for cycle, times in self.cycles_of[ring]):
            return False
        self._deepen(ring, -1)
        kept = False
        try:
            for producer, consumer in self.problem.ends[ring]:
                if cycle := self._tighten(producer, consumer, ring):
                    self._note(*cycle)
                    return False
            kept = True
        finally:
            if not kept:
                self._deepen(ring, 1)
        return True

    def _note(self, need: int, on: Counter[int]) -> None:
        for r, times in on.items():
            self.cycles_of[r].append((len(self.spare), times))
        self.spare.append(sum(self.depths[r] * times for r, times in on.items()) - need)

    def _deepen(self, ring: int, slots: int) -> None:
        self.depths[ring] += slots
        for cycle, times in self.cycles_of[ring]:
            self.spare[cycle] += slots * times

    def _tighten(self, producer: int, consumer: int, ring: int) -> tuple[int, Counter[int]] | None:
        """Start times that keep the channel at its ring's depth too, or the cycle that forbids it.

        The cycle comes as the credits that it needs, and how often it passes each ring. Start times
        only grow, and where there is a cycle they stay.

        Starts are raised in the order of by how much, as in Dijkstra's method: no raise causes one
        that is larger, so each start is raised once.
        """
        cycles, start, period = self.problem.cycles, self.start, self.problem.period
        late = start[consumer] + cycles[consumer] - period * self.depths[ring] - start[producer]
        if late <= 0:
            return None
        raised: dict[int, int] = {}
        by = {producer: late}
        # Whose raise it was, and through which ring if through a credit.
        cause: dict[int, tuple[int, int]] = {}
        heap = [(-late, producer)]
        while heap:
            late, u = heapq.heappop(heap)
            if u in raised:
                continue
            if u == consumer:
                return self._cycle(producer, consumer, ring, cause)
            raised[u] = -late
            self.steps += 1
            if self.steps > self.limit:
                raise _OutOfSteps
            end = start[u] - late + cycles[u]
            for v in self.problem.consumers[u]:
                more = end - start[v]
                if more > by.get(v, 0):
                    by[v], cause[v] = more, (u, -1)
                    heapq.heappush(heap, (-more, v))
            for v, r in self.tied[u]:
                more = end - period * self.depths[r] - start[v]
                if more > by.get(v, 0):
                    by[v], cause[v] = more, (u, r)
                    heapq.heappush(heap, (-more, v))
        for u, more in raised.items():
            start[u] += more
        return None

    def _cycle(
        self, producer: int, consumer: int, ring: int, cause: dict[int, tuple[int, int]]
    ) -> tuple[int, Counter[int]]:
        total = self.problem.cycles[consumer]
        on = Counter([ring])
        at = consumer
        while at != producer:
            at, r = cause[at]
            total += self.problem.cycles[at]
            if r >= 0:
                on[r] += 1
        return self.problem.slots_for(total), on
