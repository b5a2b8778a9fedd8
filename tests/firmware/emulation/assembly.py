# SPDX-License-Identifier: Apache-2.0
"""Machine code written by hand: assembled, and as an image without the runtime."""

from __future__ import annotations

import subprocess
from pathlib import Path

from elftools.elf.elffile import ELFFile

from weft.codegen.toolchain import Toolchain

SRAM_BYTES = 0x10000

_HEAD = """\
    .syntax unified
    .thumb
    .fpu fpv4-sp-d16
"""

# What the emulator asks of an image: vectors at the start of .text, its two exits, and how far the
# stack may grow down.
_IMAGE = """\
    .section .text
    .word 0x10000
    .word start
    .space 56
    .global start, weft_port_wait, weft_image_stop, weft_image_pe, weft_ld_stack_limit
    .set weft_ld_stack_limit, 0x8000
    .type start, %function
    .type weft_port_wait, %function
    .type weft_image_stop, %function
start:
    bl main
    nop
weft_image_stop:
    wfe
    b weft_image_stop
weft_port_wait:
    wfe
    bx lr
"""


def assemble(text: str, toolchain: Toolchain, folder: Path) -> bytes:
    """The bytes of some instructions."""
    source, out = folder / "code.S", folder / "code.o"
    source.write_text(f"{_HEAD}{text}\n", encoding="ascii")
    toolchain.compile_object(source.name, out, [], folder)
    with out.open("rb") as stream:
        section = ELFFile(stream).get_section_by_name(".text")
        assert section is not None
        return bytes(section.data())


def image(text: str, toolchain: Toolchain, folder: Path) -> Path:
    """An image whose functions, ``main`` among them, ``text`` defines."""
    source, script = folder / "image.S", folder / "image.ld"
    source.write_text(f"{_HEAD}{_IMAGE}{text}\n", encoding="ascii")
    script.write_text(
        f"ENTRY(start)\nMEMORY {{ sram (rwx) : ORIGIN = 0, LENGTH = {SRAM_BYTES} }}\n"
        "SECTIONS { .text : { *(.text) } > sram }\n",
        encoding="ascii",
    )
    toolchain.compile_object(source.name, folder / "image.o", [], folder)
    out = folder / "image.elf"
    toolchain.run([*toolchain.link, "-T", script.name, "image.o", "-o", out.name], folder)
    return out


def disassemble(elf: Path, objdump: str) -> list[tuple[int, bytes, str, str]]:
    """Address, bytes, mnemonic without a width and operands of all code, by objdump."""
    done = subprocess.run(
        [objdump, "-d", str(elf)], capture_output=True, text=True, check=True, timeout=60
    )
    found = []
    for line in done.stdout.splitlines():
        place, _, rest = line.partition(":\t")
        fields = rest.split("\t")
        if len(fields) < 2 or fields[1].startswith("."):  # no code: literals among it
            continue
        code = b"".join(int(half, 16).to_bytes(2, "little") for half in fields[0].split())
        mnemonic = fields[1].removesuffix(".w").removesuffix(".n")
        operands = fields[2].split("@")[0].split(";")[0].strip() if len(fields) > 2 else ""
        found.append((int(place, 16), code, mnemonic, operands))
    return found
