# SPDX-License-Identifier: Apache-2.0
"""A mapped network as a timed marked graph: does it ever stop, and how fast can it run?

A shard is a transition. A channel is a bounded queue between two of them: the boxes in it are
tokens on the edge from producer to consumer, its free slots (credits) are tokens on the edge back.
A firing takes a token of every input and a credit of every output when it starts, lasts ``cycles``
on its resource, and gives a token to every output and a credit to every input when it ends. So an
input slot is held until its reader is done, and an output slot from before it is written.

Every transition fires once a frame, and a resource runs one firing at a time. In particular no
transition overlaps itself: it is as if each had a loop of one token, of ratio ``cycles / 1``.
A channel of depth 1 lets producer and consumer run only in turns; of depth 2, beside each other.

What the firings wait for is then a graph in which the k-th firing of ``v`` starts no earlier than
the end of the (k - m)-th firing of ``u``, for every edge from ``u`` to ``v`` with ``m`` tokens.
Nothing moves round a cycle without tokens, and a cycle with them turns at most ``tokens`` times in
the sum of its cycles (Commoner, Holt, Even and Pnueli 1971; Ramchandani 1974).

Streams that run beside each other are graphs of their own, except where a frame needs all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Literal

# Longer credit cycles are shortened in a text; the lists beside it have all of them.
_NAMES_IN_TEXT = 8


@dataclass(frozen=True)
class Transition:
    """What fires once a frame: a shard, an ingress or egress, a scatter or gather, a transfer.

    ``cycles`` is how long a firing keeps ``resource`` (a PE, a device, a link), in cycles of the
    one clock that the whole graph is counted in. Where it waits half-way, and lets others have the
    resource, ``loads`` says what it keeps of it, and of the devices that it waits for.
    """

    name: str
    cycles: int
    resource: str
    loads: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        if self.cycles < 0:
            raise ValueError(f"transition {self.name} lasts {self.cycles} cycles")

    @property
    def shares(self) -> tuple[tuple[str, int], ...]:
        """What it keeps of each resource; one that waits half-way still fires one at a time."""
        if not self.loads:
            return ((self.resource, self.cycles),)
        return (*self.loads, (self.name, self.cycles))


@dataclass(frozen=True)
class Channel:
    """A queue of ``depth`` slots, empty at first, between two transitions given by name."""

    producer: str
    consumer: str
    depth: int

    def __post_init__(self) -> None:
        if self.depth < 0:
            raise ValueError(f"channel {self.producer} -> {self.consumer} has depth {self.depth}")

    def __str__(self) -> str:
        return f"{self.producer} -> {self.consumer} (depth {self.depth})"


def index_of(transitions: Sequence[Transition]) -> dict[str, int]:
    """The place of every transition by its name; ``ValueError`` if two have the same."""
    index = {transition.name: i for i, transition in enumerate(transitions)}
    if len(index) < len(transitions):
        doubled = next(t.name for i, t in enumerate(transitions) if index[t.name] != i)
        raise ValueError(f"two transitions have the name {doubled}")
    return index


def place_in(index: dict[str, int], name: str) -> int:
    """The place of the transition ``name``; ``ValueError`` if there is none."""
    if name not in index:
        raise ValueError(f"a channel names {name}, which is no transition")
    return index[name]


def topological_order(n: int, ends: Iterable[tuple[int, int]]) -> list[int]:
    """All of ``range(n)`` with producers first, less what lies on or after a cycle of ``ends``."""
    consumers: list[list[int]] = [[] for _ in range(n)]
    inputs = [0] * n
    for producer, consumer in ends:
        consumers[producer].append(consumer)
        inputs[consumer] += 1
    order = [i for i in range(n) if not inputs[i]]
    for i in order:
        for consumer in consumers[i]:
            inputs[consumer] -= 1
            if not inputs[consumer]:
                order.append(consumer)
    return order


@dataclass(frozen=True)
class MarkedGraph:
    """Transitions and the channels between them; ``ValueError`` where they do not fit together."""

    transitions: tuple[Transition, ...]
    channels: tuple[Channel, ...]

    def __post_init__(self) -> None:
        _ = self.ends

    @cached_property
    def ends(self) -> list[tuple[int, int]]:
        """Producer and consumer of every channel, as places in ``transitions``."""
        index = index_of(self.transitions)
        return [(place_in(index, c.producer), place_in(index, c.consumer)) for c in self.channels]


@dataclass(frozen=True)
class Wait:
    """``waiter`` cannot fire before ``awaited`` has, for want of a token or credit."""

    waiter: str
    awaited: str
    wants: Literal["token", "credit"]
    channel: Channel

    def __str__(self) -> str:
        return f"{self.waiter} waits for {self.awaited} to give a {self.wants} of {self.channel}"


@dataclass(frozen=True)
class Deadlock:
    """A cycle without a token: each waits for the next, and the last for the first."""

    waits: tuple[Wait, ...]

    def __str__(self) -> str:
        return "deadlock: " + "; ".join(str(wait) for wait in self.waits)


def check_liveness(graph: MarkedGraph) -> Deadlock | None:
    """None if every transition can fire for ever; else a cycle of who waits for whom. Exact.

    Only edges without tokens matter, and a cycle of them is found in linear time. A resource that
    is shared adds none: a firing starts with all that it needs and never waits while it holds one.
    """
    n = len(graph.transitions)
    # (waiter, awaited, channel) of every edge without a token.
    edges = [(consumer, producer, c) for c, (producer, consumer) in enumerate(graph.ends)]
    tokens = len(edges)
    edges += [
        (producer, consumer, c)
        for c, (producer, consumer) in enumerate(graph.ends)
        if not graph.channels[c].depth
    ]
    stuck = set(range(n)) - set(topological_order(n, [(a, w) for w, a, _ in edges]))
    if not stuck:
        return None
    # Each of the stuck waits for another of them, so walking from one to the next comes round.
    next_edge: dict[int, int] = {}
    for e, (waiter, awaited, _) in enumerate(edges):
        if waiter in stuck and awaited in stuck:
            next_edge.setdefault(waiter, e)
    passed: dict[int, int] = {}
    at = min(stuck)
    while at not in passed:
        passed[at] = len(passed)
        at = edges[next_edge[at]][1]
    waits = []
    for waiter in list(passed)[passed[at] :]:
        e = next_edge[waiter]
        waits.append(
            Wait(
                graph.transitions[waiter].name,
                graph.transitions[edges[e][1]].name,
                "token" if e < tokens else "credit",
                graph.channels[edges[e][2]],
            )
        )
    return Deadlock(tuple(waits))


@dataclass(frozen=True)
class Bound:
    """No schedule takes less than ``period_cycles`` a frame, in the long run.

    ``kind`` says what sets it: the load of a resource, or a cycle of credits. ``limited_by`` names
    it. ``transitions`` are those on the resource, or round the cycle, where each waits for the one
    before; ``channels`` are those whose credits are short, none for a resource.
    """

    period_cycles: Fraction
    kind: Literal["resource", "credits"]
    limited_by: str
    transitions: tuple[str, ...]
    channels: tuple[Channel, ...] = field(default=())


def loads(transitions: Iterable[Transition]) -> dict[str, int]:
    """Cycles a frame that each resource is kept."""
    load: dict[str, int] = {}
    for transition in transitions:
        for resource, cycles in transition.shares:
            load[resource] = load.get(resource, 0) + cycles
    return load


def throughput_bound(graph: MarkedGraph) -> Bound:
    """The larger of the largest cycle ratio and the largest load. ``ValueError`` on a deadlock.

    The number is exact. It is the period of the execution itself if no two transitions share a
    resource, and else what no order on the shared resources can beat (``round_robin_period`` is the
    other side). Of equals, the resource is named.

    The ratio is found as Newton's method does it: is there a cycle slower than the slowest so far?
    If so, go on from its ratio. All in whole numbers.
    """
    if not graph.transitions:
        raise ValueError("a graph without transitions has no throughput")
    if deadlock := check_liveness(graph):
        raise ValueError(str(deadlock))
    load = loads(graph.transitions)
    busiest = max(load, key=lambda resource: load[resource])
    search = _CycleSearch(graph)
    bound = Bound(
        Fraction(load[busiest]),
        "resource",
        busiest,
        tuple(t.name for t in graph.transitions if busiest in dict(t.shares)),
    )
    period = bound.period_cycles
    slowest: list[int] = []
    # Producer and consumer alone, to begin near the answer.
    for c in range(len(graph.channels)):
        pair = [2 * c, 2 * c + 1]
        ratio = search.ratio(pair)
        if ratio > period:
            period, slowest = ratio, pair
    while cycle := search.slower_than(period):
        period, slowest = search.ratio(cycle), cycle
    return search.bound(slowest) if slowest else bound


def in_turns(transitions: Sequence[Transition]) -> tuple[Transition, ...]:
    """Every firing as long as it may take with waiting for its turn, on a resource of its own.

    A resource that takes turns, and starts whatever is ready, starts every other transition at most
    once before one that is ready: from then to the end takes at most the load of the resource.
    """
    load: dict[str, int] = {}
    for t in transitions:  # with what it waits for devices: others may have them
        load[t.resource] = load.get(t.resource, 0) + t.cycles
    return tuple(Transition(t.name, load[t.resource], t.name) for t in transitions)


def round_robin_period(graph: MarkedGraph) -> Fraction:
    """Cycles a frame that no execution in turns exceeds, in the long run.

    At least the period of ``throughput_bound``, and equal to it if no two transitions share a
    resource. In between lies what is not known without executing the graph. A marked graph is
    monotone, nothing comes later because something else came earlier, so it is enough that the
    graph of ``in_turns`` keeps this period. ``ValueError`` as there.
    """
    return throughput_bound(MarkedGraph(in_turns(graph.transitions), graph.channels)).period_cycles


class _CycleSearch:
    """Looks for cycles whose ratio is above a given one.

    Edge ``2 c`` is channel ``c`` from producer to consumer, edge ``2 c + 1`` the way back.
    """

    def __init__(self, graph: MarkedGraph) -> None:
        self.graph = graph
        self.cycles = [transition.cycles for transition in graph.transitions]
        n = len(self.cycles)
        self.order = topological_order(n, graph.ends)
        self.forward: list[list[tuple[int, int]]] = [[] for _ in range(n)]
        self.back: list[list[tuple[int, int]]] = [[] for _ in range(n)]
        self.source: list[int] = []
        for c, (producer, consumer) in enumerate(graph.ends):
            self.forward[producer].append((consumer, 2 * c))
            self.back[consumer].append((producer, 2 * c + 1))
            self.source += (producer, consumer)

    def ratio(self, cycle: Sequence[int]) -> Fraction:
        """Sum of cycles over sum of tokens, of a cycle given by its edges."""
        tokens = sum(self.graph.channels[e // 2].depth for e in cycle if e % 2)
        return Fraction(sum(self.cycles[self.source[e]] for e in cycle), tokens)

    def slower_than(self, period: Fraction) -> list[int] | None:
        """The edges of a cycle whose ratio is above ``period``, or None if there is none.

        Looks for start times that keep this period: the longest paths of edges that weigh the
        cycles of their source, less ``period`` for each token. They exist unless a cycle weighs
        more than nothing. Bellman and Ford's method in Yen's order: edges forward run with the
        topological order and the others against it, so a sweep either way settles a path however
        long, and the number of sweeps is that of the turns on a path and not of its edges.
        """
        q, p = period.denominator, period.numerator
        channels = self.graph.channels
        n = len(self.cycles)
        start = [0] * n
        parent = [-1] * n
        run_forward, run_back = bytearray(b"\1" * n), bytearray(b"\1" * n)
        while True:
            for u in self.order:
                if run_forward[u]:
                    run_forward[u] = 0
                    end = start[u] + q * self.cycles[u]
                    for v, e in self.forward[u]:
                        if end > start[v]:
                            start[v], parent[v] = end, e
                            run_forward[v] = run_back[v] = 1
            moved = False
            for u in reversed(self.order):
                if run_back[u]:
                    run_back[u] = 0
                    end = start[u] + q * self.cycles[u]
                    for v, e in self.back[u]:
                        again = end - p * channels[e // 2].depth
                        if again > start[v]:
                            start[v], parent[v] = again, e
                            run_forward[v] = run_back[v] = 1
                            moved = True
            if not moved:
                return None
            # The edges that last set each start time close a cycle only if it weighs more than
            # nothing, and sooner or later do if there is one.
            if found := self._cycles_of(parent):
                return max(found, key=self.ratio)

    def _cycles_of(self, parent: Sequence[int]) -> list[list[int]]:
        seen = [-1] * len(parent)
        found = []
        for root in range(len(parent)):
            at = root
            while parent[at] >= 0 and seen[at] < 0:
                seen[at] = root
                at = self.source[parent[at]]
            if parent[at] >= 0 and seen[at] == root:
                cycle = [parent[at]]
                while self.source[cycle[-1]] != at:
                    cycle.append(parent[self.source[cycle[-1]]])
                found.append(cycle[::-1])
        return found

    def bound(self, cycle: Sequence[int]) -> Bound:
        """What to say of the slowest cycle."""
        names = [self.graph.transitions[self.source[e]].name for e in cycle]
        shown = names if len(names) <= _NAMES_IN_TEXT else [*names[:3], "...", *names[-3:]]
        channels = tuple(self.graph.channels[e // 2] for e in cycle if e % 2)
        credits = sum(channel.depth for channel in channels)
        return Bound(
            self.ratio(cycle),
            "credits",
            f"{' -> '.join([*shown, names[0]])} ({credits} credit{'s'[: credits != 1]})",
            tuple(names),
            channels,
        )
