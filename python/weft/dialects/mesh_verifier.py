# SPDX-License-Identifier: Apache-2.0
"""What holds of every mesh, so that what follows need not look: a part of ``fabric.mesh``.

Nobody reads what nobody writes, nothing is written twice, what has an address has it for itself,
and routes stay within the memory at both of their ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np
from xdsl.utils.exceptions import VerifyException

from weft.dialects.fabric import (
    NO_PLACE,
    ChannelOp,
    MeshOp,
    PlaceOp,
    Port,
    Route,
    RoutesOp,
    TemplateOp,
    extents,
    frame_stride,
    ports_of,
    values_of,
)
from weft.dialects.pe import ConstantOp, ResultOp, ShardOp, SlotOp, StoredOp, TaskOp
from weft.dialects.stages import StageOutput
from weft.dialects.stages.base import dtype_of
from weft.dialects.stages.box import Box
from weft.kernels.view import ITEM_BYTES

#: Bytes that somebody has for himself: first, one behind the last, whose.
_Range = tuple[int, int, str]


def _dtypes(template: TemplateOp | ShardOp) -> tuple[list[str], list[str]]:
    """Of what it reads and writes."""
    if isinstance(template, ShardOp):
        slots, results = template.of_type(SlotOp), template.of_type(ResultOp)
        return [s.dtype.data for s in slots], [r.dtype.data for r in results]
    block = template.graph.body.block
    last = block.last_op
    assert isinstance(last, StageOutput)
    return [dtype_of(a.type) for a in block.args], [dtype_of(v.type) for v in last.values]


class MeshVerifier:
    """One look at one mesh."""

    def __init__(self, mesh: MeshOp) -> None:
        self.mesh = mesh
        self.tensors = mesh.tensors
        self.places = mesh.places
        self.channels = mesh.channels
        self.templates = mesh.templates
        self.written = [np.zeros(t.shape, np.uint8) for t in self.tensors]
        self.readers: list[list[tuple[PlaceOp, Port]]] = [[] for _ in self.tensors]
        self.extents = {name: extents(op) for name, op in self.templates.items()}
        self.dtypes = {name: _dtypes(op) for name, op in self.templates.items()}
        self.shards = {n: op for n, op in self.templates.items() if isinstance(op, ShardOp)}
        # Bytes of the memory of slots, and of results.
        self.sizes = {
            name: (
                [slot.size for slot in op.of_type(SlotOp)],
                [_size(result) for result in op.of_type(ResultOp)],
            )
            for name, op in self.shards.items()
        }

    def run(self) -> None:
        self.names()
        for place in self.places:
            self.place(place)
        for channel in self.channels:
            self.channel(channel)
        for tensor, written in zip(self.tensors, self.written, strict=True):
            if not (written == 1).all():
                what = "not written" if (written == 0).any() else "written twice"
                raise VerifyException(f"a part of tensor {tensor.label.data} is {what}")
        for place in self.places:
            if place.template_name in self.shards:
                self.shard(place, self.shards[place.template_name])
        self.programs()
        self.addresses()
        self.routes()

    # --- who reads and writes what ---

    def names(self) -> None:
        count = sum(isinstance(op, TemplateOp | ShardOp) for op in self.mesh.body.block.ops)
        if count != len(self.templates):
            raise VerifyException("two templates have one name")
        if int(self.mesh.has_host.value.data) not in (0, 1) or int(self.mesh.pes.value.data) < 1:
            raise VerifyException("a mesh has PEs, and one host or none")

    def place(self, place: PlaceOp) -> None:
        name = place.template_name
        if name not in self.extents:
            raise VerifyException(f"there is no template {name}")
        self.pe(place.pe_index)
        reads, writes = ports_of(place, self.extents[name])
        dtypes = self.dtypes[name]
        for port, dtype in zip(reads, dtypes[0], strict=True):
            self.inside(port, dtype)
            self.readers[port.tensor].append((place, port))
        for port, dtype in zip(writes, dtypes[1], strict=True):
            self.inside(port, dtype)
            where = tuple(slice(b, e) for b, e in zip(port.box.begin, port.box.end, strict=True))
            # Stays above 1, however many write it.
            self.written[port.tensor][where] = np.minimum(self.written[port.tensor][where] + 1, 2)

    def pe(self, index: int) -> None:
        if not 0 <= index < self.mesh.pe_count:
            raise VerifyException(f"there is no PE {index}; there are {self.mesh.pe_count}")

    def inside(self, port: Port, dtype: str) -> None:
        if not 0 <= port.tensor < len(self.tensors):
            raise VerifyException(f"there is no tensor {port.tensor}")
        tensor = self.tensors[port.tensor]
        if not port.box.is_inside(tensor.shape):
            raise VerifyException(f"{port.box} is not inside of tensor {tensor.label.data}")
        if dtype != tensor.dtype:
            raise VerifyException(f"tensor {tensor.label.data} is {tensor.dtype}, not {dtype}")

    def channel(self, channel: ChannelOp) -> None:
        self.pe(channel.pe_index)
        index = channel.tensor_index
        if not 0 <= index < len(self.tensors):
            raise VerifyException(f"there is no tensor {index}")
        if not channel.is_input:
            return
        self.written[index] = np.minimum(self.written[index] + 1, 2)
        label = self.tensors[index].label.data
        if len(self.readers[index]) != 1:
            count = len(self.readers[index])
            raise VerifyException(f"input {label} goes to one slot, not to {count}")
        ((place, port),) = self.readers[index]
        if place.pe_index != channel.pe_index:
            raise VerifyException(
                f"input {label} is on PE {channel.pe_index}, its slot on PE {place.pe_index}"
            )
        if port.box != Box.whole(self.tensors[index].shape):
            raise VerifyException(f"input {label} goes whole into its slot")

    # --- shards in their places ---

    def shard(self, place: PlaceOp, shard: ShardOp) -> None:
        name = place.template_name
        indices = [int(c.index.value.data) for c in shard.of_type(ConstantOp)]
        if any(not 0 <= i < len(place.constants) for i in indices):
            raise VerifyException(f"{name} has constants that its place lacks")
        for task in shard.of_type(TaskOp):
            if task.label.data.isdigit() and int(task.label.data) >= len(place.labels):
                raise VerifyException(f"{name} has a stage {task.label.data} without a label")
        if place.pe_index == self.mesh.host_index and shard.kernel_names:
            raise VerifyException(f"{name} calls kernels; the host only scatters and gathers")

    def programs(self) -> None:
        programs = self.mesh.programs
        if not programs:
            return
        if len({p.sym_name.data for p in programs}) != len(programs):
            raise VerifyException("two programs have one name")
        known = {frozenset(k.data for k in p.kernels) for p in programs}
        wanted: dict[int, frozenset[str]] = {}
        for place in self.places:
            if place.template_name in self.shards:
                called = frozenset(self.shards[place.template_name].kernel_names)
                wanted[place.pe_index] = wanted.get(place.pe_index, frozenset()) | called
        for pe, kernels in wanted.items():
            if pe != self.mesh.host_index and kernels not in known:
                listed = ", ".join(sorted(kernels)) or "no kernel"
                raise VerifyException(f"no program for PE {pe}, which calls {listed}")

    # --- addresses ---

    def addresses(self) -> None:
        arenas: dict[int, list[_Range]] = {}
        blobs: dict[int, dict[str, _Range]] = {}
        dram: dict[str, _Range] = {}
        scratch: dict[int, int] = {}
        for place in self.places:
            shard = self.shards.get(place.template_name)
            if shard is None or place.slots_at is None:
                continue
            if place.constants_at is None or len(place.constants_at) != len(place.constants):
                raise VerifyException("one address a constant")
            slots = shard.of_type(SlotOp)
            if len(place.slots_at) != len(slots):
                raise VerifyException("one address a slot")
            arena = arenas.setdefault(place.pe_index, [])
            addresses = zip(slots, values_of(place.slots_at), values_of(place.depths), strict=True)
            for number, (slot, at, depth) in enumerate(addresses):
                end = at + depth * frame_stride(slot.size)
                arena.append((at, end, f"slot {number} of {place.template_name}"))
            scratch[place.pe_index] = max(scratch.get(place.pe_index, 0), shard.scratch_bytes)
            where = f"on PE {place.pe_index}"
            blob = blobs.setdefault(place.pe_index, {})
            self.constants(place, shard.of_type(ConstantOp), blob, where)
            self.constants(place, shard.of_type(StoredOp), dram, "in DRAM")
        for channel in self.channels:
            if channel.at is not None:
                tensor = self.tensors[channel.tensor_index]
                size = frame_stride(prod(tensor.shape) * ITEM_BYTES[tensor.dtype])
                at = int(channel.at.value.data)
                end = at + int(channel.depth.value.data) * size
                arena = arenas.setdefault(channel.pe_index, [])
                arena.append((at, end, f"output {channel.label.data}"))
        for pe, arena in arenas.items():
            _verify_apart(f"on PE {pe}", [(0, scratch.get(pe, 0), "scratch memory"), *arena])
        for pe, blob in blobs.items():
            _verify_apart(f"on PE {pe}", blob.values())
        _verify_apart("in DRAM", dram.values())

    @staticmethod
    def constants(
        place: PlaceOp,
        constants: Sequence[ConstantOp | StoredOp],
        blob: dict[str, _Range],
        where: str,
    ) -> None:
        assert place.constants_at is not None
        at = values_of(place.constants_at)
        for constant in constants:
            index = int(constant.index.value.data)
            key = place.constants.data[index].data
            whose = (at[index], at[index] + constant.size, f"constant {key}")
            if blob.setdefault(key, whose) != whose:
                raise VerifyException(f"constant {key} is at two places {where}")

    # --- routes ---

    def routes(self) -> None:
        tables = [op for op in self.mesh.body.block.ops if isinstance(op, RoutesOp)]
        if not tables:
            return
        if len(tables) > 1:
            raise VerifyException("a mesh has one table of routes")
        if any(place.template_name not in self.shards for place in self.places):
            raise VerifyException("routes lead from shard to shard; there are templates left")
        outputs = [channel for channel in self.channels if not channel.is_input]
        ports = [ports_of(p, self.extents[p.template_name]) for p in self.places]
        arrived: dict[tuple[int, int], int] = {}
        last = 0
        for row in tables[0].rows():
            if not last <= row.producer < len(self.places):
                raise VerifyException(f"no place {row.producer}, or routes are not sorted")
            last = row.producer
            sent = self.sent(row, ports)
            taken = self.taken(row, ports, outputs)
            if sent != taken:
                raise VerifyException(f"{_text(row)} brings tensor {sent} to one of tensor {taken}")
            end = row.consumer, row.slot
            arrived[end] = arrived.get(end, 0) + row.outer * row.inner * row.bytes
        self.arrivals(arrived, ports, outputs)

    def sent(self, row: Route, ports: Sequence[tuple[list[Port], list[Port]]]) -> int:
        """The tensor at the start of a route."""
        _, sizes = self.sizes[self.places[row.producer].template_name]
        if not 0 <= row.result < len(sizes):
            raise VerifyException(f"{_text(row)} starts at result {row.result} of {len(sizes)}")
        _verify_run(row, "takes", sizes[row.result], row[7:10])
        return ports[row.producer][1][row.result].tensor

    def taken(
        self,
        row: Route,
        ports: Sequence[tuple[list[Port], list[Port]]],
        outputs: Sequence[ChannelOp],
    ) -> int:
        """The tensor at the end of a route."""
        if row.consumer == NO_PLACE:
            if not 0 <= row.slot < len(outputs):
                raise VerifyException(f"{_text(row)} ends at output {row.slot} of {len(outputs)}")
            index = outputs[row.slot].tensor_index
            tensor = self.tensors[index]
            _verify_run(row, "writes", prod(tensor.shape) * ITEM_BYTES[tensor.dtype], row[10:13])
            return index
        if not 0 <= row.consumer < len(self.places):
            raise VerifyException(f"{_text(row)} ends at place {row.consumer}, which is not there")
        sizes, _ = self.sizes[self.places[row.consumer].template_name]
        if not 0 <= row.slot < len(sizes):
            raise VerifyException(f"{_text(row)} ends at slot {row.slot} of {len(sizes)}")
        _verify_run(row, "writes", sizes[row.slot], row[10:13])
        return ports[row.consumer][0][row.slot].tensor

    def arrivals(
        self,
        arrived: dict[tuple[int, int], int],
        ports: Sequence[tuple[list[Port], list[Port]]],
        outputs: Sequence[ChannelOp],
    ) -> None:
        """Every slot gets as many bytes as its box has; those of inputs get theirs from outside."""
        fed = {channel.tensor_index for channel in self.channels if channel.is_input}
        ends = [
            ((number, slot), port.tensor, port.box.size)
            for number, (reads, _) in enumerate(ports)
            for slot, port in enumerate(reads)
        ]
        ends += [
            ((NO_PLACE, i), c.tensor_index, prod(self.tensors[c.tensor_index].shape))
            for i, c in enumerate(outputs)
        ]
        for end, index, elements in ends:
            tensor = self.tensors[index]
            wanted = 0 if index in fed else elements * ITEM_BYTES[tensor.dtype]
            if end[0] == NO_PLACE:
                wanted = elements * ITEM_BYTES[tensor.dtype]
            if arrived.get(end, 0) != wanted:
                where = f"output {end[1]}" if end[0] == NO_PLACE else f"place {end[0]}"
                raise VerifyException(
                    f"{where} gets {arrived.get(end, 0)} of {wanted} bytes of {tensor.label.data}"
                )


def _size(result: ResultOp) -> int:
    (extent,) = result.memory.type.get_shape()  # type: ignore[attr-defined]
    return int(extent)


def _text(row: Route) -> str:
    return f"a route of place {row.producer}"


def _verify_run(row: Route, verb: str, size: int, where: Sequence[int]) -> None:
    first, outer, inner = where
    if min(row.outer, row.inner, row.bytes) < 1 or min(first, outer, inner) < 0:
        raise VerifyException(f"{_text(row)} goes backwards, or has no bytes")
    end = first + (row.outer - 1) * outer + (row.inner - 1) * inner + row.bytes
    if end > size:
        raise VerifyException(f"{_text(row)} {verb} bytes up to {end} of {size}")


def _verify_apart(where: str, ranges: Iterable[_Range]) -> None:
    end, owner = 0, ""
    for first, last, whose in sorted(r for r in ranges if r[0] != r[1]):
        if first < end:
            raise VerifyException(f"{owner} and {whose} overlap {where}")
        end, owner = last, whose
