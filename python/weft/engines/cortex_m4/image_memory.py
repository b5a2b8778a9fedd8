# SPDX-License-Identifier: Apache-2.0
"""The memory of a PE with an image in it, as an emulated core and the outside share it."""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

#: Functions of an image at which its core stops: there it waits, and there it ends.
EXITS = ("weft_port_wait", "weft_image_stop")
# Memory holds anything at power-on; a zero that nobody wrote must not help.
_FILLING = 0xA5
#: What emulators map memory in multiples of.
PAGE_BYTES = 4096


class CoreError(RuntimeError):
    """The core did what no core does: it locked up, or the emulator failed."""


class ImageMemory:
    """``memory``, (origin, bytes) pairs, loaded with the image ``elf``; beside it, ``shared`` is
    memory that others have, too: (origin, view) pairs.

    It is memory of this process: who holds a view of it sees what is written.
    """

    def __init__(
        self,
        elf: Path,
        memory: Sequence[tuple[int, int]],
        shared: Sequence[tuple[int, memoryview]] = (),
    ) -> None:
        self._views = [(origin, new_memory(size, _FILLING)) for origin, size in memory]
        self._views += shared
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            for segment in file.iter_segments("PT_LOAD"):
                if segment["p_filesz"]:
                    self.write(segment["p_paddr"], segment.data())
            self._entry = int(file["e_entry"])
            table = file.get_section_by_name(".symtab")
            vectors = file.get_section_by_name(".text")
            if not isinstance(table, SymbolTableSection) or vectors is None:
                raise CoreError(f"{elf} is no image")
            symbols = list(table.iter_symbols())
        self._symbols = {entry.name: int(entry["st_value"]) for entry in symbols}
        # One name an address, of several always the same.
        names = {
            int(entry["st_value"]) & ~1: entry.name
            for entry in sorted(symbols, key=lambda entry: entry.name, reverse=True)
            if entry["st_info"]["type"] == "STT_FUNC"
        }
        self._functions = sorted(names.items())
        self._vectors = int(vectors["sh_addr"])

    def symbol(self, name: str) -> int:
        """Its address; bit 0 is set for functions. KeyError if not linked."""
        return self._symbols[name]

    def function_address(self, name: str) -> int:
        """Where a function begins, be it local. KeyError if there is none."""
        return self._symbols[name] & ~1

    def function_at(self, address: int) -> str:
        """The function that ``address`` is in, by the symbols; empty if there is none."""
        place = bisect_right(self._functions, (address, "\U0010ffff"))
        return self._functions[place - 1][1] if place else ""

    def view(self, address: int, size: int) -> memoryview:
        """The memory itself. IndexError if there is none."""
        for origin, view in self._views:
            if origin <= address and address + size <= origin + len(view):
                return view[address - origin : address - origin + size]
        raise IndexError(f"there is no memory of {size} bytes at {address:#x}")

    def read(self, address: int, size: int) -> bytes:
        """A copy. IndexError if there is no memory."""
        return bytes(self.view(address, size))

    def write(self, address: int, data: bytes) -> None:
        """IndexError if there is no memory."""
        self.view(address, len(data))[:] = data

    def word(self, address: int) -> int:
        """An unsigned word."""
        return int.from_bytes(self.view(address, 4), "little")

    def set_word(self, address: int, value: int) -> None:
        """The lower 32 bits of ``value``."""
        self.write(address, (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def string(self, address: int) -> str:
        """The zero-terminated string at ``address``."""
        end = address
        while self.word(end) & 0xFF:
            end += 1
        return self.read(address, end - address).decode("ascii")


def new_memory(size: int, filling: int) -> memoryview:
    """``size`` bytes, aligned to pages."""
    view = memoryview(mmap.mmap(-1, size))
    view[:] = bytes([filling]) * size
    return view
