# SPDX-License-Identifier: Apache-2.0
"""The network: messages take links one after the other, and wait for each other there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from weft.engines.timed.events import EventQueue, Rank

#: Column and row of a router.
Node = tuple[int, int]


@dataclass(frozen=True)
class NetworkTimes:
    """``hop`` ticks from one link of a path to the next, ``cycle`` ticks for every
    ``bytes_per_cycle`` begun; ``signal_bytes`` is the size of an arrival or a credit."""

    bytes_per_cycle: int
    signal_bytes: int
    cycle: int
    hop: int


@dataclass
class Link:
    """One direction between two routers, or between a router and what is attached to it. ``free``
    is when it can take the next message, ``held`` how long it was taken in all."""

    name: str
    free: int = 0
    held: int = 0


@dataclass
class _Message:
    number: int
    path: tuple[Link, ...]
    hold: int
    arrive: Callable[[], None] | None
    at: int = 0  # on its path


class Network:
    """Routers in a grid, with PEs, and the host, at them. ``messages`` and ``bytes`` count what was
    sent."""

    def __init__(
        self, events: EventQueue, times: NetworkTimes, nodes: Mapping[int, Node], names: list[str]
    ) -> None:
        """``nodes`` and ``names`` by the number of the PE."""
        self._events = events
        self._times = times
        self._nodes = nodes
        self._out = {pe: Link(f"{names[pe]} to {node}") for pe, node in nodes.items()}
        self._in = {pe: Link(f"{node} to {names[pe]}") for pe, node in nodes.items()}
        self._between: dict[tuple[Node, Node], Link] = {}
        self._paths: dict[tuple[int, int], tuple[Link, ...]] = {}
        self.messages = 0
        self.bytes = 0

    @property
    def links(self) -> list[Link]:
        """All that were used so far, or belong to a PE."""
        return [*self._out.values(), *self._in.values(), *self._between.values()]

    def send(
        self, source: int, target: int, size: int, arrive: Callable[[], None] | None = None
    ) -> None:
        """Sends ``size`` bytes from one PE to another now; ``arrive`` is called when the last of
        them is there."""
        times = self._times
        hold = max(1, -(-size // times.bytes_per_cycle)) * times.cycle
        self.messages += 1
        self.bytes += size
        message = _Message(self.messages, self._path(source, target), hold, arrive)
        self._take_link(message)

    def _take_link(self, message: _Message) -> None:
        """The message is ready for its next link. Whoever is ready first gets it first, since this
        happens in the order of time."""
        now = self._events.now
        link = message.path[message.at]
        start = max(now, link.free)
        link.free = start + message.hold
        link.held += message.hold
        message.at += 1
        if message.at < len(message.path):
            self._events.push(
                start + self._times.hop,
                Rank.MESSAGE,
                message.number,
                partial(self._take_link, message),
            )
        elif message.arrive is not None:
            self._events.push(start + message.hold, Rank.MESSAGE, message.number, message.arrive)

    def _path(self, source: int, target: int) -> tuple[Link, ...]:
        """To the router, along its row, then along the column, to the PE."""
        if (source, target) not in self._paths:
            nodes = _route(self._nodes[source], self._nodes[target])
            between = [self._link(a, b) for a, b in pairwise(nodes)]
            self._paths[source, target] = (self._out[source], *between, self._in[target])
        return self._paths[source, target]

    def _link(self, a: Node, b: Node) -> Link:
        if (a, b) not in self._between:
            self._between[a, b] = Link(f"{a} to {b}")
        return self._between[a, b]


def _route(source: Node, target: Node) -> list[Node]:
    """All routers on the way, x first."""
    (x, y), (to_x, to_y) = source, target
    nodes = [source]
    while x != to_x:
        x += 1 if to_x > x else -1
        nodes.append((x, y))
    while y != to_y:
        y += 1 if to_y > y else -1
        nodes.append((x, y))
    return nodes
