# SPDX-License-Identifier: Apache-2.0
"""The runtime's sources that every binary of a program shares, and the hash that names them."""

from __future__ import annotations

import hashlib
from pathlib import Path


def runtime_files(folder: Path) -> list[str]:
    """The files that every binary of a program shares, as paths below ``folder``, in order."""
    parts = [folder / "include", folder / "kernels", folder / "src"]
    found = [p for part in parts for p in part.rglob("*") if p.suffix in (".h", ".c")]
    return sorted(p.relative_to(folder).as_posix() for p in found)


def runtime_hash(folder: Path) -> str:
    """SHA-256 over names and contents of the shared runtime files of ``folder``."""
    digest = hashlib.sha256()
    for name in runtime_files(folder):
        data = (folder / name).read_bytes()
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def runtime_units(folder: Path) -> list[str]:
    """The C files of ``folder`` that every binary of a program compiles, as paths below it: the
    runtime itself, and hand-written kernels where there are any. Without ports."""
    return [
        f"{part}/{path.name}"
        for part in ("src", "kernels")
        for path in sorted((folder / part).glob("*.c"))
    ]


def device_units(folder: Path) -> list[str]:
    """The C files of the devices that a compiled ``folder`` uses, as paths below it."""
    found = sorted((folder / "devices").glob("*/*.c"))
    return [path.relative_to(folder).as_posix() for path in found]


#: Files of ``src`` and of ports that serve devices: whoever uses none may leave them out.
FOR_DEVICES = ("device.c", "device_copy.c", "pe_devices.c", "clock.c")
