# SPDX-License-Identifier: Apache-2.0
"""What the images of a program take, measured from the linked files, and the files themselves."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from weft.codegen.elf import ElfFile
from weft.codegen.images import read_image
from weft.codegen.linked import software_float
from weft.codegen.stack import StackUse
from weft.engines.cortex_m4.images import linked_pes
from weft.errors import ProgramError
from weft.program import Program


def image_footprints(program: Program, out: Path | None) -> list[dict[str, Any]]:
    """One row for the image of every PE with a program; the ELF files go to the folder ``out``.

    Rows have ``pe``, ``program``, ``file`` (null without ``out``), ``sha256``, ``sections`` (bytes,
    see ``weft.codegen.images.Image``), ``stack`` (``bytes`` and ``chain`` of the worst case) and
    ``software_float``. Raises ``ProgramError`` if the folder cannot be written, and what
    ``linked_pes`` raises.
    """
    rows = program.manifest["pes"]
    linked = linked_pes(program, [n for n, row in enumerate(rows) if row["program"] is not None])
    found = []
    stacks: dict[tuple[str, str], StackUse] = {}  # PEs of a class and program have the same code
    for number, pe in linked.items():
        kind = rows[number]["pe_class"], rows[number]["program"]
        image = read_image(pe.elf, rows[number]["program"], pe.memory, stacks.get(kind))
        stacks[kind] = image.stack
        found.append(
            {
                "pe": rows[number]["name"],
                "program": rows[number]["program"],
                "file": f"pe-{number}.elf" if out is not None else None,
                "sha256": pe.sha256,
                "sections": dict(image.sections),
                "stack": {
                    "bytes": image.stack.bytes,
                    "chain": [list(p) for p in image.stack.chain],
                },
                "software_float": software_float(ElfFile(pe.elf)),
            }
        )
    if out is not None:
        _write(out, {row["file"]: pe.elf for row, pe in zip(found, linked.values(), strict=True)})
    return found


def _write(out: Path, files: dict[str, Path]) -> None:
    """Each file is there whole or not at all."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, source in files.items():
            part = out / f".{name}.part"
            try:
                shutil.copyfile(source, part)
                os.replace(part, out / name)
            finally:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise ProgramError(f"{out} cannot be written: {error.strerror}") from None


def footprint_table(rows: list[dict[str, Any]]) -> list[str]:
    """Lines of text: bytes by section, an image a line."""
    keys = list(rows[0]["sections"])
    head = ["PE", "program", *keys, "stack used"]
    body = [
        [row["pe"], row["program"], *(row["sections"][k] for k in keys), row["stack"]["bytes"]]
        for row in rows
    ]
    cells = [[str(cell) for cell in line] for line in (head, *body)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
