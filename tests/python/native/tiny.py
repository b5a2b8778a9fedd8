"""Hand-written programs for the native engine that compile in a moment and may misbehave.

The program is that of the firmware tests; here it gets a manifest and a host.c whose step function
the test chooses.
"""

from __future__ import annotations

import json
from pathlib import Path

from emulation.tiny_program import FRAME_BYTES, write_tiny_program

from weft.codegen.runtime_sources import runtime_hash
from weft.program import Program, load_program

CONSTANTS = bytes(range(100, 100 + FRAME_BYTES))

#: What a step does: `pe` is its argument. The runtime's own step, and some that are not.
REAL = "return weft_pe_step(pe);"
NEVER_IDLE = "(void)pe; return WEFT_OK;"
FAILING = "(void)pe; return WEFT_E_TABLES;"
#: Idle time before the work begins: about a second in all, in very short steps.
SLOW_FIRST_FRAME = """\
static int left = 20000000;
    if (left > 0) { --left; return WEFT_OK; }
    return weft_pe_step(pe);"""

_HOST_C = """\
#include "p0.h"
#include "library.h"

static weft_status_t step(weft_pe_t *pe)
{{
    {step}
}}

static const weft_host_program_t programs[] = {{{{&p0_program, p0_tables, P0_TABLE_WORDS}}}};

__attribute__((visibility("default"))) const weft_host_library_t weft_host_library = {{
    {version}, 1u, programs, sizeof(weft_pe_t), sizeof(weft_channel_t), weft_runtime_hash,
    weft_status_string, weft_pe_init, step, weft_pe_channel_acquire, weft_pe_channel_publish,
    weft_pe_channel_observe, weft_pe_channel_release}};
"""


def _channel(direction: str, name: str) -> dict[str, object]:
    shape = [4, 8] if direction == "in" else [1, FRAME_BYTES]
    return {"direction": direction, "dtype": "int8", "name": name, "shape": shape}


def tiny_program(
    folder: Path, step: str = REAL, version: str = "WEFT_HOST_LIBRARY_VERSION"
) -> Program:
    """A program of one input (4, 8) and one output (1, 32), both int8: out = in + CONSTANTS."""
    write_tiny_program(folder, CONSTANTS)
    (folder / "host.c").write_text(_HOST_C.format(step=step, version=version), encoding="ascii")
    manifest = {
        "format": 1,
        "files": {},
        "runtime_sha256": runtime_hash(folder / "runtime"),
        "programs": [
            {"name": "p0", "channels": [_channel("in", "image"), _channel("out", "sums")]}
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="ascii")
    return load_program(folder)
