# SPDX-License-Identifier: Apache-2.0
"""Single C functions as machine code of a Cortex-M4, without an image around them, called as the
procedure call standard of ARM says (AAPCS)."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unicorn as untyped_unicorn
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import arm_const as arm

from weft.codegen.toolchain import C_FLAGS, Toolchain
from weft.paths import runtime_folder

unicorn: Any = untyped_unicorn

_PAGE = 4096
_CODE, _CODE_BYTES = 0x0000_0000, 0x4_0000
_STACK, _STACK_BYTES = 0x2000_0000, 0x2000
_CALLERS_BYTES = 64  # of the stack, above arguments
# Each array has pages of its own here, and none is mapped around them.
_ARRAYS, _ARRAY_ROOM = 0x3000_0000, 0x10_0000
_RETURN = _CODE + _CODE_BYTES - 16
# Far more than any case takes. Unicorn's own deadline in seconds keeps a thread busy.
_MOST_INSTRUCTIONS = 1_000_000
# What an exception pushes on its entry, with the registers of the FPU.
_EXCEPTION_FRAME = 104

_CORE_REGISTERS = range(13)
_PRESERVED = range(4, 12)
_LINKER_SCRIPT = """\
MEMORY
{
    code (rwx) : ORIGIN = 0x0, LENGTH = 0x3F000
}
SECTIONS
{
    .text : { *(.text .text.*) *(.rodata .rodata.*) } > code
    /DISCARD/ : { *(.ARM.attributes .ARM.exidx* .ARM.extab* .comment .note* .debug*) }
}
"""


def link_functions(
    toolchain: Toolchain, folder: Path, sources: Sequence[Path], entry: str, *flags: str
) -> Path:
    """An ELF file with all that ``sources`` define."""
    folder.mkdir()
    toolchain = toolchain.with_scratch(folder)
    runtime = runtime_folder()
    includes = ["-I", str(runtime / "include"), "-I", str(runtime / "kernels")]
    includes += ["-isystem", str(runtime / "port/cortex_m/libc")]
    objects = []
    for source in [*sources, runtime / "port/cortex_m/string.c"]:
        objects.append(f"{source.stem}.o")
        command = [*C_FLAGS, "-O2", *includes, *flags, "-c", str(source), "-o", objects[-1]]
        toolchain.run(command, folder)
    (folder / "functions.ld").write_text(_LINKER_SCRIPT, encoding="ascii")
    script = ["-T", "functions.ld", f"-Wl,-e,{entry}"]
    toolchain.run([*script, *objects, *toolchain.link, "-o", "functions.elf"], folder)
    return folder / "functions.elf"


@dataclass
class Array:
    """Memory that a function may touch; ``data`` is what it holds, before and after a call."""

    data: bytes
    is_written: bool = False
    #: Whether it lies at the beginning of its pages, not at their end.
    is_first: bool = False


class BrokenPromiseError(AssertionError):
    """A function did what the standard or its manual forbids."""


class FunctionCore:
    """A core with the functions of one ELF file."""

    def __init__(self, elf: Path, seed: int = 0) -> None:
        self._uc: Any = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        self._uc.mem_map(_CODE, _CODE_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
        self._uc.mem_map(_STACK, _STACK_BYTES, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            for segment in file.iter_segments("PT_LOAD"):
                self._uc.mem_write(segment["p_vaddr"], segment.data())
            table = file.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            self.symbols = {s.name: int(s["st_value"]) for s in table.iter_symbols() if s.name}
        self._random = random.Random(seed)
        #: How many the last call took, if it was watched.
        self.watched_instructions = 0

    def call(self, name: str, *arguments: int | Array, watched: bool = False) -> int:
        """Calls ``name``; what it writes is in its arrays afterwards. Its result is r0.

        Arrays lie between pages without memory. When ``watched``, every access is looked at, and
        after every instruction an interrupt overwrites what lies below the stack pointer. Raises
        ``BrokenPromiseError``.
        """
        with self._mapped([a for a in arguments if isinstance(a, Array)]) as places:
            at = iter(places)
            words = [next(at) if isinstance(a, Array) else a & 0xFFFFFFFF for a in arguments]
            given = [a for a in arguments if isinstance(a, Array)]
            arrays = dict(zip(places, given, strict=True))
            result = self._run(name, words, arrays, watched)
            for place, array in arrays.items():
                after = bytes(self._uc.mem_read(place, len(array.data)))
                if after != array.data and not array.is_written:
                    raise BrokenPromiseError(f"{name} wrote into what it may only read")
                array.data = after
            return result

    @contextmanager
    def _mapped(self, arrays: Sequence[Array]) -> Iterator[list[int]]:
        mapped, places = [], []
        for number, array in enumerate(arrays):
            size = -(-max(len(array.data), 1) // _PAGE) * _PAGE
            base = _ARRAYS + number * _ARRAY_ROOM
            assert size < _ARRAY_ROOM
            self._uc.mem_map(base, size, unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
            mapped.append((base, size))
            place = base if array.is_first else base + size - len(array.data)
            self._uc.mem_write(base, self._random.randbytes(size))
            self._uc.mem_write(place, array.data)
            places.append(place)
        before = [bytes(self._uc.mem_read(*pages)) for pages in mapped]
        try:
            yield places
            for place, array, (base, size), old in zip(places, arrays, mapped, before, strict=True):
                new, start = bytes(self._uc.mem_read(base, size)), place - base
                behind = start + len(array.data)
                if new[:start] != old[:start] or new[behind:] != old[behind:]:
                    raise BrokenPromiseError("something was written outside of an array")
        finally:
            for pages in mapped:
                self._uc.mem_unmap(*pages)

    def _run(
        self, name: str, words: Sequence[int], arrays: Mapping[int, Array], watched: bool
    ) -> int:
        uc = self._uc
        stacked = b"".join(word.to_bytes(4, "little") for word in words[4:])
        pointer = (_STACK + _STACK_BYTES - _CALLERS_BYTES - len(stacked)) & ~7
        uc.mem_write(_STACK, self._random.randbytes(_STACK_BYTES))
        uc.mem_write(pointer, stacked)
        above = bytes(
            uc.mem_read(pointer + len(stacked), _STACK + _STACK_BYTES - pointer - len(stacked))
        )
        for number in _CORE_REGISTERS:
            uc.reg_write(arm.UC_ARM_REG_R0 + number, self._random.getrandbits(32))
        for number, word in enumerate(words[:4]):
            uc.reg_write(arm.UC_ARM_REG_R0 + number, word)
        uc.reg_write(arm.UC_ARM_REG_SP, pointer)
        uc.reg_write(arm.UC_ARM_REG_LR, _RETURN | 1)
        kept = [uc.reg_read(arm.UC_ARM_REG_R0 + number) for number in _PRESERVED]
        watch = _Watch(uc, pointer, len(stacked), arrays, self._random) if watched else None
        try:
            uc.emu_start(self.symbols[name] | 1, _RETURN, count=_MOST_INSTRUCTIONS)
        except unicorn.UcError as error:
            at = uc.reg_read(arm.UC_ARM_REG_PC)
            raise BrokenPromiseError(f"{name} at {at:#x}: {error}") from error
        finally:
            if watch is not None:
                watch.end()
        if watch is not None and watch.complaint:
            raise BrokenPromiseError(f"{name} {watch.complaint}")
        self.watched_instructions = watch.instructions if watch is not None else 0
        if uc.reg_read(arm.UC_ARM_REG_PC) != _RETURN:
            raise BrokenPromiseError(
                f"{name} did not return within {_MOST_INSTRUCTIONS} instructions"
            )
        if uc.reg_read(arm.UC_ARM_REG_SP) != pointer:
            raise BrokenPromiseError(f"{name} returned with another stack pointer")
        now = [uc.reg_read(arm.UC_ARM_REG_R0 + number) for number in _PRESERVED]
        if now != kept:
            changed = [f"r{n}" for n, a, b in zip(_PRESERVED, kept, now, strict=True) if a != b]
            raise BrokenPromiseError(f"{name} does not preserve {', '.join(changed)}")
        if above != bytes(uc.mem_read(pointer + len(stacked), len(above))):
            raise BrokenPromiseError(f"{name} wrote into its caller's stack")
        return int(uc.reg_read(arm.UC_ARM_REG_R0))


class _Watch:
    """Looks at every instruction and every access of one call."""

    def __init__(
        self,
        uc: Any,
        pointer: int,
        stacked: int,
        arrays: Mapping[int, Array],
        source: random.Random,
    ) -> None:
        self.complaint = ""
        self._uc = uc
        self._top, self._end_of_arguments = pointer, pointer + stacked
        self._arrays = [(at, at + len(a.data), a.is_written) for at, a in arrays.items()]
        self._pointer = pointer
        self._lowest = pointer
        self._pc = 0
        self._noise = [source.randbytes(_EXCEPTION_FRAME) for _ in range(16)]
        self.instructions = 0
        # What was translated without hooks calls none.
        uc.ctl_flush_tb()
        both = unicorn.UC_HOOK_MEM_READ | unicorn.UC_HOOK_MEM_WRITE
        self._hooks = [
            uc.hook_add(unicorn.UC_HOOK_CODE, self._before_instruction),
            uc.hook_add(both, self._on_access),
        ]

    def end(self) -> None:
        for hook in self._hooks:
            self._uc.hook_del(hook)
        self._uc.ctl_flush_tb()

    def _complain(self, text: str) -> None:
        if not self.complaint:
            self.complaint = f"at {self._pc:#x} {text}"
            self._uc.emu_stop()

    def _before_instruction(self, uc: Any, address: int, _size: int, _data: object) -> None:
        pointer = uc.reg_read(arm.UC_ARM_REG_SP)
        # An instruction may move the pointer down and store there, or load and move it up.
        if self._lowest < min(pointer, self._pointer):
            self._complain("uses memory below its stack pointer")
        if pointer > self._top or pointer % 4:
            self._complain("moves its stack pointer above what it was given, or off words")
        self._pointer, self._lowest, self._pc = pointer, self._top, address
        self.instructions += 1
        noise = self._noise[self.instructions % len(self._noise)]
        uc.mem_write(pointer - _EXCEPTION_FRAME, noise)

    def _on_access(
        self, uc: Any, access: int, address: int, size: int, _value: int, _data: object
    ) -> None:
        is_write = access == unicorn.UC_MEM_WRITE
        if _STACK <= address < _STACK + _STACK_BYTES:
            self._lowest = min(self._lowest, address)
            if address + size > self._end_of_arguments:
                self._complain("touches its caller's stack")
            return
        if _CODE <= address < _CODE + _CODE_BYTES:
            return
        for begin, end, is_written in self._arrays:
            if begin <= address and address + size <= end:
                if is_write and not is_written:
                    self._complain(f"writes to {address:#x}, which it may only read")
                if address % size and self._is_for_words():
                    self._complain(f"loads or stores several words at {address:#x}")
                return
        what = "writes" if is_write else "reads"
        self._complain(f"{what} {size} bytes at {address:#x}, outside of all arrays")

    def _is_for_words(self) -> bool:
        """Whether it is an instruction that takes aligned addresses alone: LDM, LDRD and the like,
        by the ARMv7-M manual (A3.2.1), first halfwords of A5."""
        half = int.from_bytes(self._uc.mem_read(self._pc, 2), "little")
        is_multiple = half >> 12 == 0b1100 or half >> 9 == 0b1110100
        return is_multiple
