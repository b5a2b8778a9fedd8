# SPDX-License-Identifier: Apache-2.0
"""Writes a compiled program: sources, data, measured sizes, the check that it fits, manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from weft import __version__
from weft.codegen.dram_file import write_dram
from weft.codegen.fit import Footprint, check_fit
from weft.codegen.folder import MeshData, write_sources
from weft.codegen.images import check_stack, object_sizes, program_stacks
from weft.codegen.load_map import write_load_map
from weft.codegen.manifest import FORMAT, MAPPING, write_manifest
from weft.codegen.mesh_tables import ChannelEnd, PeCode, PeTask, mesh_tables
from weft.codegen.offload_report import offload_rows
from weft.codegen.program_c import PeData, ProgramDevice
from weft.codegen.runtime_sources import runtime_hash
from weft.codegen.stack import StackUse
from weft.codegen.time_facts import firing_row, firings_of, network_row, task_cycles
from weft.codegen.toolchain import Toolchain, find_target_toolchain
from weft.devices.accelerator import Accelerator
from weft.dialects.fabric import MeshOp
from weft.kernels.hand_written import HandWritten
from weft.machines.model import Machine, Pe, PeClass
from weft.mapping.files import mapping_text
from weft.mapping.firing_cycles import FiringCycles
from weft.mapping.mapping import Mapping
from weft.mapping.timing import Transfer
from weft.transforms.compilation import Compilation
from weft.transforms.plan_memory import PeMemory

_WORD = 4
_ALIGNMENT = 16
# What a PE's context takes on a 32-bit core if no target compiler is there to ask.
_CONTEXT_BYTES = 64


@dataclass(frozen=True)
class Measured:
    """A program as the target's compiler makes it: bytes of its objects, by part, and what it takes
    of its stack at worst."""

    objects: Table[str, int]
    stack: StackUse


#: By PE class; then by program.
AllMeasured = Table[str, Table[str, Measured]]


@dataclass(frozen=True)
class Placed:
    """A mesh ready to be written. ``pes`` are the machine's, in the order of their numbers."""

    compilation: Compilation
    machine: Machine
    mapping: Mapping
    pes: Sequence[Pe]
    codes: Sequence[PeCode]
    ends: Sequence[ChannelEnd]

    @property
    def mesh(self) -> MeshOp:
        (mesh,) = self.compilation.module.ops
        assert isinstance(mesh, MeshOp)
        return mesh

    @property
    def workers(self) -> list[PeCode]:
        """The PEs that have something to do, without the host."""
        return [code for code in self.codes if code.program is not None]

    def class_of(self, code: PeCode) -> PeClass:
        return self.machine.class_of(self.pes[code.number])

    def classes(self) -> dict[str, tuple[PeClass, dict[str, list[str]]]]:
        """Every PE class in use, with the programs that run on it and their kernels."""
        kernels = {p.sym_name.data: [k.data for k in p.kernels] for p in self.mesh.programs}
        found: dict[str, tuple[PeClass, dict[str, list[str]]]] = {}
        for code in self.workers:
            pe_class = self.class_of(code)
            programs = found.setdefault(pe_class.name, (pe_class, {}))[1]
            assert code.program is not None
            programs[code.program] = kernels[code.program]
        return found


def place_on(compilation: Compilation, machine: Machine, mapping: Mapping) -> Placed:
    """Makes the tables of every PE. Raises ``MappingError`` if one cannot hold its share."""
    (mesh,) = compilation.module.ops
    assert isinstance(mesh, MeshOp)
    memory: Sequence[PeMemory] = compilation.facts["memory"]
    pes = machine.usable()
    names = [f"PE {pe} of {machine.name}" for pe in pes]
    codes, ends = mesh_tables(mesh, memory, compilation.constants, names, compilation.devices)
    return Placed(compilation, machine, mapping, pes, codes, ends)


