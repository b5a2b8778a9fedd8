# SPDX-License-Identifier: Apache-2.0
"""A machine: PE classes, a grid of nodes with PEs, and what is missing or set aside.

Uniform resources plus exceptions: a grid says what every node has, sets say where it is otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import lcm
from typing import Any

#: What a memory region may hold.
PURPOSES = ("code", "constants", "data")

# More than images were seen to take; what they take is checked once they are compiled.
_PLANNED_STACK_BYTES = 1024

#: Links whose rates a machine file may give, in bytes a second: to the host, and to DRAM.
LINKS = ("host", "dram")

#: Where the weights of stages may lie.
WEIGHTS = ("sram", "dram")

#: Weights of fewer bytes, of one box, lie in the PE's memory in any case.
STREAMED_BYTES = 2048

#: Cost data that are one figure, and those that are tables of kinds of stages.
GENERAL_COSTS = (
    *("mac", "element", "byte", "message", "task", "firing"),
    *("job", "requantize", "rescale", "requantize_row"),
)
COSTS_BY_KIND = ("kinds", "elements", "windows", "pixels")


@dataclass(frozen=True)
class MemoryRegion:
    """``length`` bytes from address ``origin``; ``holds`` lists what may lie there."""

    name: str
    origin: int
    length: int
    holds: tuple[str, ...]


@dataclass(frozen=True)
class CostData:
    """What work costs, in cycles of the PE's clock.

    ``mac`` is for one multiply-accumulate, ``kinds`` where a kind of stage differs; ``element`` for
    every element of a result, ``elements`` where a kind of stage differs. Kernels that prepare a
    window for all channels of a pixel at once have costs by kind for that: ``windows`` for every
    element of the window of a pixel, ``pixels`` for every pixel; a box of half the channels has as
    many of both. ``task`` is for every stage of a firing as such, ``firing`` for the firing;
    ``byte`` for every byte sent, ``message`` for every box of bytes written to another PE, and for
    every word to one that a frame has arrived or was consumed. ``job`` is what a device's job costs
    the core that hands it over and hears of its end, ``requantize`` what making a result of a raw
    sum takes, ``rescale`` the same with a rounding or scale for which there is no quick way, and
    ``requantize_row`` what every row of sums of one channel takes beside that. The defaults are
    provisional: they stand until they are fitted to counted machine code, as ``weft bench costs``
    does it.
    """

    mac: float = 4.0
    element: float = 12.0
    byte: float = 0.5
    message: float = 0.0
    task: float = 0.0
    firing: float = 500.0
    job: float = 1000.0
    requantize: float = 10.8
    rescale: float = 46.0
    requantize_row: float = 48.0
    kinds: Mapping[str, float] = field(default_factory=dict)
    elements: Mapping[str, float] = field(default_factory=dict)
    windows: Mapping[str, float] = field(default_factory=dict)
    pixels: Mapping[str, float] = field(default_factory=dict)

    def requantize_cycles(self, sums: int, rows: int, *, is_quick: bool) -> float:
        """Cycles for so many raw sums, which lie in so many rows of one channel each."""
        one = self.requantize if is_quick else self.rescale
        return sums * one + rows * self.requantize_row

    def per_mac(self, kind: str) -> float:
        """Cycles for one multiply-accumulate of a kind of stage."""
        return self.kinds.get(kind, self.mac)

    def per_tap(self, kind: str) -> float:
        """Cycles for one element that a kind of stage without MACs looks at for a result."""
        return self.kinds.get(kind, 0.0)

    def per_element(self, kind: str) -> float:
        """Cycles for one element of the result of a kind of stage."""
        return self.elements.get(kind, self.element)


@dataclass(frozen=True)
class DeviceUse:
    """A device that PEs of a class have: ``kind`` is a bundled name, a name that a plug-in gives or
    a folder; ``name`` is its own on the PE; ``options`` say what is otherwise than usual there."""

    name: str
    kind: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class PeClass:
    """One kind of PE. ``clock_hz`` in Hz, ``stack_bytes`` out of the memory for data: None gives
    every image the stack that it takes at worst. ``weights`` says where large ones lie: one of
    ``WEIGHTS``."""

    name: str
    core: str
    clock_hz: int
    stack_bytes: int | None
    memory: tuple[MemoryRegion, ...]
    cost: CostData = CostData()
    devices: tuple[DeviceUse, ...] = ()
    weights: str = "sram"

    @property
    def planned_stack_bytes(self) -> int:
        """What to set aside for the stack before there is any code."""
        return _PLANNED_STACK_BYTES if self.stack_bytes is None else self.stack_bytes

    @property
    def memory_bytes(self) -> int:
        return sum(region.length for region in self.memory)


@dataclass(frozen=True)
class Network:
    """The routers between nodes and how fast they are, in cycles of their own clock: bytes a cycle
    on a link, cycles from one link of a message's path to the next. ``signal_bytes`` is what an
    arrival or a credit takes of a link. Without ``clock_hz``, the clock is that of the fastest PE;
    ``host`` is the node at which the host is, the first one if it is None.
    """

    bytes_per_cycle: int = 16
    hop_cycles: int = 5
    signal_bytes: int = 16
    clock_hz: int | None = None
    host: tuple[int, int] | None = None


@dataclass(frozen=True, order=True)
class Pe:
    """Where a PE is: column and row of its node, and its number there."""

    x: int
    y: int
    index: int

    def __str__(self) -> str:
        return f"({self.x},{self.y}).{self.index}"


@dataclass(frozen=True)
class Machine:
    """A machine file, checked. Nodes are at ``x0..x0+width-1``, ``y0..y0+height-1``."""

    name: str
    description: str
    classes: Mapping[str, PeClass]
    default_class: str
    width: int = 1
    height: int = 1
    x0: int = 0
    y0: int = 0
    pes_per_node: int = 1
    missing: frozenset[tuple[int, int]] = frozenset()
    reserved: frozenset[Pe] = frozenset()
    exceptions: Mapping[Pe, str] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    network: Network = Network()

    @property
    def network_clock_hz(self) -> int:
        return self.network.clock_hz or max(c.clock_hz for c in self.classes.values())

    @property
    def tick_hz(self) -> int:
        """The clock that times are counted in: every clock of the machine divides it."""
        return lcm(self.network_clock_hz, *(c.clock_hz for c in self.classes.values()))

    @property
    def host_node(self) -> tuple[int, int]:
        return self.network.host or (self.x0, self.y0)

    def has_node(self, node: tuple[int, int]) -> bool:
        """Whether it lies in the grid; there is a router even where PEs are missing."""
        x, y = node[0] - self.x0, node[1] - self.y0
        return 0 <= x < self.width and 0 <= y < self.height

    def pes(self) -> Iterator[Pe]:
        """All PEs there are, row by row."""
        for y in range(self.y0, self.y0 + self.height):
            for x in range(self.x0, self.x0 + self.width):
                if (x, y) not in self.missing:
                    yield from (Pe(x, y, i) for i in range(self.pes_per_node))

    def usable(self) -> list[Pe]:
        """Those that programs may use."""
        return [pe for pe in self.pes() if pe not in self.reserved]

    def with_devices(self, uses: Sequence[DeviceUse]) -> Machine:
        """The same machine, with these devices on every PE beside those that it has."""
        classes = {n: replace(c, devices=(*c.devices, *uses)) for n, c in self.classes.items()}
        return replace(self, classes=classes)

    def with_weights(self, where: str) -> Machine:
        """The same machine, with large weights in ``sram`` or in ``dram``."""
        classes = {n: replace(c, weights=where) for n, c in self.classes.items()}
        return replace(self, classes=classes)

    @property
    def weights(self) -> str:
        """Where large weights lie: one of ``WEIGHTS``."""
        return self.classes[self.default_class].weights

    def device_uses(self) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
        """By class, the name, kind and options of each device."""
        return {
            n: [(d.name, d.kind, dict(d.options)) for d in c.devices]
            for n, c in self.classes.items()
        }

    def class_of(self, pe: Pe) -> PeClass:
        return self.classes[self.exceptions.get(pe, self.default_class)]
