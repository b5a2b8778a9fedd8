# SPDX-License-Identifier: Apache-2.0
"""Writes a compiled program: sources, measured sizes, the check that it fits, the manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from weft import __version__
from weft.codegen.fit import Footprint, check_fit
from weft.codegen.folder import runtime_hash, write_sources
from weft.codegen.images import object_sizes
from weft.codegen.manifest import FORMAT, write_manifest
from weft.codegen.program_c import build_tables
from weft.codegen.toolchain import find_target_toolchain
from weft.dialects.pe import ChannelOp, ProgramOp, TaskOp
from weft.machines.model import Machine, PeClass
from weft.transforms.compilation import Compilation

_WORD = 4


def programs_of(compilation: Compilation) -> list[ProgramOp]:
    """The programs of a module whose passes have run."""
    return [op for op in compilation.module.ops if isinstance(op, ProgramOp)]


def _sizes(compilation: Compilation, program: ProgramOp) -> tuple[int, int, int]:
    """Bytes of arena, constants and tables."""
    memory = compilation.facts["memory"][program.sym_name.data]
    arena, constants = memory["arena_bytes"], memory["constants_bytes"]
    return arena, constants, build_tables(program, arena, constants).word_count * _WORD


def _footprint(
    compilation: Compilation, program: ProgramOp, pe_class: PeClass, measured: dict[str, int] | None
) -> Footprint:
    arena, constants, tables = _sizes(compilation, program)
    code, state = None, 0
    if measured is not None:
        code = measured["kernels"] + measured["program"] + measured["runtime"]
        state = measured["data"] + measured["bss"]
    return Footprint(code, tables, constants, arena, state, pe_class.stack_bytes)


def precheck(compilation: Compilation, pe_class: PeClass) -> None:
    """Refuses what cannot fit whatever its code, before any code is made."""
    for program in programs_of(compilation):
        check_fit(program.sym_name.data, _footprint(compilation, program, pe_class, None), pe_class)


def finish(
    compilation: Compilation,
    kernels: ModuleOp,
    folder: Path,
    model: str,
    data: bytes | None,
    machine: Machine,
    pe_class: PeClass,
) -> None:
    """Fills the empty ``folder`` and checks that every program fits."""
    functions = {
        op.sym_name.data: op
        for op in kernels.ops
        if isinstance(op, FuncOp) and not op.is_declaration
    }
    write_sources(compilation, functions, folder)
    toolchain = find_target_toolchain(pe_class.core)
    programs = []
    for program in programs_of(compilation):
        name = program.sym_name.data
        measured = object_sizes(folder, name, toolchain) if toolchain is not None else None
        footprint = _footprint(compilation, program, pe_class, measured)
        regions = check_fit(name, footprint, pe_class)
        programs.append(
            {
                "name": name,
                "pes": [str(machine.usable()[0])],
                "pe_class": pe_class.name,
                "kernels": [k.data for k in program.kernels],
                "memory": dict(compilation.facts["memory"][name]),
                "sections": footprint.sections(),
                "objects": measured,
                "sizes_from": toolchain.version if toolchain is not None else None,
                "regions": regions,
                "sram_bytes": sum(regions.values()),
                "channels": [_channel(c) for c in program.of_type(ChannelOp)],
                "tasks": [_task(t) for t in program.of_type(TaskOp)],
            }
        )
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "weft": __version__,
        "model": {
            "name": model,
            "sha256": hashlib.sha256(data).hexdigest() if data is not None else None,
        },
        "machine": machine.name,
        "runtime_sha256": runtime_hash(folder / "runtime"),
        "programs": programs,
        # Stages whose kernels are not generated from TensorIR: none yet.
        "hand_written": [],
    }
    write_manifest(folder, manifest)


def _channel(channel: ChannelOp) -> dict[str, Any]:
    return {
        "direction": channel.direction.data,
        "name": channel.label.data,
        "dtype": channel.dtype.data,
        "shape": [int(n) for n in channel.shape.get_values()],
    }


def _task(task: TaskOp) -> dict[str, Any]:
    return {
        "stage": task.stage.data,
        "name": task.label.data,
        "macs": int(task.macs.value.data),
        "kernels": sorted({c.kernel_name for c in task.calls}),
    }