def _footprint(code: PeCode, pe_class: PeClass, measured: Measured | None) -> Footprint:
    tables = code.tables
    state = tables.assign_state() * _WORD
    size, variables, stack = None, _CONTEXT_BYTES, pe_class.stack_bytes
    if measured is not None:
        objects = measured.objects
        size = objects["kernels"] + objects["program"] + objects["runtime"]
        variables = objects["data"] + objects["bss"]
        stack = measured.stack.bytes if stack is None else stack
    return Footprint(
        size,
        len(tables.words()) * _WORD,
        len(code.constants),
        tables.arena_bytes,
        state + variables,
        stack,
    )


def precheck(placed: Placed) -> None:
    """Refuses what cannot fit whatever its code, before any code is made."""
    for code in placed.workers:
        _regions(placed, code, _footprint(code, placed.class_of(code), None))


def _regions(placed: Placed, code: PeCode, footprint: Footprint) -> dict[str, int]:
    """Bytes by memory region. Raises ``DoesNotFitError``."""
    is_alone = len(placed.pes) == 1
    return check_fit(_where(placed, code), footprint, placed.class_of(code), is_alone=is_alone)


def _where(placed: Placed, code: PeCode) -> str:
    if len(placed.workers) == 1:
        return f"program {code.program}"
    return f"program {code.program} on PE {placed.pes[code.number]}"


def _mesh_data(placed: Placed) -> MeshData:
    """All tables back to back, and every distinct block of constants once."""
    tables, constants = bytearray(), bytearray()
    known: dict[bytes, int] = {}
    pes: dict[int, PeData] = {}
    for code in placed.codes:
        words = code.tables.to_bytes()
        if code.constants not in known:
            constants += bytes(-len(constants) % _ALIGNMENT)
            known[code.constants] = len(constants)
            constants += code.constants
        name = str(placed.pes[code.number]) if code.number < len(placed.pes) else "host"
        pes[code.number] = PeData(
            name,
            code.program or "",
            len(tables),
            len(words),
            known[code.constants],
            len(code.constants),
            code.tables.arena_bytes,
            code.tables.assign_state(),
        )
        tables += words
    return MeshData(bytes(tables), bytes(constants), pes)


def finish(
    placed: Placed,
    kernels: ModuleOp,
    folder: Path,
    name: str,
    data: bytes | None,
) -> None:
    """Fills the empty ``folder`` and checks that every PE's share fits. ``name`` and ``data`` are
    the model's."""
    functions = {
        op.sym_name.data: op
        for op in kernels.ops
        if isinstance(op, FuncOp) and op.sym_name.data in placed.compilation.kernels
    }
    bytes_ = _mesh_data(placed)
    workers = {n: pe for n, pe in bytes_.pes.items() if pe.program}
    devices = _program_devices(placed)
    workers = {n: replace(pe, has_devices=pe.program in devices) for n, pe in workers.items()}
    write_sources(placed.compilation, functions, folder, replace(bytes_, pes=workers), devices)
    text = mapping_text(placed.mapping, placed.machine, name)
    (folder / MAPPING).write_text(text, encoding="utf-8", newline="\n")
    pe_classes = {code.number: placed.class_of(code) for code in placed.workers}
    stored = write_dram(folder, placed.compilation)
    write_load_map(folder, placed.mesh, placed.codes, placed.ends, bytes_.pes, pe_classes, stored)
    measured: dict[str, dict[str, Measured]] = {}
    versions: dict[str, str | None] = {}
    for class_name, (pe_class, programs) in placed.classes().items():
        toolchain = find_target_toolchain(pe_class.core)
        versions[class_name] = toolchain.version if toolchain is not None else None
        if toolchain is not None:
            measured[class_name] = _measure(
                folder, pe_class, programs, toolchain, _hand_written(placed)
            )
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "weft": __version__,
        "model": _model_facts(name, data),
        "machine": placed.machine.name,
        "pe_classes": {name: _pe_class(c) for name, (c, _) in placed.classes().items()},
        "runtime_sha256": runtime_hash(folder / "runtime"),
        "programs": _programs(placed, measured, versions),
        "pes": [_pe(placed, code, bytes_.pes[code.number], measured) for code in placed.codes],
        "network": network_row(placed.machine),
        "channels": _channels(placed),
        "dram": _dram(placed, stored),
        "stages": list(placed.mapping.stages),
        "timing": placed.compilation.facts["timing"],
        "packing": _packing(placed.compilation),
        "hand_written": _stages_by_hand(placed),
        "offload": offload_rows(
            placed.mesh,
            placed.compilation.facts.get("decisions", ()),
            list(placed.mapping.stages),
        ),
    }
    write_manifest(folder, manifest)


