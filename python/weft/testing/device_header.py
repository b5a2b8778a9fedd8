# SPDX-License-Identifier: Apache-2.0
"""The wrapper header of a device, as cffi's parser takes it."""

from __future__ import annotations

import re
from pathlib import Path

from weft.codegen.toolchain import find_host_compiler, messages
from weft.devices import DeviceDescription
from weft.errors import DeviceError
from weft.paths import runtime_folder

#: What headers of devices use of the runtime's. Structs without a body stay unknown.
_RUNTIME_TYPES = """
typedef int weft_status_t;
typedef struct weft_device weft_device_t;
typedef struct weft_device_driver weft_device_driver_t;
typedef struct weft_job weft_job_t;
typedef struct weft_ticket { weft_device_t *device; uint32_t sequence; } weft_ticket_t;
weft_status_t weft_host_device_run(const weft_device_driver_t *driver, const uint32_t *options,
    uint32_t option_count, const void *descriptors, uint32_t job_count, uint32_t deadline_ticks,
    uint32_t *out_states);
void weft_host_device_facts(const weft_device_driver_t *driver, uint32_t *out_facts);
const weft_device_driver_t *weft_host_device_driver(void);
const char *weft_status_string(weft_status_t status);
"""
_LINE = re.compile(r'^#\s*(?:line\s+)?\d+\s+"((?:[^"\\]|\\.)*)"')


def declarations(device: DeviceDescription) -> str:
    """What the header declares, its own includes within the device's folder and ``weft/copy.h``
    included, after the preprocessor; without function bodies and attributes.

    Raises ``DeviceError`` if the preprocessor rejects it.
    """
    toolchain = find_host_compiler()
    include = runtime_folder() / "include"
    command = ["-E", f"-I{include}", f"-I{device.folder}", str(device.header)]
    done = toolchain.try_run(command)
    if done.returncode != 0:
        raise DeviceError(f"device {device.name}: {device.header.name}: {messages(done)}")
    wanted = {include / "weft/copy.h"}
    text = _RUNTIME_TYPES + _own_lines(done.stdout, device.folder.resolve(), wanted)
    text = re.sub(r"\b__attribute__\s*\(\(.*?\)\)(?=[\s;,)])", "", text, flags=re.S)
    return _without_bodies(text).replace("restrict ", "")


def _own_lines(text: str, folder: Path, wanted: set[Path]) -> str:
    """The lines that come from a file of ``folder``, or from a ``wanted`` one."""
    lines, is_own = [], False
    for line in text.splitlines():
        marker = _LINE.match(line)
        if marker:
            path = Path(marker[1]).resolve()
            is_own = path in wanted or path.is_relative_to(folder)
        elif is_own and not line.startswith("#"):
            lines.append(line)
    return "\n".join(lines)


def _without_bodies(text: str) -> str:
    """``static inline`` functions are for C: they are in no library."""
    kept, at = [], 0
    for found in re.finditer(r"\bstatic\s+inline\b[^;{]*\{", text):
        if found.start() < at:
            continue
        kept.append(text[at : found.start()])
        depth, at = 1, found.end()
        while depth > 0 and at < len(text):
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
    kept.append(text[at:])
    return "".join(kept)
