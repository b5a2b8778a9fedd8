# SPDX-License-Identifier: Apache-2.0
"""From a mesh with addresses and routes to the tables and constants of every PE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from xdsl.ir import Operation, SSAValue

from weft.codegen.tables import (
    IN_CONSTANTS,
    MAX_ARENA_BYTES,
    MAX_SLOT_BYTES,
    MAX_SLOTS,
    Call,
    ChannelRow,
    LaneRow,
    PeTables,
    ReturnRow,
    SendRow,
    ShardRow,
    SlotRow,
    slot_word,
)
from weft.devices.accelerator import Accelerator
from weft.dialects.accel import AwaitOp, LaunchOp, YieldOp
from weft.dialects.fabric import NO_PLACE, ChannelOp, MeshOp, PlaceOp, Route, values_of
from weft.dialects.pe import (
    BufferOp,
    CallOp,
    ConstantOp,
    ResultOp,
    ShardOp,
    SlotOp,
    StoredOp,
    TaskOp,
    dram_bytes,
)
from weft.errors import MappingError
from weft.kernels.device import AWAIT
from weft.transforms.plan_memory import (
    PeMemory,
    channel_bytes,
    kernels_of_pes,
    program_key,
    slot_bytes,
)

_DIRECTIONS = {"in": 0, "out": 1}
# Tasks that a template has beside its stages.
_NO_STAGES = ("border", "copy")


@dataclass(frozen=True)
class ChannelEnd:
    """Where the outside finds a channel: PE, and number among the channels there."""

    op: ChannelOp
    pe: int
    number: int


@dataclass(frozen=True)
class PeTask:
    """For reports: the stage that a task is for. ``part`` is its label in the template; None for
    what is no stage there."""

    label: str
    stage: str
    macs: int
    kernels: tuple[str, ...]
    part: str | None
    jobs: tuple[PeJob, ...] = ()
    awaits: tuple[int, ...] = ()


@dataclass(frozen=True)
class PeJob:
    """A job that a task launches: its ``number`` on the PE, which is its label in errors, what it
    is, the index of its device, the cycles that it takes there and the bytes that it copies from
    DRAM."""

    number: int
    label: str
    device: int
    cycles: int
    dram_bytes: int = 0


@dataclass(frozen=True)
class PeCode:
    """One PE ready to be written. ``program`` is None for the host."""

    number: int
    program: str | None
    tables: PeTables
    constants: bytes
    shards: tuple[tuple[PeTask, ...], ...]


class _MeshWriter:
    def __init__(
        self,
        mesh: MeshOp,
        memory: Sequence[PeMemory],
        constants: Mapping[str, np.ndarray[Any, Any]],
        names: Sequence[str],
        devices: Mapping[int, tuple[Accelerator, ...]],
    ) -> None:
        self.mesh = mesh
        self.devices = devices
        self.job_count = [0] * len(memory)
        self.names = names
        self.memory = memory
        self.constants = constants
        self.templates = mesh.templates
        self.places = mesh.places
        self.tables = [PeTables(m.arena_bytes, m.constants_bytes) for m in memory]
        self.first_slot: list[int] = []  # of every place, on its PE
        self.shards: list[list[tuple[PeTask, ...]]] = [[] for _ in memory]
        self.outputs = [c for c in mesh.channels if not c.is_input]
        self.output_slots: list[int] = []
        self.kernel_index: dict[int, dict[str, int]] = {}

    def shard_of(self, place: PlaceOp) -> ShardOp:
        shard = self.templates[place.template_name]
        assert isinstance(shard, ShardOp)
        return shard

    def run(self) -> tuple[list[PeCode], list[ChannelEnd]]:
        programs = self.programs()
        routes = self.routes_of_places()
        for number, place in enumerate(self.places):
            self.add_slots(place)
            self.add_shard(place, routes.get(number, []))
        for channel in self.outputs:
            self.add_output_slot(channel)
        self.check_slots()
        self.add_sends(routes)
        ends = self.add_channels()
        return [
            PeCode(i, programs.get(i), tables, self.blob(i), tuple(self.shards[i]))
            for i, tables in enumerate(self.tables)
        ], ends

    def programs(self) -> dict[int, str]:
        """The program of every PE that has shards, by PE; also numbers the kernels of each."""
        by_key: dict[Any, str] = {}
        for program in self.mesh.programs:
            like = program.devices_of
            devices = () if like is None else self.devices[int(like.value.data)]
            key = program_key([k.data for k in program.kernels], devices)
            by_key[key] = program.sym_name.data
        shards = {n: s for n, s in self.templates.items() if isinstance(s, ShardOp)}
        found: dict[int, str] = {}
        for pe, kernels in kernels_of_pes(self.mesh, shards).items():
            self.kernel_index[pe] = {k: i for i, k in enumerate(kernels)}
            if pe != self.mesh.host_index:
                found[pe] = by_key[program_key(kernels, self.devices.get(pe, ()))]
        return found

    def routes_of_places(self) -> dict[int, list[Route]]:
        found: dict[int, list[Route]] = {}
        for route in self.mesh.routes:
            found.setdefault(route.producer, []).append(route)
        return found

    # --- rows ---

    def add_slots(self, place: PlaceOp) -> None:
        tables = self.tables[place.pe_index]
        self.first_slot.append(len(tables.slots))
        assert place.slots_at is not None
        slots = self.shard_of(place).of_type(SlotOp)
        rows = zip(slots, values_of(place.slots_at), values_of(place.depths), strict=True)
        for slot, at, depth in rows:
            tables.slots.append(SlotRow(at, slot_bytes(slot), depth, 1))

    def add_shard(self, place: PlaceOp, routes: Sequence[Route]) -> None:
        tables = self.tables[place.pe_index]
        tasks = self.tasks(place, self.first_slot[-1])
        slot_count = len(tables.slots) - self.first_slot[-1]
        tables.shards.append(
            ShardRow(self.first_slot[-1], slot_count, len(tables.tasks), len(tasks), 0, len(routes))
        )
        if place.lane is not None:
            if int(place.lane.value.data) == len(tables.lanes):
                tables.lanes.append(LaneRow(len(tables.shards) - 1, 0))
            tables.lanes[-1].shard_count += 1
        tables.tasks += [(f"{task.stage} {task.label}", calls) for task, calls in tasks]
        self.shards[place.pe_index].append(tuple(task for task, _ in tasks))

    def tasks(self, place: PlaceOp, first_slot: int) -> list[tuple[PeTask, list[Call]]]:
        shard = self.shard_of(place)
        slots: dict[SSAValue, int] = {
            op.result: first_slot + i for i, op in enumerate(shard.of_type(SlotOp))
        }
        labels = [label.data for label in place.labels]
        made = []
        tickets = _Tickets()
        for task in shard.of_type(TaskOp):
            is_stage = task.label.data.isdigit()
            label = labels[int(task.label.data)] if is_stage else task.label.data
            # What is cut out between two stages of a firing is no stage of the model.
            kind = "copy" if task.stage.data == "slice" and not is_stage else task.stage.data
            calls, jobs, awaited = [], [], []
            for op in task.body.block.ops:
                if isinstance(op, AwaitOp):
                    job, ticket = tickets.give_back(op.token)
                    calls.append(self.awaiting(place, job.device, ticket))
                    awaited.append(job.number)
                elif isinstance(op, LaunchOp):
                    job = self.job(op, place, labels)
                    jobs.append(job)
                    calls.append(self.launch(op, job, tickets.take(op.token, job), place, slots))
                elif isinstance(op, CallOp):
                    calls.append(self.call(op, place, slots))
            tickets.hand_on(task)
            names = tuple(sorted({c.kernel_name for c in task.calls}))
            is_part = task.stage.data not in _NO_STAGES
            part = task.label.data if is_part else None
            macs = int(task.macs.value.data)
            row = PeTask(label, kind, macs, names, part, tuple(jobs), tuple(awaited))
            made.append((row, calls))
        self.tables[place.pe_index].tickets += tickets.count
        return made

    def job(self, op: LaunchOp, place: PlaceOp, labels: Sequence[str]) -> PeJob:
        pe = place.pe_index
        number = self.job_count[pe]
        self.job_count[pe] += 1
        stage, _, what = op.label.data.partition(":")
        label = f"{labels[int(stage)]} {what}"
        return PeJob(number, label, op.device_index, op.device_cycles, dram_bytes(op))

    def awaiting(self, place: PlaceOp, device: int, ticket: int) -> Call:
        index = self.kernel_index[place.pe_index][AWAIT.name]
        return Call(index, (), AWAIT.name, device, self.first_ticket(place) + ticket)

    def launch(
        self,
        op: LaunchOp,
        job: PeJob,
        ticket: int,
        place: PlaceOp,
        slots: Mapping[SSAValue, int],
    ) -> Call:
        called = self.call(op, place, slots)
        return replace(
            called,
            words=(*called.words, job.number),
            device=job.device,
            ticket=self.first_ticket(place) + ticket,
        )

    def first_ticket(self, place: PlaceOp) -> int:
        """Of the shard that is being made: each has its own."""
        return self.tables[place.pe_index].tickets

    def call(self, call: CallOp | LaunchOp, place: PlaceOp, slots: Mapping[SSAValue, int]) -> Call:
        words = [
            self.pointer(pointer, int(offset), place, slots)
            for pointer, offset in zip(call.pointers, call.byte_offsets.get_values(), strict=True)
        ]
        words += [int(n) & 0xFFFFFFFF for n in call.numbers.get_values()]
        index = self.kernel_index[place.pe_index][call.kernel_name]
        return Call(index, tuple(words), call.kernel_name)

    @staticmethod
    def pointer(value: SSAValue, offset: int, place: PlaceOp, slots: Mapping[SSAValue, int]) -> int:
        owner = value.owner
        assert isinstance(owner, Operation)
        if isinstance(owner, SlotOp):
            return slot_word(slots[value], offset)
        if isinstance(owner, ConstantOp | StoredOp):
            assert place.constants_at is not None
            at = values_of(place.constants_at)[int(owner.index.value.data)] + offset
            return at if isinstance(owner, StoredOp) else IN_CONSTANTS | at
        assert isinstance(owner, BufferOp)
        return place.scratch_offset + owner.offset + offset

    def add_output_slot(self, channel: ChannelOp) -> None:
        tables = self.tables[channel.pe_index]
        self.output_slots.append(len(tables.slots))
        assert channel.at is not None
        at, depth = int(channel.at.value.data), int(channel.depth.value.data)
        tables.slots.append(SlotRow(at, channel_bytes(self.mesh, channel), depth, 1))

    def check_slots(self) -> None:
        for tables, name in zip(self.tables, [*self.names, "the host"], strict=False):
            largest = max((slot.frame_bytes for slot in tables.slots), default=0)
            if len(tables.slots) > MAX_SLOTS or largest >= MAX_SLOT_BYTES:
                raise MappingError(
                    f"{name} has {len(tables.slots)} slots, the largest of {largest} bytes; tables "
                    f"hold {MAX_SLOTS} of up to {MAX_SLOT_BYTES - 1}: use fewer, larger shards, or "
                    "spread them over more PEs"
                )
            if tables.arena_bytes > MAX_ARENA_BYTES:
                raise MappingError(
                    f"{name} has {tables.arena_bytes} bytes of slots and scratch memory; tables "
                    f"hold {MAX_ARENA_BYTES}: use shallower slots"
                )

    def target(self, route: Route) -> tuple[int, int]:
        """PE and slot there."""
        if route.consumer == NO_PLACE:
            return self.outputs[route.slot].pe_index, self.output_slots[route.slot]
        place = self.places[route.consumer]
        return place.pe_index, self.first_slot[route.consumer] + route.slot

    def add_sends(self, routes: Mapping[int, Sequence[Route]]) -> None:
        """Sends lie in the order of the shards; producers of a slot in the order of places."""
        credits: dict[tuple[int, int], list[ReturnRow]] = {}
        shard_number = [0] * len(self.tables)
        for number, place in enumerate(self.places):
            pe = place.pe_index
            tables = self.tables[pe]
            tables.shards[shard_number[pe]].first_send = len(tables.sends)
            shard_number[pe] += 1
            for route in routes.get(number, []):
                target = self.target(route)
                returns = credits.setdefault(target, [])
                tables.sends.append(self.send(place, number, route, target, len(returns)))
                returns.append(ReturnRow(pe, len(tables.sends) - 1))
        for pe, tables in enumerate(self.tables):
            for index, slot in enumerate(tables.slots):
                returns = credits.get((pe, index), [])
                slot.first_return, slot.return_count = len(tables.returns), len(returns)
                slot.producer_count = max(1, len(returns))
                tables.returns += returns

    def send(
        self, place: PlaceOp, number: int, route: Route, target: tuple[int, int], producer: int
    ) -> SendRow:
        pe, index = target
        slot = self.tables[pe].slots[index]
        result = self.shard_of(place).of_type(ResultOp)[route.result]
        slots = self.shard_of(place).of_type(SlotOp)
        owner = result.memory.owner
        if isinstance(owner, SlotOp):
            source = slot_word(self.first_slot[number] + slots.index(owner), route.source)
        else:
            assert isinstance(owner, BufferOp)
            source = place.scratch_offset + owner.offset + route.source
        return SendRow(
            pe,
            index,
            producer,
            slot.depth,
            source,
            slot.offset + route.target,
            slot.frame_bytes,
            route.outer,
            route.inner,
            route.bytes,
            route.source_outer,
            route.source_inner,
            route.target_outer,
            route.target_inner,
        )

    def add_channels(self) -> list[ChannelEnd]:
        """In the order of the model: inputs, then outputs."""
        ends = []
        outputs = iter(self.output_slots)
        for channel in self.mesh.channels:
            tables = self.tables[channel.pe_index]
            row = (
                self.input_row(channel)
                if channel.is_input
                else self.output_row(channel, next(outputs))
            )
            ends.append(ChannelEnd(channel, channel.pe_index, len(tables.channels)))
            tables.channels.append(row)
        return ends

    def input_row(self, channel: ChannelOp) -> ChannelRow:
        for number, place in enumerate(self.places):
            if channel.tensor_index in values_of(place.reads):
                index = values_of(place.reads).index(channel.tensor_index)
                slot = self.shard_of(place).of_type(SlotOp)[index]
                return _input_row(slot, self.first_slot[number] + index)
        raise AssertionError("an input that nobody reads")

    def output_row(self, channel: ChannelOp, slot: int) -> ChannelRow:
        tensor = self.mesh.tensors[channel.tensor_index]
        size = int(np.prod(tensor.shape)) * np.dtype(tensor.dtype).itemsize
        return ChannelRow(_DIRECTIONS["out"], slot, 0, 1, size, size)

    def blob(self, pe: int) -> bytes:
        """Every constant at its address, little endian, gaps zero."""
        memory = self.memory[pe]
        blob = bytearray(memory.constants_bytes)
        for key, at in memory.constants.items():
            data = self.constants[key]
            raw = data.astype(data.dtype.newbyteorder("<")).tobytes()
            blob[at : at + len(raw)] = raw
        return bytes(blob)


class _Tickets:
    """Numbers for the jobs of a shard that are under way: as few as may be at one time."""

    def __init__(self) -> None:
        self.count = 0
        self._free: list[int] = []
        self._taken: dict[SSAValue, tuple[PeJob, int]] = {}

    def take(self, token: SSAValue, job: PeJob) -> int:
        """For a job that is launched."""
        if not self._free:
            self._free.append(self.count)
            self.count += 1
        ticket = self._free.pop()
        self._taken[token] = job, ticket
        return ticket

    def give_back(self, token: SSAValue) -> tuple[PeJob, int]:
        """Of a job that is awaited: it, and the number that it had."""
        job, ticket = self._taken.pop(token)
        self._free.append(ticket)
        return job, ticket

    def hand_on(self, task: TaskOp) -> None:
        """What a task yields is known by another name to the tasks behind it."""
        last = task.body.block.last_op
        if isinstance(last, YieldOp):
            for token, outside in zip(last.tokens, task.tokens, strict=True):
                self._taken[outside] = self._taken.pop(token)


def _input_row(slot: SlotOp, index: int) -> ChannelRow:
    """A whole tensor, or the rows of one image within its border."""
    shape, strides = values_of(slot.shape), values_of(slot.strides)
    item = strides[-1] if strides else np.dtype(slot.dtype.data).itemsize
    offset = int(slot.byte_offset.value.data)
    size = int(np.prod(shape)) * item
    is_dense = all(
        n == 1 or stride == item * int(np.prod(shape[axis + 1 :]))
        for axis, (n, stride) in enumerate(zip(shape, strides, strict=True))
    )
    if is_dense:
        return ChannelRow(_DIRECTIONS["in"], index, offset, 1, size, size)
    row_bytes = int(np.prod(shape[2:])) * item
    return ChannelRow(_DIRECTIONS["in"], index, offset, shape[1], row_bytes, strides[1])


def mesh_tables(
    mesh: MeshOp,
    memory: Sequence[PeMemory],
    constants: Mapping[str, np.ndarray[Any, Any]],
    names: Sequence[str],
    devices: Mapping[int, tuple[Accelerator, ...]] | None = None,
) -> tuple[list[PeCode], list[ChannelEnd]]:
    """All PEs, the host last if there is one, and the channels in the order of the model. ``names``
    are those of the PEs in messages, ``devices`` what they have, by number.

    Raises ``MappingError`` if a PE has more slots or memory than tables can hold.
    """
    return _MeshWriter(mesh, memory, constants, names, devices or {}).run()
