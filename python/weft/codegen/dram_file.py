# SPDX-License-Identifier: Apache-2.0
"""What a compiled program has in DRAM, for all PEs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from weft.transforms.compilation import Compilation
from weft.transforms.plan_memory import DRAM_ALIGNMENT, DramMemory

DRAM_FILE = "dram.bin"


def write_dram(folder: Path, compilation: Compilation) -> dict[str, Any] | None:
    """Writes ``dram.bin``, little endian, gaps zero; what the manifest says of it. None, and no
    file, if nothing is in DRAM."""
    dram: DramMemory = compilation.facts["dram"]
    if not dram.constants:
        return None
    with (folder / DRAM_FILE).open("wb") as file:
        for key, at in dram.constants.items():
            file.write(bytes(at - file.tell()))
            data = compilation.constants[key]
            file.write(data.astype(data.dtype.newbyteorder("<")).tobytes())
        file.write(bytes(dram.bytes - file.tell()))
    return {"file": DRAM_FILE, "bytes": dram.bytes, "alignment": DRAM_ALIGNMENT}
