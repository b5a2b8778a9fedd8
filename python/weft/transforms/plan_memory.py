# SPDX-License-Identifier: Apache-2.0
"""Pass: gives everything on every PE its address.

The arena of a PE starts with scratch memory, as much as its largest firing needs: firings run one
at a time, so all take the same. Where one waits for a device, others may run meanwhile: then it has
a lane, and scratch memory of its own. Slots follow, each for as many frames as it is deep.
Constants are lined up by themselves; places on one PE share equal ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xdsl.dialects.builtin import ArrayAttr, IntegerAttr, StringAttr, i64

from weft.devices.accelerator import Accelerator
from weft.dialects.fabric import (
    FRAME_ALIGNMENT,
    ChannelOp,
    MeshOp,
    PlaceOp,
    frame_stride,
    integers,
    values_of,
)
from weft.dialects.pe import (
    BufferOp,
    ConstantOp,
    ProgramOp,
    ShardOp,
    SlotOp,
    StoredOp,
    TaskOp,
)
from weft.errors import MappingError
from weft.kernels.device import AWAIT
from weft.kernels.view import ITEM_BYTES
from weft.transforms.compilation import Compilation
from weft.transforms.pack import Item, pack

BUFFER_ALIGNMENT = FRAME_ALIGNMENT
# The constants of a program are read word by word, unless a device reads them.
CONSTANT_ALIGNMENT = 4
# A burst of common memories; whoever copies from there copies multiples of less.
DRAM_ALIGNMENT = 64
_MAX_DRAM_BYTES = 1 << 32


def _align(n: int, alignment: int) -> int:
    return -(-n // alignment) * alignment


@dataclass
class PeMemory:
    """What lies where on one PE. ``constants`` maps keys to offsets."""

    scratch_bytes: int = 0
    arena_bytes: int = 0
    constants: dict[str, int] = field(default_factory=dict)
    constants_bytes: int = 0

    def take(self, size: int) -> int:
        """An address behind everything in the arena so far."""
        at = self.arena_bytes
        self.arena_bytes = _align(at + size, BUFFER_ALIGNMENT)
        return at

    def constant(self, key: str, size: int, alignment: int = CONSTANT_ALIGNMENT) -> int:
        """The address of a constant, which is there once."""
        if key not in self.constants:
            at = _align(self.constants_bytes, max(alignment, CONSTANT_ALIGNMENT))
            self.constants[key] = at
            self.constants_bytes = at + size
        return self.constants[key]


@dataclass
class DramMemory:
    """What lies where in DRAM, for all PEs: each constant once. ``constants`` maps keys to
    offsets."""

    constants: dict[str, int] = field(default_factory=dict)
    bytes: int = 0

    def constant(self, key: str, size: int) -> int:
        """The offset of a constant."""
        if key not in self.constants:
            self.constants[key] = self.bytes
            self.bytes = _align(self.bytes + size, DRAM_ALIGNMENT)
        return self.constants[key]


def slot_bytes(slot: SlotOp) -> int:
    """From one frame's room to the next."""
    return frame_stride(slot.size)


def channel_bytes(mesh: MeshOp, channel: ChannelOp) -> int:
    """From one frame's room of an output channel to the next."""
    tensor = mesh.tensors[channel.tensor_index]
    size = ITEM_BYTES[tensor.dtype]
    for extent in tensor.shape:
        size *= extent
    return frame_stride(size)


def plan_memory(compilation: Compilation, *, lanes: bool = True) -> Compilation:
    """Packs buffers by lifetime and lines up the rest; states each packing's ratio to its bound.
    Without ``lanes``, which take memory, firings wait for their devices with nothing beside."""
    module = compilation.module.clone()
    (mesh,) = module.ops
    assert isinstance(mesh, MeshOp)
    shards = {op.sym_name.data: op for op in mesh.body.block.ops if isinstance(op, ShardOp)}
    bounds = {name: _pack(shard) for name, shard in shards.items()}
    pes = [PeMemory() for _ in range(mesh.pe_count)]
    dram = DramMemory()
    by_pe: dict[int, list[PlaceOp]] = {}
    for place in mesh.places:
        by_pe.setdefault(place.pe_index, []).append(place)
    most_lanes = 1
    for number, here in by_pe.items():
        found = _lanes(here, shards) if lanes else [here]
        most_lanes = max(most_lanes, len(found))
        _lay_out_scratch(found, shards, pes[number])
    for place in mesh.places:
        shard = shards[place.template_name]
        _lay_out(place, shard, pes[place.pe_index], dram, compilation.alignments)
    if dram.bytes >= _MAX_DRAM_BYTES:
        raise MappingError(
            f"weights take {dram.bytes} bytes of DRAM; offsets there reach {_MAX_DRAM_BYTES - 1}: "
            "use a smaller model"
        )
    for channel in mesh.channels:
        if not channel.is_input:
            size = channel_bytes(mesh, channel) * int(channel.depth.value.data)
            channel.at = IntegerAttr(pes[channel.pe_index].take(size), i64)
    _add_programs(mesh, shards, compilation.devices)
    module.verify()
    facts = {
        **compilation.facts,
        "memory": pes,
        "dram": dram,
        "packing": bounds,
        "lanes": most_lanes,
    }
    return replace(compilation, module=module, facts=facts)


