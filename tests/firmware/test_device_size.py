# SPDX-License-Identifier: Apache-2.0
"""What the device API costs a Cortex-M4, with one device: printed, and held to its budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from weft.codegen.toolchain import C_FLAGS, Toolchain
from weft.paths import runtime_folder

MOST_TEXT = 2048
MOST_RAM = 256
RUNTIME = runtime_folder()
DEVICE = [RUNTIME / "src" / "device.c", RUNTIME / "devices" / "null" / "null.c"]
SECTIONS = ("-ffunction-sections", "-fdata-sections", "-fno-unwind-tables")


def compile_small(toolchain: Toolchain, source: Path, folder: Path, trace: int) -> Path:
    made = folder / f"{source.stem}{trace}.o"
    includes = ["-I", str(RUNTIME / "include"), "-I", str(RUNTIME / "devices" / "null")]
    libc = ["-isystem", str(RUNTIME / "port" / "cortex_m" / "libc")]
    flags = [*C_FLAGS, "-Os", "-g0", *SECTIONS, f"-DWEFT_TRACE={trace}", *includes, *libc]
    toolchain.with_scratch(folder).run([*flags, "-c", str(source), "-o", str(made)])
    return made


def sizes(path: Path) -> tuple[int, int]:
    """Bytes of code with constants, and of variables."""
    text = ram = 0
    with path.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            if not section["sh_flags"] & 2 or section.name.startswith(".ARM.ex"):
                continue
            if section["sh_flags"] & 1:
                ram += section["sh_size"]
            else:
                text += section["sh_size"]
    return text, ram


def symbol_bytes(path: Path) -> dict[str, int]:
    with path.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return {s.name: int(s["st_size"]) for s in table.iter_symbols()}


def test_api_and_one_device_fit(
    toolchain: Toolchain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = tmp_path / "storage.c"
    storage.write_text(
        '#include "null.h"\nweft_device_t context;\nweft_job_t job;\n'
        "weft_null_context_t drivers_context;\n",
        encoding="ascii",
    )
    found = {}
    for trace in (0, 1):
        parts = {s.stem: sizes(compile_small(toolchain, s, tmp_path, trace)) for s in DEVICE}
        callers = symbol_bytes(compile_small(toolchain, storage, tmp_path, trace))
        found[trace] = (sum(t for t, _ in parts.values()), sum(r for _, r in parts.values()))
        with capsys.disabled():
            print(
                f"\n{toolchain.name} -Os, WEFT_TRACE={trace}: API {parts['device'][0]} bytes of "
                f"text, with the device null {found[trace][0]}; {found[trace][1]} bytes of RAM "
                f"beyond the caller's context of {callers['context']} and {callers['job']} a job"
            )
        assert callers["context"] + found[trace][1] <= MOST_RAM
    if toolchain.name == "arm-none-eabi-gcc":
        assert found[0][0] <= MOST_TEXT
    assert found[0][1] == 0
    assert found[0][0] < found[1][0]  # traces cost something only where they are wanted


def test_an_image_without_devices_has_nothing_of_them(build: Any) -> None:
    names = symbol_bytes(build().elf)
    assert "weft_pe_step" in names
    assert not [n for n in names if n.startswith(("weft_device", "weft_ticket", "weft_port_clock"))]
