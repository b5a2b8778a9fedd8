# SPDX-License-Identifier: Apache-2.0
"""Bytes of a linked image, and of the runtime in it: its core, and its port."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from weft.errors import ToolchainError

# What declares the functions of the core. Its static functions have the name of their file.
_CORE_HEADERS = ("pe.h", "program.h", "status.h")
_CORE_SOURCES, _PORT_SOURCES = "runtime/src", "runtime/port/cortex_m"
_DECLARATION = re.compile(r"\b(weft_\w+)\(")
# The variables of the core: its context, and the counters of frames and credits.
_CORE_VARIABLES = ("weft_image_pe", "weft_image_state")
_ARENA = "weft_image_arena"
_CODE_SECTIONS = (".text", ".rodata")


@dataclass(frozen=True)
class ImageSize:
    """Bytes: ``text``, code with its read-only data; ``image``, all that takes memory on the PE:
    tables, weights, arena, variables and stack too."""

    text: int
    image: int


def image_size(elf: Path) -> ImageSize:
    """Of the image ``elf``."""
    with elf.open("rb") as stream:
        sizes = {
            section.name: section.data_size
            for section in ELFFile(stream).iter_sections()
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC
        }
    return ImageSize(sum(sizes.get(name, 0) for name in _CODE_SECTIONS), sum(sizes.values()))


@dataclass(frozen=True)
class RuntimeSize:
    """Bytes: ``text`` of the core's functions, tables of kernels and padding left out, ``ram`` of
    its variables; the port's, its start-up code and fault handler included, beside it."""

    text: int
    ram: int
    port_text: int
    port_ram: int


@dataclass(frozen=True)
class _Symbol:
    name: str
    file: str  # of a local one
    address: int
    size: int
    is_function: bool


def runtime_size(folder: Path, elf: Path) -> RuntimeSize:
    """Of the image ``elf`` of a program in ``folder``. Raises ``ToolchainError``."""
    headers = folder / "runtime/include/weft"
    declared = {
        name
        for header in _CORE_HEADERS
        for name in _DECLARATION.findall((headers / header).read_text(encoding="utf-8"))
    }
    core_files = {path.name for path in (folder / _CORE_SOURCES).glob("*.c")}
    port_files = {path.name for path in (folder / _PORT_SOURCES).glob("*.c")} - core_files
    port_names = {
        name
        for path in (folder / _PORT_SOURCES).glob("*.[ch]")
        for name in re.findall(r"\b(\w+)\(", path.read_text(encoding="utf-8"))
    } - declared
    sizes = dict.fromkeys(("text", "ram", "port_text", "port_ram"), 0)
    for symbol in _symbols(elf):
        if symbol.is_function:
            is_core = symbol.file in core_files if symbol.file else symbol.name in declared
            is_port = symbol.file in port_files if symbol.file else symbol.name in port_names
            key = "text" if is_core else "port_text" if is_port else None
        elif symbol.name in _CORE_VARIABLES:
            key = "ram"
        else:
            is_port = symbol.name.startswith("weft_") and symbol.name != _ARENA
            key = "port_ram" if is_port else None
        if key is not None:
            sizes[key] += symbol.size
    return RuntimeSize(**sizes)


def _symbols(elf: Path) -> list[_Symbol]:
    """Functions and variables, one of those at an address; constants left out."""
    found: dict[tuple[int, bool], _Symbol] = {}
    with elf.open("rb") as stream:
        file = ELFFile(stream)
        table = file.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise ToolchainError(f"{elf} has no symbol table")
        writable = {
            index
            for index, section in enumerate(file.iter_sections())
            if section["sh_flags"] & SH_FLAGS.SHF_WRITE
        }
        source = ""
        for entry in table.iter_symbols():
            kind, is_local = entry["st_info"]["type"], entry["st_info"]["bind"] == "STB_LOCAL"
            if kind == "STT_FILE":
                source = Path(entry.name).name
            is_function = kind == "STT_FUNC"
            if is_function or (kind == "STT_OBJECT" and entry["st_shndx"] in writable):
                address = int(entry["st_value"]) & ~1
                symbol = _Symbol(
                    entry.name, source if is_local else "", address, entry["st_size"], is_function
                )
                found.setdefault((address, is_function), symbol)
    return list(found.values())
