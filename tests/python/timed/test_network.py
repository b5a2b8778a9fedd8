# SPDX-License-Identifier: Apache-2.0
"""Messages on links, worked out by hand: docs/design/timed.md."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from weft.engines.timed.events import EventQueue
from weft.engines.timed.network import Network, NetworkTimes, Node

#: A byte a tick, and 5 ticks a hop.
TIMES = NetworkTimes(bytes_per_cycle=1, signal_bytes=4, cycle=1, hop=5)


class Mesh:
    """Sends messages and writes down when each arrives."""

    def __init__(self, nodes: Mapping[int, Node], times: NetworkTimes = TIMES) -> None:
        self.events = EventQueue()
        names = [f"PE {pe}" for pe in range(max(nodes) + 1)]
        self.network = Network(self.events, times, nodes, names)
        self.arrived: dict[str, int] = {}

    def send(self, name: str, source: int, target: int, size: int) -> None:
        self.network.send(source, target, size, partial(self._arrive, name))

    def _arrive(self, name: str) -> None:
        self.arrived[name] = self.events.now

    def run(self) -> dict[str, int]:
        while self.events:
            self.events.run_instant()
        return self.arrived

    def held(self) -> dict[str, int]:
        return {link.name: link.held for link in self.network.links if link.held}


@pytest.mark.parametrize(
    ("target", "links"), [((0, 0), 2), ((1, 0), 3), ((0, 1), 3), ((3, 2), 7), ((2, 3), 7)]
)
def test_one_message(target: Node, links: int) -> None:
    """A hop between two links of the path, and its bytes on the last one."""
    mesh = Mesh({0: (0, 0), 1: target})
    mesh.send("m", 0, 1, 100)
    assert mesh.run() == {"m": 5 * (links - 1) + 100}
    assert set(mesh.held().values()) == {100}
    assert len(mesh.held()) == links


def test_x_comes_before_y() -> None:
    mesh = Mesh({0: (2, 1), 1: (1, 3)})
    mesh.send("m", 0, 1, 1)
    mesh.run()
    assert list(mesh.held()) == [
        "PE 0 to (2, 1)",
        "(1, 3) to PE 1",
        "(2, 1) to (1, 1)",
        "(1, 1) to (1, 2)",
        "(1, 2) to (1, 3)",
    ]


def test_sizes_are_rounded_up_to_cycles() -> None:
    times = NetworkTimes(bytes_per_cycle=16, signal_bytes=16, cycle=3, hop=15)
    for size, cycles in ((0, 1), (1, 1), (16, 1), (17, 2), (160, 10)):
        mesh = Mesh({0: (0, 0), 1: (0, 0)}, times)
        mesh.send("m", 0, 1, size)
        assert mesh.run() == {"m": 15 + 3 * cycles}


def test_messages_of_one_pe_follow_each_other() -> None:
    """The second is on the first link from 10 to 13, and behind the first ever after."""
    mesh = Mesh({0: (0, 0), 1: (1, 0)})
    mesh.send("first", 0, 1, 10)
    mesh.send("second", 0, 1, 3)
    assert mesh.run() == {"first": 5 + 5 + 10, "second": 10 + 5 + 5 + 3}


def test_two_directions_are_two_links() -> None:
    mesh = Mesh({0: (0, 0), 1: (1, 0)})
    mesh.send("there", 0, 1, 10)
    mesh.send("back", 1, 0, 10)
    assert mesh.run() == {"there": 20, "back": 20}


def test_who_is_ready_first_goes_first() -> None:
    """Both want the link from (1,0) to (2,0): the second is ready for it at 5, the first, which
    comes from (0,0), at 10. That waits until 5 + 30; it had set out first all the same."""
    mesh = Mesh({0: (0, 0), 1: (1, 0), 2: (2, 0), 3: (2, 0)})
    mesh.send("first", 0, 2, 20)
    mesh.send("second", 1, 3, 30)
    assert mesh.run() == {"second": 5 + 5 + 30, "first": 35 + 5 + 20}


def test_of_two_that_are_ready_at_once_the_one_that_set_out_first() -> None:
    """Each is 5 ticks away from the link from (1,0) to (2,0)."""
    for order in ((0, 1), (1, 0)):
        mesh = Mesh({0: (1, 0), 1: (1, 0), 2: (2, 0), 3: (2, 0)})
        for pe in order:
            mesh.send(f"of {pe}", pe, 2 + pe, 10)
        assert mesh.run() == {f"of {order[0]}": 20, f"of {order[1]}": 30}


def test_a_message_that_waits_does_not_keep_the_links_behind_it() -> None:
    """The one to PE 2 waits for its last link until 105, the next one passes it."""
    mesh = Mesh({0: (0, 0), 1: (1, 0), 2: (1, 0), 3: (1, 0)})
    mesh.send("long", 1, 2, 100)
    mesh.send("waiting", 0, 2, 10)
    mesh.send("passing", 0, 3, 10)
    assert mesh.run() == {"long": 105, "waiting": 105 + 10, "passing": 10 + 10 + 10}
