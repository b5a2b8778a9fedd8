# SPDX-License-Identifier: Apache-2.0
"""Pass: gives every buffer and constant of every program its address."""

from __future__ import annotations

from xdsl.dialects.builtin import IntegerAttr, i64

from weft.dialects.pe import BufferOp, ConstantOp, ProgramOp
from weft.transforms.compilation import Compilation
from weft.transforms.pack import Item, pack

# DMA engines move 16 bytes at a time; the constants of a program are read word by word.
BUFFER_ALIGNMENT = 16
CONSTANT_ALIGNMENT = 4


def plan_memory(compilation: Compilation) -> Compilation:
    """Packs buffers by lifetime and lines constants up; states the packing's ratio to its bound."""
    module = compilation.module.clone()
    memory = {}
    for program in module.ops:
        if isinstance(program, ProgramOp):
            memory[program.sym_name.data] = _plan(program)
    module.verify()
    facts = {**compilation.facts, "memory": memory}
    return Compilation(module, compilation.constants, compilation.kernels, facts)


def _plan(program: ProgramOp) -> dict[str, int | float]:
    buffers = program.of_type(BufferOp)
    items = [Item(b.size, tuple(b.intervals)) for b in buffers]
    packing = pack(items, BUFFER_ALIGNMENT)
    for buffer, offset in zip(buffers, packing.offsets, strict=True):
        buffer.at = IntegerAttr(offset, i64)
    end = 0
    for constant in program.of_type(ConstantOp):
        end = -(-end // CONSTANT_ALIGNMENT) * CONSTANT_ALIGNMENT
        constant.at = IntegerAttr(end, i64)
        end += constant.size
    return {
        "arena_bytes": packing.peak,
        "arena_lower_bound": packing.lower_bound,
        "arena_ratio": round(packing.peak / packing.lower_bound, 4) if packing.lower_bound else 1.0,
        "constants_bytes": end,
    }
