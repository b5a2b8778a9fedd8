# SPDX-License-Identifier: Apache-2.0
"""Hand-written programs for the native engine that compile in a moment and may misbehave.

A chain of PEs, each of which adds constants to a frame and hands it on. Tables are made by the code
generator's own writer; the step function of host.c is the test's to choose.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from weft.codegen.runtime_sources import runtime_hash
from weft.codegen.tables import (
    IN_CONSTANTS,
    Call,
    ChannelRow,
    PeTables,
    ReturnRow,
    SendRow,
    ShardRow,
    SlotRow,
    slot_word,
)
from weft.paths import runtime_folder
from weft.program import Program, load_program

# The input of the first PE: rows with a gap after each.
ROWS, ROW_BYTES, ROW_STRIDE = 4, 8, 12
FRAME_BYTES = ROWS * ROW_BYTES
INPUT_BYTES = ROWS * ROW_STRIDE
#: Frames that every slot has room for.
DEPTH = 2
CONSTANTS = bytes(range(100, 100 + FRAME_BYTES))

#: What a step does: `pe` is its argument. The runtime's own step, and some that are not.
REAL = "return weft_pe_step(pe);"
NEVER_IDLE = "(void)pe; return WEFT_OK;"
ALWAYS_IDLE = "(void)pe; return WEFT_IDLE;"
FAILING = "(void)pe; return WEFT_E_TABLES;"
#: Idle time before the work begins: about a second in all, in very short steps.
SLOW_FIRST_FRAME = """\
static int left = 20000000;
    if (left > 0) { --left; return WEFT_OK; }
    return weft_pe_step(pe);"""

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

void tiny(const int8_t *in, int8_t *out, const int8_t *constants, int32_t rows, int32_t row_bytes,
          int32_t in_stride)
{
    for (int32_t y = 0; y < rows; ++y) {
        for (int32_t x = 0; x < row_bytes; ++x) {
            const int32_t sum = in[y * in_stride + x] + constants[y * row_bytes + x];
            out[y * row_bytes + x] = (int8_t)(uint8_t)(uint32_t)sum;
        }
    }
}
"""
_PROGRAM_H = """\
#ifndef P0_H
#define P0_H
#include "weft/program.h"
extern const weft_program_t p0_program;
#endif
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

static const weft_kernel_t kernels[] = {{call_tiny, 3u, 6u, 2u, WEFT_ROLE_COMPUTE}};

const weft_program_t p0_program = {"p0", kernels, 1u, WEFT_TABLES_VERSION, 0};
"""
_HOST_C = """\
#include "p0.h"
#include "library.h"

static weft_status_t step(weft_pe_t *pe)
{{
    {step}
}}

static const weft_program_t *const programs[] = {{&p0_program}};

/* The library's own table, but for the step function and the version. */
#define weft_pe_step step
enum {{ its_version = {version} }};
#undef WEFT_HOST_LIBRARY_VERSION
#define WEFT_HOST_LIBRARY_VERSION its_version

__attribute__((visibility("default"))) const weft_host_library_t weft_host_library =
    WEFT_HOST_LIBRARY(programs, 1u);
"""

HASH = runtime_hash(runtime_folder())