def _pack(shard: ShardOp) -> dict[str, Any]:
    buffers = shard.of_type(BufferOp)
    packing = pack([Item(b.size, tuple(b.intervals)) for b in buffers], BUFFER_ALIGNMENT)
    for buffer, offset in zip(buffers, packing.offsets, strict=True):
        buffer.at = IntegerAttr(offset, i64)
    shard.scratch = IntegerAttr(packing.peak, i64)
    bound = packing.lower_bound
    return {
        "scratch_bytes": packing.peak,
        "scratch_lower_bound": bound,
        "scratch_ratio": round(packing.peak / bound, 4) if bound else 1.0,
    }


def _lanes(places: Sequence[PlaceOp], shards: Mapping[str, ShardOp]) -> list[list[PlaceOp]]:
    """The places of a PE, in their order: one that awaits jobs is a lane, and so are those between
    two such."""
    found: list[list[PlaceOp]] = []
    is_open = False
    for place in places:
        waits = any(True for t in shards[place.template_name].of_type(TaskOp) for _ in t.awaits)
        if is_open and not waits:
            found[-1].append(place)
        else:
            found.append([place])
        is_open = not waits
    return found


def _lay_out_scratch(
    lanes: Sequence[Sequence[PlaceOp]], shards: Mapping[str, ShardOp], pe: PeMemory
) -> None:
    for number, lane in enumerate(lanes):
        size = max(shards[place.template_name].scratch_bytes for place in lane)
        at = pe.take(size)
        pe.scratch_bytes = pe.arena_bytes
        for place in lane if len(lanes) > 1 else ():
            place.lane = IntegerAttr(number, i64)
            place.scratch_at = IntegerAttr(at, i64)


def _lay_out(
    place: PlaceOp,
    shard: ShardOp,
    pe: PeMemory,
    dram: DramMemory,
    alignments: Mapping[str, int],
) -> None:
    depths = values_of(place.depths)
    slots = shard.of_type(SlotOp)
    place.slots_at = integers(
        [pe.take(slot_bytes(slot) * d) for slot, d in zip(slots, depths, strict=True)]
    )
    sizes = {int(c.index.value.data): c.size for c in shard.of_type(ConstantOp)}
    stored = {int(c.index.value.data): c.size for c in shard.of_type(StoredOp)}
    # A constant that only gave a view its shape has no bytes here.
    addresses = [0] * len(place.constants)
    for i, key in enumerate(place.constants):
        if i in sizes:
            addresses[i] = pe.constant(key.data, sizes[i], alignments.get(key.data, 1))
        elif i in stored:
            addresses[i] = dram.constant(key.data, stored[i])
    place.constants_at = integers(addresses)


def _add_programs(
    mesh: MeshOp,
    shards: dict[str, ShardOp],
    devices: Mapping[int, tuple[Accelerator, ...]],
) -> None:
    """One program for every set of kernels that PEs with the same devices call."""
    kinds: dict[tuple[Any, ...], int] = {}
    wanted = kernels_of_pes(mesh, shards)
    for pe, kernels in wanted.items():
        if pe != mesh.host_index:
            kinds.setdefault(program_key(kernels, devices.get(pe, ())), pe)
    block = mesh.body.block
    first = block.first_op
    assert first is not None
    for number, ((kernels, used), pe) in enumerate(kinds.items()):
        program = ProgramOp(
            properties={
                "sym_name": StringAttr(f"p{number}"),
                "kernels": ArrayAttr(StringAttr(k) for k in kernels),
                "devices_of": IntegerAttr(pe, i64) if used else None,
            }
        )
        block.insert_op_before(program, first)


def program_key(
    kernels: Sequence[str], devices: tuple[Accelerator, ...]
) -> tuple[tuple[str, ...], tuple[Accelerator, ...]]:
    """PEs with the same key run the same program: ``kernels`` are those that one calls."""
    return tuple(kernels), devices if AWAIT.name in kernels else ()


def kernels_of_pes(mesh: MeshOp, shards: Mapping[str, ShardOp]) -> dict[int, tuple[str, ...]]:
    """The kernels that each PE calls, sorted; by PE."""
    wanted: dict[int, set[str]] = {}
    for place in mesh.places:
        wanted.setdefault(place.pe_index, set()).update(shards[place.template_name].kernel_names)
    return {pe: tuple(sorted(wanted[pe])) for pe in sorted(wanted)}