def _measure(
    folder: Path,
    pe_class: PeClass,
    programs: Table[str, Sequence[str]],
    toolchain: Toolchain,
    sources_of: Table[str, Sequence[str]],
) -> dict[str, Measured]:
    """By program. Raises ``DoesNotFitError`` if one takes more stack than PEs of the class have."""
    objects = object_sizes(folder, programs, toolchain, sources_of=sources_of)
    stacks = program_stacks(folder, list(programs), toolchain)
    if pe_class.stack_bytes is not None:
        for name, stack in stacks.items():
            check_stack(f"program {name}", stack, pe_class.stack_bytes)
    return {name: Measured(objects[name], stacks[name]) for name in programs}


def _program_devices(placed: Placed) -> dict[str, list[ProgramDevice]]:
    """The devices of each program that uses any, with room for the jobs that may be under way."""
    found: dict[str, list[ProgramDevice]] = {}
    for program in placed.mesh.programs:
        if program.devices_of is None:
            continue
        name = program.sym_name.data
        codes = [code for code in placed.workers if code.program == name]
        rows = []
        for device in placed.compilation.devices[int(program.devices_of.value.data)]:
            most = max(_jobs_under_way(code, device.index) for code in codes)
            most = max(most, device.description.facts.jobs_in_flight)
            rows.append(ProgramDevice(device, 1 << (most - 1).bit_length()))
        found[name] = rows
    return found


def _jobs_under_way(code: PeCode, device: int) -> int:
    """Of a device at most, when all shards of a PE are under way."""
    total = 0
    for shard in code.shards:
        devices = {job.number: job.device for task in shard for job in task.jobs}
        most = now = 0
        for task in shard:
            now -= sum(devices[number] == device for number in task.awaits)
            now += sum(job.device == device for job in task.jobs)
            most = max(most, now)
        total += most
    return total


def _hand_written(placed: Placed) -> dict[str, Sequence[str]]:
    """The files of every kernel that is not generated from TensorIR."""
    kernels = placed.compilation.kernels.values()
    return {k.name: k.sources for k in kernels if isinstance(k, HandWritten)}


def _stages_by_hand(placed: Placed) -> list[str]:
    """The stages that call such a kernel, on some PE."""
    by_hand = _hand_written(placed).keys()
    tasks = (task for code in placed.codes for shard in code.shards for task in shard)
    found = {task.label for task in tasks if not by_hand.isdisjoint(task.kernels)}
    return [label for label in placed.mapping.stages if label in found]


def _model_facts(name: str, data: bytes | None) -> dict[str, Any]:
    """What the manifest says of the model."""
    return {"name": name, "sha256": hashlib.sha256(data).hexdigest() if data is not None else None}


def _dram(placed: Placed, stored: dict[str, Any] | None) -> dict[str, Any] | None:
    """The file of weights in DRAM, and what is copied from there for a frame."""
    if stored is None:
        return None
    return {
        **stored,
        "bytes_per_frame": placed.compilation.facts["dram_bytes"],
        "bytes_per_second": placed.machine.links["dram"],
    }


def _pe_class(pe_class: PeClass) -> dict[str, Any]:
    """What it takes to link an image, and the clock."""
    return {
        "core": pe_class.core,
        "clock_hz": pe_class.clock_hz,
        "stack_bytes": pe_class.stack_bytes,
        "memory": [asdict(region) for region in pe_class.memory],
    }


