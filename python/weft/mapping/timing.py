# SPDX-License-Identifier: Apache-2.0
"""A mesh as a timed marked graph: how fast it can be, what limits it, how deep slots must be.

Every place is a transition on its PE, every box that goes from one to another a channel. Inputs and
outputs are transitions too, on the link that they come and go by. Times are in ticks of one clock
that every PE's clock divides.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

from weft.devices.accelerator import Accelerator
from weft.dialects.fabric import MeshOp, PlaceOp, Port, TemplateOp
from weft.dialects.pe import ShardOp
from weft.kernels.view import ITEM_BYTES
from weft.machines.model import Machine, PeClass
from weft.mapping.cost import MESSAGES_TO_RETURN, MESSAGES_TO_SEND
from weft.mapping.depths import Ring, choose_depths
from weft.mapping.device_times import ShardTimes, shard_times
from weft.mapping.firing_cycles import FiringCycles, StageWork, firing_cycles, stage_work
from weft.mapping.mapping import DRAM, HOST
from weft.mapping.marked_graph import (
    Bound,
    Channel,
    MarkedGraph,
    Transition,
    round_robin_period,
    throughput_bound,
)

#: Deeper slots than this cost more memory than a faster frame is worth.
_MAX_DEPTH = 16
_SLOTS_IN_TEXT = 3
_DRAM_LINK = "DRAM"


@dataclass(frozen=True)
class Transfer:
    """What a frame of a channel takes of a link to the outside, in ticks. ``link`` is None where
    frames need none, or none whose rate is known."""

    link: str | None
    ticks: int


@dataclass(frozen=True)
class Timing:
    """What the model of time says of a mesh. Rates in frames a second; ``firings`` of every place,
    ``transfers`` of every channel; ``dram_bytes`` are those of weights that are copied from DRAM
    for a frame."""

    predicted_fps: float
    guaranteed_fps: float
    limited_by: str
    kind: str
    firings: tuple[FiringCycles, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    dram_bytes: int = 0

    def facts(self) -> dict[str, object]:
        """For the manifest."""
        return {
            "predicted_fps": round(self.predicted_fps, 3),
            "guaranteed_fps": round(self.guaranteed_fps, 3),
            "limited_by": self.limited_by,
            "limit_kind": self.kind,
            "live": True,
        }


@dataclass
class Sent:
    """What a place sends for a frame, the outside included: bytes, and messages to other PEs."""

    bytes: int = 0
    messages: int = 0


class _Timer:
    def __init__(
        self,
        mesh: MeshOp,
        machine: Machine,
        source: str | int,
        shards: Sequence[ShardOp],
        devices: Table[int, Sequence[Accelerator]],
    ) -> None:
        self.mesh = mesh
        self.shards = shards
        self.devices = devices
        self.device_times: list[ShardTimes | None] = [None] * len(mesh.places)
        self.machine = machine
        self.source = source
        self.usable = machine.usable()
        self.places = mesh.places
        self.tensors = mesh.tensors
        self.templates = mesh.templates
        self.ticks = machine.tick_hz
        self.work: dict[tuple[str, str], list[StageWork]] = {}
        self.firings: list[FiringCycles] = []
        self.transfers: list[Transfer] = []
        self.names = self.names_of_places()
        self.ports = [mesh.ports(p, self.templates[p.template_name]) for p in self.places]
        self.transitions: list[Transition] = []
        self.rings: list[Ring] = []
        self.owners: list[tuple[int, int]] = []  # place and read of each ring; -1 for outputs

    def names_of_places(self) -> list[str]:
        """What they compute, and where; each its own."""
        names: dict[str, None] = {}
        for number, place in enumerate(self.places):
            labels = [label.data for label in place.labels]
            what = " to ".join([*labels[:1], *labels[1:][-1:]]) or "a copy"
            name = f"{what} on {self.resource(place.pe_index)}"
            names[f"{name}, number {number}" if name in names else name] = None
        return list(names)

    def resource(self, pe: int) -> str:
        return f"PE {self.usable[pe]}" if pe < len(self.usable) else "host"

    def link(self) -> str:
        return _DRAM_LINK if self.source == DRAM else "host link"

    def run(self) -> None:
        writers: dict[int, list[tuple[int, Port]]] = {}
        for number, (_, writes) in enumerate(self.ports):
            for port in writes:
                writers.setdefault(port.tensor, []).append((number, port))
        sent = [Sent() for _ in self.places]
        for number, (reads, _) in enumerate(self.ports):
            for index, read in enumerate(reads):
                producers = self.producers(writers.get(read.tensor, []), read, number, sent)
                self.add_ring(producers, self.names[number], read, (number, index))
        self.add_outside(writers, sent)
        self.firings = [
            self.firing(n, p, s) for n, (p, s) in enumerate(zip(self.places, sent, strict=True))
        ]
        for number, place in enumerate(self.places):
            self.transitions.append(self.transition(number, place))

    def producers(
        self, writers: Sequence[tuple[int, Port]], read: Port, reader: int, sent: list[Sent]
    ) -> list[str]:
        found = []
        item = ITEM_BYTES[self.tensors[read.tensor].dtype]
        here = self.places[reader].pe_index
        for number, port in writers:
            common = port.box.meet(read.box)
            if common is None:
                continue
            found.append(self.names[number])
            sent[number].bytes += common.size * item
            if self.places[number].pe_index != here:
                sent[number].messages += MESSAGES_TO_SEND
                sent[reader].messages += MESSAGES_TO_RETURN
        return found

    def add_ring(
        self, producers: Sequence[str], consumer: str, read: Port, owner: tuple[int, int]
    ) -> None:
        tensor = self.tensors[read.tensor]
        if not producers:  # from outside
            producers = [f"input {tensor.label.data}"]
        size = read.box.size * ITEM_BYTES[tensor.dtype]
        pairs = tuple((producer, consumer) for producer in dict.fromkeys(producers))
        self.rings.append(Ring(pairs, size, read.depth))
        self.owners.append(owner)

    def add_outside(self, writers: Table[int, list[tuple[int, Port]]], sent: list[Sent]) -> None:
        by_link = not isinstance(self.source, int)
        rate = self.machine.links.get(DRAM if self.source == DRAM else HOST)
        for channel in self.mesh.channels:
            tensor = self.tensors[channel.tensor_index]
            size = prod(tensor.shape) * ITEM_BYTES[tensor.dtype]
            transfer = Transfer(None, 0)
            if rate is not None and by_link:
                transfer = Transfer(self.link(), ceil(size * self.ticks / rate))
            self.transfers.append(transfer)
            kind = "input" if channel.is_input else "output"
            label = tensor.label.data if channel.is_input else channel.label.data
            name = f"{kind} {label}"
            self.transitions.append(Transition(name, transfer.ticks, transfer.link or name))
            if not channel.is_input:
                made = writers.get(channel.tensor_index, [])
                pairs = tuple((self.names[number], name) for number, _ in made)
                for number, port in made:
                    sent[number].bytes += port.box.size * ITEM_BYTES[tensor.dtype]
                    if self.places[number].pe_index != channel.pe_index:  # it is gathered there
                        sent[number].messages += MESSAGES_TO_SEND
                self.rings.append(Ring(pairs, size, int(channel.depth.value.data)))
                self.owners.append((-1, 0))

    def class_of(self, place: PlaceOp) -> PeClass | None:
        """None for the host, whose firings take no time."""
        if place.pe_index >= len(self.usable):
            return None
        return self.machine.class_of(self.usable[place.pe_index])

    def transition(self, number: int, place: PlaceOp) -> Transition:
        """What fires at a place. One that waits for devices lets its PE do something else."""
        pe_class = self.class_of(place)
        cycle = 0 if pe_class is None else self.ticks // pe_class.clock_hz
        firing, times = self.firings[number], self.device_times[number]
        resource = self.resource(place.pe_index)
        loads = []
        if times is not None:
            names = [d.name for d in self.devices[place.pe_index]]
            loads = [(resource, firing.total * cycle)]
            loads += [(f"{names[d]} of {resource}", t * cycle) for d, t in times.devices.items()]
            if times.dram_bytes and DRAM in self.machine.links:  # which all PEs share
                ticks = ceil(times.dram_bytes * self.ticks / self.machine.links[DRAM])
                loads.append((_DRAM_LINK, ticks))
        total = (firing.total + firing.waits) * cycle
        return Transition(self.names[number], total, resource, tuple(loads))

    def ratios(self, place: PlaceOp, pe_class: PeClass) -> list[float]:
        """Cycles of the PE for one of each of its devices."""
        clocks = [d.description.facts.clock_hz for d in self.devices.get(place.pe_index, ())]
        return [pe_class.clock_hz / clock if clock else 1.0 for clock in clocks]

    def firing(self, number: int, place: PlaceOp, sent: Sent) -> FiringCycles:
        template = self.templates[place.template_name]
        assert isinstance(template, TemplateOp)
        pe_class = self.class_of(place)
        key = place.template_name, "" if pe_class is None else pe_class.name
        cost = None if pe_class is None else pe_class.cost
        if key not in self.work:
            self.work[key] = stage_work(template, cost)
        if cost is None or pe_class is None:
            return firing_cycles(self.work[key], 0.0, 0.0)
        sending = sent.bytes * cost.byte + sent.messages * cost.message
        times = None
        if number < len(self.shards):
            ratios = self.ratios(place, pe_class)
            own = self.devices.get(place.pe_index, ())
            blocking = {d.index for d in own if d.description.facts.is_blocking}
            times = shard_times(self.shards[number], self.work[key], cost, ratios, blocking)
        self.device_times[number] = times
        if times is None:
            return firing_cycles(self.work[key], cost.firing, sending)
        return firing_cycles(times.work, cost.firing, sending, times.waits)


def _timer(
    mesh: MeshOp,
    machine: Machine,
    source: str | int,
    shards: Sequence[ShardOp] = (),
    devices: Table[int, Sequence[Accelerator]] | None = None,
) -> _Timer:
    timer = _Timer(mesh, machine, source, shards, devices or {})
    timer.run()
    return timer


def marked_graph(mesh: MeshOp, machine: Machine, source: str | int = HOST) -> MarkedGraph:
    """The marked graph of a mesh whose templates are still stage graphs."""
    return _graph(_timer(mesh, machine, source))


def _graph(timer: _Timer) -> MarkedGraph:
    channels = tuple(
        Channel(producer, consumer, ring.least)
        for ring in timer.rings
        for producer, consumer in ring.channels
    )
    return MarkedGraph(tuple(timer.transitions), channels)


def timing(
    mesh: MeshOp,
    machine: Machine,
    source: str | int = HOST,
    shards: Sequence[ShardOp] = (),
    devices: Table[int, Sequence[Accelerator]] | None = None,
) -> Timing:
    """The rate that no schedule exceeds, the one that taking turns cannot miss, and what limits.

    ``mesh`` has templates that are still stage graphs. Where PEs have ``devices``, by number,
    ``shards`` are what became of each place, in the order of places.
    """
    timer = _timer(mesh, machine, source, shards, devices)
    graph = _graph(timer)
    bound: Bound = throughput_bound(graph)
    ticks = timer.ticks
    slowest = round_robin_period(graph)
    return Timing(
        float(ticks / bound.period_cycles) if bound.period_cycles else 0.0,
        float(ticks / slowest) if slowest else 0.0,
        _limited_by(bound),
        bound.kind,
        tuple(timer.firings),
        tuple(timer.transfers),
        sum(times.dram_bytes for times in timer.device_times if times is not None),
    )


def _limited_by(bound: Bound) -> str:
    """The resource, or the slots that are too shallow, and so what to deepen."""
    if bound.kind == "resource":
        return bound.limited_by
    slots = [
        f"{c.consumer} has room for {c.depth} frame{'s'[: c.depth != 1]} from {c.producer}"
        for c in bound.channels
    ]
    more = f", and {len(slots) - _SLOTS_IN_TEXT} more" if len(slots) > _SLOTS_IN_TEXT else ""
    return f"shallow slots: {', '.join(slots[:_SLOTS_IN_TEXT])}{more}"


def deeper(mesh: MeshOp, machine: Machine, source: str | int = HOST) -> dict[tuple[int, int], int]:
    """Depths at which no credits are slower than the busiest resource, where those of the mesh are
    not enough: (place, read) to a power of two."""
    timer = _timer(mesh, machine, source)
    chosen = choose_depths(timer.transitions, timer.rings)
    found = {}
    for owner, ring, depth in zip(timer.owners, timer.rings, chosen.depths, strict=True):
        if depth > ring.least and owner[0] >= 0:
            found[owner] = min(_MAX_DEPTH, 1 << (depth - 1).bit_length())
    return found
