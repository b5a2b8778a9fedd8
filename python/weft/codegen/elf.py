# SPDX-License-Identifier: Apache-2.0
"""ELF files of the target, objects or linked: sections, symbols and bytes by address."""

from __future__ import annotations

import functools
import io
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from weft.errors import ToolchainError

# Sections of objects that the linker script throws away, as far as they would take memory.
_DISCARDED = (".ARM.", ".note")


@dataclass(frozen=True)
class Section:
    """A section that takes memory on the PE."""

    name: str
    kind: str
    is_writable: bool
    address: int
    size: int
    data: bytes

    @property
    def is_zeroed(self) -> bool:
        """Whether it takes memory but has no contents in the file."""
        return self.kind == "SHT_NOBITS"


@dataclass(frozen=True)
class Symbol:
    """A symbol with a name. Bit 0 of the ``address`` of a function is set. ``file`` is where a
    local one is from, as far as the linker says it."""

    name: str
    address: int
    size: int
    is_function: bool
    is_global: bool
    is_defined: bool
    file: str = ""


def _symbols(table: SymbolTableSection) -> Iterator[Symbol]:
    """Local ones follow the name of their file."""
    file = ""
    for symbol in table.iter_symbols():
        if symbol["st_info"]["type"] == "STT_FILE":
            file = symbol.name
        is_global = symbol["st_info"]["bind"] in {"STB_GLOBAL", "STB_WEAK"}
        if symbol.name:
            yield Symbol(
                symbol.name,
                symbol["st_value"],
                symbol["st_size"],
                symbol["st_info"]["type"] == "STT_FUNC",
                is_global,
                symbol["st_shndx"] != "SHN_UNDEF",
                "" if is_global else file,
            )


class ElfFile:
    """The file at ``path``, read once. Raises ``ToolchainError`` if it is no ELF file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream:
                self._read(ELFFile(stream))
        except ELFError as error:
            raise ToolchainError(f"{path} is no ELF file: {error}") from None

    def _read(self, file: ELFFile) -> None:
        self.sections = _sections(file)
        table = file.get_section_by_name(".symtab")
        if not isinstance(table, SymbolTableSection):
            raise ToolchainError(f"{self.path} has no symbol table")
        self.symbols = tuple(_symbols(table))
        #: (address, bytes) of what a loader puts into memory, by its place there.
        self.loaded = tuple(
            (segment["p_paddr"], segment["p_filesz"])
            for segment in file.iter_segments("PT_LOAD")
            if segment["p_filesz"]
        )

    @cached_property
    def addresses(self) -> dict[str, int]:
        """Of global symbols, by name."""
        return {s.name: s.address for s in self.symbols if s.is_global and s.is_defined}

    @cached_property
    def functions(self) -> dict[int, str]:
        """Names by address, without bit 0. Of several names of one place, the first by alphabet."""
        named = sorted((s.name, s.address & ~1) for s in self.symbols if s.is_function)
        return {address: name for name, address in reversed(named)}

    def size_of(self, name: str) -> int:
        """Bytes of a symbol; 0 if it is not there."""
        return next((s.size for s in self.symbols if s.name == name and s.is_defined), 0)

    def read(self, address: int, size: int) -> bytes:
        """Contents of the file by address. Raises ``ToolchainError`` if there are none."""
        for section in self.sections:
            begin = address - section.address
            if begin >= 0 and begin + size <= len(section.data):
                return section.data[begin : begin + size]
        raise ToolchainError(f"{self.path} has no contents at {address:#x}")

    def word(self, address: int) -> int:
        """An unsigned word. Raises ``ToolchainError`` as ``read`` does."""
        return int.from_bytes(self.read(address, 4), "little")

    def code_from(self, address: int) -> bytes:
        """All bytes from ``address`` to the end of its section."""
        for section in self.sections:
            if section.address <= address < section.address + len(section.data):
                return section.data[address - section.address :]
        raise ToolchainError(f"{self.path} has no code at {address:#x}")

    def function_at(self, address: int) -> str:
        """The function that ``address`` lies in, by the symbols; empty if there is none."""
        starts = sorted(self.functions)
        place = bisect_right(starts, address)
        return self.functions[starts[place - 1]] if place else ""


def object_sections(path: Path) -> tuple[Section, ...]:
    """The sections of an object file. Raises ``ToolchainError`` if it is none."""
    try:
        return _sections_of(path.read_bytes())
    except ELFError as error:
        raise ToolchainError(f"{path} is no ELF file: {error}") from None


# Every program has the objects of the runtime.
@functools.lru_cache(maxsize=64)
def _sections_of(contents: bytes) -> tuple[Section, ...]:
    return _sections(ELFFile(io.BytesIO(contents)))


def _sections(file: ELFFile) -> tuple[Section, ...]:
    return tuple(
        Section(
            section.name,
            section["sh_type"],
            bool(section["sh_flags"] & SH_FLAGS.SHF_WRITE),
            section["sh_addr"],
            section.data_size,
            b"" if section["sh_type"] == "SHT_NOBITS" else section.data(),
        )
        for section in file.iter_sections()
        if section["sh_flags"] & SH_FLAGS.SHF_ALLOC
        and section.data_size
        and not section.name.startswith(_DISCARDED)
    )
