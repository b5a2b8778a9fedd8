# SPDX-License-Identifier: Apache-2.0
"""A compiled program written by hand: a chain of PEs with one kernel each, one input, one output.

The input is ROWS rows of ROW_BYTES bytes with a gap after each, the output the same bytes without
gaps. By default the kernel adds a constant to each byte, on every PE anew.
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from weft.codegen.program_c import PeData, header_source, pes_header, pes_source
from weft.codegen.tables import (
    IN_CONSTANTS,
    VERSION,
    Call,
    ChannelRow,
    PeTables,
    ReturnRow,
    SendRow,
    ShardRow,
    SlotRow,
    slot_word,
)

RUNTIME = Path(__file__).resolve().parents[3] / "runtime"

ROWS, ROW_BYTES, ROW_STRIDE = 4, 8, 12
FRAME_BYTES = ROWS * ROW_BYTES
ROOM_BYTES, IN_OFFSET = 64, 16  # of a frame in the slot that the kernel reads, and where it is
OUT_OFFSET = 128
ARENA_BYTES = 256
_OUT_SLOT_OFFSET = 192
_DEPTH = 1  # of the last slot; between PEs it is 2

ADD_CONSTANTS = """\
    for (int32_t y = 0; y < rows; ++y) {
        for (int32_t x = 0; x < row_bytes; ++x) {
            const int32_t sum = in[y * in_stride + x] + constants[y * row_bytes + x];
            out[y * row_bytes + x] = (int8_t)(uint8_t)(uint32_t)sum;
        }
    }
"""

_KERNELS_H = """\
#ifndef KERNELS_H
#define KERNELS_H
#include <stdint.h>
void tiny(const int8_t *in, int8_t *out, const int8_t *constants, int32_t rows, int32_t row_bytes,
          int32_t in_stride);
#endif
"""
_KERNELS_C = """\
#include "kernels.h"
#include <string.h>
{declarations}
void tiny(const int8_t *in, int8_t *out, const int8_t *constants, int32_t rows, int32_t row_bytes,
          int32_t in_stride)
{{
{body}}}
"""
_PROGRAM_C = """\
#include "p0.h"
#include "kernels.h"
#include "weft/pe.h"

static void call_tiny(const weft_pe_t *pe, const uint32_t *args)
{
    tiny((const int8_t *)weft_pe_at(pe, args[0]), (int8_t *)weft_pe_arena_at(pe, args[1]),
         (const int8_t *)weft_pe_at(pe, args[2]), (int32_t)args[3], (int32_t)args[4],
         (int32_t)args[5]);
}

static const weft_kernel_t kernels[] = {{call_tiny, 3u, 6u, 0x2u, WEFT_ROLE_COMPUTE}};

const weft_program_t p0_program = {"p0", kernels, 1u, WEFT_TABLES_VERSION, 0};
"""


def write_tiny_program(
    folder: Path,
    constants: bytes,
    *,
    pes: int = 1,
    body: str = ADD_CONSTANTS,
    declarations: str = "",
    arena_bytes: int = ARENA_BYTES,
    tables_version: int = VERSION,
) -> Path:
    """Writes program p0 into ``folder``: as the code generator would, but with this kernel."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(RUNTIME, folder / "runtime", dirs_exist_ok=True)
    words, data = b"", {}
    for pe in range(pes):
        tables = tiny_tables(pe, pes, arena_bytes, len(constants))
        state_words = tables.assign_state()
        part = _with_version(tables.to_bytes(), tables_version)
        data[pe] = PeData(
            f"({pe},0).0", "p0", len(words), len(part), 0, len(constants), arena_bytes, state_words
        )
        words += part
    texts = {
        "manifest.json": "{}\n",
        "kernels.h": _KERNELS_H,
        "kernels.c": _KERNELS_C.format(declarations=declarations, body=body),
        "p0.h": header_source("p0"),
        "p0.c": _PROGRAM_C,
        "pes.h": pes_header(data),
        "pes.S": pes_source(),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="ascii")
    (folder / "tables.bin").write_bytes(words)
    (folder / "constants.bin").write_bytes(constants)
    return folder


def tiny_tables(
    pe: int = 0, pes: int = 1, arena_bytes: int = ARENA_BYTES, constants_bytes: int = FRAME_BYTES
) -> PeTables:
    """PE number ``pe`` of the chain: it reads slot 0; the last one's slot 1 is the output."""
    is_first, is_last = pe == 0, pe == pes - 1
    tables = PeTables(arena_bytes, constants_bytes)
    returns = 0 if is_first else 1
    tables.slots.append(SlotRow(0, ROOM_BYTES, 1 if is_first else 2, 1, 0, returns))
    tables.returns += [ReturnRow(pe - 1, 0)] * returns
    tables.shards.append(ShardRow(0, 1, 0, 1, 0, 1))
    if is_first:
        tables.channels.append(ChannelRow(0, 0, IN_OFFSET, ROWS, ROW_BYTES, ROW_STRIDE))
    if is_last:
        tables.slots.append(SlotRow(_OUT_SLOT_OFFSET, FRAME_BYTES, _DEPTH, 1, returns, 1))
        tables.returns.append(ReturnRow(pe, 0))
        tables.channels.append(ChannelRow(1, 1, 0, 1, FRAME_BYTES, FRAME_BYTES))
    tables.sends.append(_to_output(pe) if is_last else _to_next(pe))
    words = (slot_word(0, IN_OFFSET), OUT_OFFSET, IN_CONSTANTS, ROWS, ROW_BYTES, ROW_STRIDE)
    tables.tasks.append(("tiny", [Call(0, words, "tiny")]))
    return tables


def _to_output(pe: int) -> SendRow:
    return SendRow(
        pe, 1, 0, _DEPTH, OUT_OFFSET, _OUT_SLOT_OFFSET, FRAME_BYTES, byte_count=FRAME_BYTES
    )


def _to_next(pe: int) -> SendRow:
    """Row by row, each into its place."""
    return SendRow(
        *(pe + 1, 0, 0, 2, OUT_OFFSET, IN_OFFSET, ROOM_BYTES),
        outer=ROWS,
        byte_count=ROW_BYTES,
        source_outer=ROW_BYTES,
        target_outer=ROW_STRIDE,
    )


def _with_version(tables: bytes, version: int) -> bytes:
    return tables[:4] + struct.pack("<I", version) + tables[8:]
