# SPDX-License-Identifier: Apache-2.0
"""A compiled program written by hand: one input, one kernel, one output.

The input is ROWS rows of ROW_BYTES bytes with a gap after each, the output the same bytes without
gaps. By default the kernel adds a constant to each byte.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

RUNTIME = Path(__file__).resolve().parents[3] / "runtime"

ROWS, ROW_BYTES, ROW_STRIDE = 4, 8, 12
IN_OFFSET, OUT_OFFSET = 16, 128
FRAME_BYTES = ROWS * ROW_BYTES
ARENA_BYTES = 256
_IN_CONSTANTS = 0x80000000
_VERSION = 1

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
_PROGRAM_H = """\
#ifndef P0_H
#define P0_H
#include "weft/program.h"
#define P0_TABLE_WORDS {table_words}u
#define P0_ARENA_BYTES {arena_bytes}u
#define P0_CONSTANTS_BYTES {constants_bytes}u
#define P0_CHANNELS 2u
extern const weft_program_t p0_program;
extern const uint32_t p0_tables[];
extern const uint8_t p0_constants[];
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

static const weft_kernel_t kernels[] = {{call_tiny, 3u, 6u}};

const weft_program_t p0_program = {"p0", kernels, 1u, WEFT_TABLES_VERSION};
"""
_IMAGE_H = """\
#include "p0.h"
#define WEFT_IMAGE_PROGRAM p0_program
#define WEFT_IMAGE_TABLES p0_tables
#define WEFT_IMAGE_TABLE_WORDS P0_TABLE_WORDS
#define WEFT_IMAGE_ARENA_BYTES P0_ARENA_BYTES
#define WEFT_IMAGE_CONSTANTS p0_constants
#define WEFT_IMAGE_CONSTANTS_BYTES P0_CONSTANTS_BYTES
#define WEFT_IMAGE_CHANNELS P0_CHANNELS
"""
_CONSTANTS_S = """\
    .section .rodata.p0_constants, "a", %progbits
    .balign 16
    .global p0_constants
    .type p0_constants, %object
p0_constants:
    .incbin "p0_constants.bin"
    .size p0_constants, . - p0_constants
"""


def write_tiny_program(
    folder: Path,
    constants: bytes,
    *,
    body: str = ADD_CONSTANTS,
    declarations: str = "",
    arena_bytes: int = ARENA_BYTES,
    tables_version: int = _VERSION,
) -> Path:
    """Writes program p0 into ``folder``: as the code generator would, but with this kernel."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(RUNTIME, folder / "runtime", dirs_exist_ok=True)
    tables = _tables(arena_bytes, len(constants), tables_version)
    texts = {
        "manifest.json": "{}\n",
        "kernels.h": _KERNELS_H,
        "kernels.c": _KERNELS_C.format(declarations=declarations, body=body),
        "p0.h": _PROGRAM_H.format(
            table_words=len(tables), arena_bytes=arena_bytes, constants_bytes=len(constants)
        ),
        "p0.c": _PROGRAM_C,
        "p0_tables.c": _tables_c(tables),
        "p0_constants.S": _CONSTANTS_S,
        "p0_image.h": _IMAGE_H,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="ascii")
    (folder / "p0_constants.bin").write_bytes(constants)
    return folder


def _tables(arena_bytes: int, constants_bytes: int, version: int) -> list[int]:
    channels = [0, IN_OFFSET, ROWS, ROW_BYTES, ROW_STRIDE]
    channels += [1, OUT_OFFSET, 1, FRAME_BYTES, FRAME_BYTES]
    tasks = [0, 1]
    calls = [0, 0]
    args = [IN_OFFSET, OUT_OFFSET, _IN_CONSTANTS, ROWS, ROW_BYTES, ROW_STRIDE]
    head_words = 13
    tasks_at = head_words + len(channels)
    calls_at = tasks_at + len(tasks)
    args_at = calls_at + len(calls)
    words = args_at + len(args)
    head = [0x54465457, version, words, arena_bytes, constants_bytes]
    head += [2, head_words, 1, tasks_at, 1, calls_at, len(args), args_at]
    assert len(head) == head_words
    return head + channels + tasks + calls + args


def _tables_c(words: Sequence[int]) -> str:
    listed = ", ".join(f"{word:#x}u" for word in words)
    return f'#include "p0.h"\n\nconst uint32_t p0_tables[] = {{{listed}}};\n'