def tiny_tables(number: int = 0, pes: int = 1) -> PeTables:
    """The tables of one PE of the chain. In the arena: the result, the slot that the shard reads
    and, on the last PE, the slot of the output."""
    is_first, is_last = number == 0, number == pes - 1
    slot_at = 32
    frame_bytes = INPUT_BYTES if is_first else FRAME_BYTES
    end = slot_at + DEPTH * frame_bytes
    tables = PeTables(end + (DEPTH * FRAME_BYTES if is_last else 0), len(CONSTANTS))
    tables.slots.append(SlotRow(slot_at, frame_bytes, DEPTH, 1))
    if is_first:
        tables.channels.append(ChannelRow(0, 0, 0, ROWS, ROW_BYTES, ROW_STRIDE))
    else:
        tables.slots[0].return_count = 1
        tables.returns.append(ReturnRow(number - 1, 0))
    if is_last:
        tables.slots.append(SlotRow(end, FRAME_BYTES, DEPTH, 1, len(tables.returns), 1))
        tables.returns.append(ReturnRow(number, 0))
        tables.channels.append(ChannelRow(1, 1, 0, 1, FRAME_BYTES, FRAME_BYTES))
    to = (number, 1, end) if is_last else (number + 1, 0, slot_at)
    send = SendRow(to[0], to[1], 0, DEPTH, 0, to[2], FRAME_BYTES, byte_count=FRAME_BYTES)
    tables.sends.append(send)
    words = (slot_word(0, 0), 0, IN_CONSTANTS, ROWS, ROW_BYTES, frame_bytes // ROWS)
    tables.tasks.append((f"link {number}", [Call(0, words)]))
    tables.shards.append(ShardRow(0, 1, 0, 1, 0, 1))
    return tables


def channel_row(direction: str, pe: int, number: int) -> dict[str, object]:
    """The manifest's row of the input, or of the output."""
    is_input = direction == "in"
    return {
        "direction": direction,
        "dtype": "int8",
        "name": "image" if is_input else "sums",
        "shape": [ROWS, ROW_BYTES] if is_input else [1, FRAME_BYTES],
        "pe": pe,
        "number": number,
        "link": None,
        "link_ticks": 0,
    }


def tiny_program(
    folder: Path, step: str = REAL, version: str = "WEFT_HOST_LIBRARY_VERSION", pes: int = 1
) -> Program:
    """A program of one input (4, 8) and one output (1, 32), both int8: out = in + pes * CONSTANTS.
    Its PEs are called A, B and so on, their stages link 0, link 1 and so on."""
    tables = [tiny_tables(number, pes).to_bytes() for number in range(pes)]
    rows = []
    for number in range(pes):
        task = {"name": f"link {number}", "stage": "binary", "macs": 0, "kernels": ["tiny"]}
        rows.append(
            {
                "name": chr(ord("A") + number),
                "program": "p0",
                "pe_class": "tiny",
                "node": [number, 0],
                "shards": [[{**task, "core_cycles": 100}]],
                "firings": [{"start_cycles": 10, "send_cycles": 1}],
            }
        )
    network = {"bytes_per_cycle": 16, "hop_cycles": 5, "signal_bytes": 16, "host": [0, 0]}
    manifest = {
        "pe_classes": {"tiny": {"clock_hz": 1_000_000}},
        "network": {**network, "clock_hz": 1_000_000, "tick_hz": 1_000_000},
        "timing": {"predicted_fps": 1e6 / 111},
        "channels": [channel_row("in", 0, 0), channel_row("out", pes - 1, int(pes == 1))],
    }
    return write_program(folder, tables, rows, manifest, step, version)


def write_program(
    folder: Path,
    tables: Sequence[bytes],
    rows: Sequence[dict[str, object]],
    manifest: dict[str, object],
    step: str = REAL,
    version: str = "WEFT_HOST_LIBRARY_VERSION",
) -> Program:
    """A program of the kernel ``tiny``, with the tables of its PEs, and what its manifest says of
    them and of the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(runtime_folder(), folder / "runtime", dirs_exist_ok=True)
    files: dict[str, bytes] = {
        "kernels.h": _KERNELS_H.encode(),
        "kernels.c": _KERNELS_C.encode(),
        "p0.h": _PROGRAM_H.encode(),
        "p0.c": _PROGRAM_C.encode(),
        "host.c": _HOST_C.format(step=step, version=version).encode(),
        "tables.bin": b"".join(tables),
        "constants.bin": CONSTANTS,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    placed = [
        {
            **row,
            "tables_at": sum(map(len, tables[:number])),
            "tables_bytes": len(tables[number]),
            "constants_at": 0,
            "constants_bytes": len(CONSTANTS),
        }
        for number, row in enumerate(rows)
    ]
    whole = {
        "format": 2,
        "files": {name: hashlib.sha256(files[name]).hexdigest() for name in files},
        "runtime_sha256": runtime_hash(folder / "runtime"),
        "programs": [{"name": "p0"}],
        **manifest,
        "pes": placed,
    }
    (folder / "manifest.json").write_text(json.dumps(whole), encoding="ascii")
    return load_program(folder)


def rewrite(program: Program, name: str, change: Callable[[bytes], bytes]) -> Program:
    """Changes a file of a program as if it had been compiled so, and loads it again."""
    path, manifest = program.folder / name, program.folder / "manifest.json"
    path.write_bytes(change(path.read_bytes()))
    contents = json.loads(manifest.read_text(encoding="ascii"))
    contents["files"][name] = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(contents), encoding="ascii")
    return load_program(program.folder)


def expected(frame: np.ndarray, pes: int = 1) -> np.ndarray:
    """What a chain makes of a frame."""
    constants = np.frombuffer(CONSTANTS, np.uint8).astype(np.int64)
    sums = frame.view(np.uint8).ravel().astype(np.int64) + pes * constants
    return (sums % 256).astype(np.uint8).view(np.int8).reshape(1, FRAME_BYTES)