def _packing(compilation: Compilation) -> dict[str, Any]:
    """Of the shard whose scratch memory is furthest from what no packing can beat."""
    worst = max(
        compilation.facts["packing"].values(),
        key=lambda p: (p["scratch_ratio"], p["scratch_bytes"]),
        default={"scratch_bytes": 0, "scratch_lower_bound": 0, "scratch_ratio": 1.0},
    )
    return {key.removeprefix("scratch_"): value for key, value in worst.items()}


def _programs(
    placed: Placed, measured: AllMeasured, versions: Table[str, str | None]
) -> list[dict[str, Any]]:
    rows = []
    for program in placed.mesh.programs:
        name = program.sym_name.data
        classes = sorted({placed.class_of(c).name for c in placed.workers if c.program == name})
        rows.append(
            {
                "name": name,
                "kernels": [k.data for k in program.kernels],
                "pes": sum(c.program == name for c in placed.workers),
                "objects": {c: measured[c][name].objects for c in classes if c in measured},
                "stacks": {c: _stack(measured[c][name].stack) for c in classes if c in measured},
                "sizes_from": {c: versions[c] for c in classes},
            }
        )
    return rows


def _stack(stack: StackUse) -> dict[str, Any]:
    return {"bytes": stack.bytes, "chain": [list(part) for part in stack.chain]}


def _pe(placed: Placed, code: PeCode, data: PeData, measured: AllMeasured) -> dict[str, Any]:
    timed = firings_of(placed.mesh, placed.compilation.facts["firings"], code.number)
    row: dict[str, Any] = {
        **{k: v for k, v in asdict(data).items() if k.endswith(("_at", "_bytes"))},
        "name": data.name,
        "state_words": data.state_words,
        "program": code.program,
        "shards": [_tasks(f, shard) for f, shard in zip(timed, code.shards, strict=True)],
        "firings": [firing_row(f, shard) for f, shard in zip(timed, code.shards, strict=True)],
    }
    if code.program is None:
        return row
    pe_class = placed.class_of(code)
    sizes = measured.get(pe_class.name)
    footprint = _footprint(code, pe_class, sizes[code.program] if sizes is not None else None)
    regions = _regions(placed, code, footprint)
    scratch: PeMemory = placed.compilation.facts["memory"][code.number]
    pe = placed.pes[code.number]
    row |= {
        "pe_class": pe_class.name,
        "devices": [_device(d) for d in placed.compilation.devices.get(code.number, ())],
        "node": [pe.x, pe.y],
        "sections": footprint.sections(),
        "scratch_bytes": scratch.scratch_bytes,
        "regions": regions,
        "sram_bytes": sum(regions.values()),
    }
    return row


def _device(device: Accelerator) -> dict[str, Any]:
    return {
        "name": device.name,
        "kind": device.description.name,
        "clock_hz": device.description.facts.clock_hz,
    }


def _channels(placed: Placed) -> list[dict[str, Any]]:
    transfers: Sequence[Transfer] = placed.compilation.facts["transfers"]
    rows = []
    for end, transfer in zip(placed.ends, transfers, strict=True):
        tensor = placed.mesh.tensors[end.op.tensor_index]
        rows.append(
            {
                "name": end.op.label.data,
                "direction": end.op.direction.data,
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "pe": end.pe,
                "number": end.number,
                "link": transfer.link,
                "link_ticks": transfer.ticks,
            }
        )
    return rows


def _tasks(firing: FiringCycles, tasks: Sequence[PeTask]) -> list[dict[str, Any]]:
    rows = []
    for task, cycles in zip(tasks, task_cycles(firing, tasks), strict=True):
        row: dict[str, Any] = {
            "stage": task.stage,
            "name": task.label,
            "macs": task.macs,
            "core_cycles": cycles,
            "kernels": list(task.kernels),
        }
        if task.jobs:
            row["jobs"] = [asdict(job) for job in task.jobs]
        if task.awaits:
            row["awaits"] = list(task.awaits)
        rows.append(row)
    return rows
