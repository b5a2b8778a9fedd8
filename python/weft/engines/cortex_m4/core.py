# SPDX-License-Identifier: Apache-2.0
"""One Cortex-M4 in Unicorn, with the memory of a PE and an image in it.

Unicorn has no interrupt controller, so exceptions are entered here, as the ARMv7-M manual says
(B1.5.6): registers pushed, status registers written, vector taken. System registers are plain
memory. Nothing else leaves the emulator but the functions of ``EXITS``.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import unicorn as untyped_unicorn
from unicorn import arm_const as arm
from unicorn.unicorn_py3.unicorn import uclib as untyped_library

from weft import _native
from weft.engines.cortex_m4.counts import Count
from weft.engines.cortex_m4.image_memory import EXITS, CoreError, ImageMemory, new_memory

# Its classes have no types and are not marked as exported.
unicorn: Any = untyped_unicorn
_library: Any = untyped_library

_SYSTEM_SPACE = 0xE000E000
_SYSTEM_BYTES = 0x1000
# Data watchpoint and trace unit: of it, the cycle counter.
_DWT_SPACE = 0xE0001000
_DWT_BYTES = 0x1000
_DWT_CTRL, _DWT_CYCCNT = 0x0, 0x4
_SHCSR, _CFSR, _HFSR = 0xE000ED24, 0xE000ED28, 0xE000ED2C
_MMFAR, _BFAR = 0xE000ED34, 0xE000ED38
_DACCVIOL, _MMARVALID = 1 << 1, 1 << 7
_IBUSERR, _PRECISERR, _STKERR, _BFARVALID = 1 << 8, 1 << 9, 1 << 12, 1 << 15
_UNDEFINSTR = 1 << 16
_FORCED, _DEBUGEVT = 1 << 30, 1 << 31
_HARD_FAULT, _MEMORY_FAULT, _BUS_FAULT, _USAGE_FAULT, _SVCALL = 3, 4, 5, 6, 11
_ENABLE_BITS = {_MEMORY_FAULT: 1 << 16, _BUS_FAULT: 1 << 17, _USAGE_FAULT: 1 << 18}
_THREAD_MSP = 0xFFFFFFF9
# Of QEMU, which Unicorn is made from: EXCP_SWI and EXCP_BKPT.
_INTERRUPT_SVC, _INTERRUPT_BREAKPOINT = 2, 7
_INVALID_MEMORY = {
    unicorn.UC_ERR_READ_UNMAPPED,
    unicorn.UC_ERR_WRITE_UNMAPPED,
    unicorn.UC_ERR_READ_PROT,
    unicorn.UC_ERR_WRITE_PROT,
}
_STACKED = (
    arm.UC_ARM_REG_R0,
    arm.UC_ARM_REG_R1,
    arm.UC_ARM_REG_R2,
    arm.UC_ARM_REG_R3,
    arm.UC_ARM_REG_R12,
    arm.UC_ARM_REG_LR,
)
_NOWHERE = 0xFFFFFFFE
# Of the linker script: the lowest address of the stack, below which its guard lies.
_STACK_LIMIT = "weft_ld_stack_limit"
# Of translated code, a core: a PE's 32 KiB become less.
_TRANSLATED_BYTES = 4 << 20


def _address_of(name: str) -> int:
    """Of a function of the emulator."""
    return ctypes.cast(getattr(_library, name), ctypes.c_void_p).value or 0


class Core(ImageMemory):
    """A core whose memory is ``memory``, (origin, bytes) pairs, loaded with the image ``elf``, and
    ``shared``, (origin, view) pairs.

    Its memory is this process's: who holds a view of it sees what the core writes.
    """

    def __init__(
        self,
        elf: Path,
        memory: Sequence[tuple[int, int]],
        shared: Sequence[tuple[int, memoryview]] = (),
    ) -> None:
        super().__init__(elf, memory, shared)
        self._uc: Any = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        self._uc.ctl_set_tcg_buffer_size(_TRANSLATED_BYTES)
        self._views.append((_SYSTEM_SPACE, new_memory(_SYSTEM_BYTES, 0)))
        for origin, view in self._views:
            self._map(origin, view)
        self._dwt_ctrl = 0
        self._uc.mmio_map(_DWT_SPACE, _DWT_BYTES, self._read_dwt, None, self._write_dwt, None)
        self._uc.ctl_exits_enabled(True)
        self._uc.ctl_set_exits([self.symbol(name) & ~1 for name in EXITS])
        self._uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_invalid_memory)
        self._uc.hook_add(unicorn.UC_HOOK_INTR, self._on_interrupt)
        self._counter = self._count_blocks()
        self._bad_address = 0
        #: Where the stack overflowed; 0 if it did not.
        self.overflow_at = 0
        self._interrupts: list[int] = []
        self.reset()

    def _map(self, origin: int, view: memoryview) -> None:
        address = ctypes.addressof(ctypes.c_char.from_buffer(view))
        self._uc.mem_map_ptr(origin, len(view), unicorn.UC_PROT_ALL, address)

    def _read_dwt(self, _uc: object, offset: int, _size: int, _data: object) -> int:
        """The core's clock counts instructions, as counts of them do: a block when it begins."""
        if offset == _DWT_CYCCNT and self._dwt_ctrl & 1:
            return self._counter.count & 0xFFFFFFFF
        return self._dwt_ctrl if offset == _DWT_CTRL else 0

    def _write_dwt(self, _uc: object, offset: int, _size: int, value: int, _data: object) -> None:
        if offset == _DWT_CTRL:
            self._dwt_ctrl = value

    def _count_blocks(self) -> _native.InstructionCounter:
        """Unicorn's Python calls hooks in Python; this one is called for every block, in C. It also
        does for the stack what a memory protection unit would."""
        counter = _native.InstructionCounter(
            self._views,
            _address_of("uc_emu_stop"),
            _address_of("uc_reg_read"),
            arm.UC_ARM_REG_SP,
            self.symbol(_STACK_LIMIT),
        )
        status = _library.uc_hook_add(
            self._uc._uch,
            ctypes.byref(ctypes.c_size_t()),
            unicorn.UC_HOOK_BLOCK,
            ctypes.c_void_p(counter.function),
            ctypes.c_void_p(counter.context),
            ctypes.c_uint64(1),
            ctypes.c_uint64(0),
        )
        if status != unicorn.UC_ERR_OK:
            raise CoreError(f"Unicorn takes no hook: {unicorn.UcError(status)}")
        counter.set_functions([address for address, _ in self._functions])
        return counter

    def _on_invalid_memory(self, _uc: object, _access: int, address: int, *_: object) -> bool:
        self._bad_address = address
        return False

    def _on_interrupt(self, _uc: object, number: int, _data: object) -> None:
        self._interrupts.append(number)
        self._uc.emu_stop()

    # --- running ---

    def close(self) -> None:
        """Nothing: it is memory of this process."""

    @property
    def instructions(self) -> int:
        """How many it has begun: whole basic blocks, the skipped ones of IT blocks included."""
        return self._counter.count

    def watch(self, kernels: Sequence[int], firing: int, shard: int, task: int) -> None:
        """Counts anew, and apart for every task of an executive: ``kernels`` are the addresses at
        which kernels begin, ``firing`` is that of a byte that is 0 while no shard fires, ``shard``
        and ``task`` are those of words. IndexError if there is no such memory."""
        starts = [address & ~1 for address in kernels]
        if not self._counter.set_executive(starts, firing, shard, task):
            raise IndexError("there is no memory at the executive's context")

    def counts(self) -> list[tuple[int, int, str, Count]]:
        """Shard, task and function, and what was run for them: shard and task are -1 where there
        is none, the function is empty where symbols name none."""
        return [
            (shard, task, self._functions[at][1] if at >= 0 else "", Count(instructions, cycles))
            for shard, task, at, instructions, cycles in self._counter.counts()
        ]

    @property
    def pc(self) -> int:
        """Where it goes on."""
        return self._pc & ~1

    def reset(self) -> None:
        """Takes stack pointer and entry from the vector table, as the core does."""
        self.write(_SYSTEM_SPACE, bytes(_SYSTEM_BYTES))
        self._dwt_ctrl = 0
        stack_top, entry = struct.unpack("<2I", self.read(self._vectors, 8))
        self._uc.reg_write(arm.UC_ARM_REG_SP, stack_top)
        self._pc = int(entry)

    def start_at_entry(self) -> None:
        """Jumps to the ELF's entry with a useless stack pointer, as a supervisor may."""
        self._uc.reg_write(arm.UC_ARM_REG_SP, 0)
        self._pc = self._entry

    def run(self, most: int) -> str | None:
        """Runs to an exit; its name, or None after ``most`` instructions. A wait is over when it is
        run again. Raises ``CoreError``."""
        self._counter.limit = self._counter.count + most
        while True:
            self._interrupts.clear()
            try:
                self._uc.emu_start(self._pc | 1, _NOWHERE)
            except unicorn.UcError as error:
                self._enter_fault(error)
                continue
            if self._counter.is_overflowing:
                self._enter_overflow()
                continue
            if not self._interrupts:
                break
            if self._interrupts == [_INTERRUPT_SVC]:
                self._enter_exception(_SVCALL)
            elif self._interrupts == [_INTERRUPT_BREAKPOINT]:
                self._enter_exception(_HARD_FAULT, hfsr=_DEBUGEVT)
            else:
                raise CoreError(f"the emulator reports interrupts {self._interrupts}")
        self._pc = int(self._uc.reg_read(arm.UC_ARM_REG_PC))
        for name in EXITS:
            if self.pc == self.symbol(name) & ~1:
                if name == EXITS[0]:
                    self._pc = int(self._uc.reg_read(arm.UC_ARM_REG_LR))
                return name
        return None

    def call(self, name: str, *arguments: int, most: int = 1_000_000) -> int:
        """Calls a function of the waiting image with up to four words; its word result."""
        uc = self._uc
        saved, pc = uc.context_save(), self._pc
        for register, value in zip(_STACKED, arguments, strict=False):
            uc.reg_write(register, value)
        uc.reg_write(arm.UC_ARM_REG_LR, self.symbol(EXITS[1]))
        self._pc = self.symbol(name)
        if self.run(most) != EXITS[1]:
            raise CoreError(f"{name} did not return within {most} instructions")
        result = int(uc.reg_read(arm.UC_ARM_REG_R0))
        uc.context_restore(saved)
        self._pc = pc
        return result

    def _enter_fault(self, error: Any) -> None:
        if self._uc.reg_read(arm.UC_ARM_REG_IPSR):
            raise CoreError(f"lock-up: a fault within an exception ({error})") from error
        if error.errno in _INVALID_MEMORY:
            self.set_word(_BFAR, self._bad_address)
            self._enter_exception(_BUS_FAULT, cfsr=_PRECISERR | _BFARVALID)
        elif error.errno == unicorn.UC_ERR_FETCH_UNMAPPED:
            self._enter_exception(_BUS_FAULT, cfsr=_IBUSERR)
        elif error.errno == unicorn.UC_ERR_INSN_INVALID:
            self._enter_exception(_USAGE_FAULT, cfsr=_UNDEFINSTR)
        else:
            raise CoreError(f"the emulator reports: {error}") from error

    def _enter_overflow(self) -> None:
        """As with the guard protected: the first word in it is refused."""
        self._counter.is_overflowing = False
        if self._uc.reg_read(arm.UC_ARM_REG_IPSR):
            raise CoreError("lock-up: the stack overflows within an exception")
        self.overflow_at = int(self._uc.reg_read(arm.UC_ARM_REG_PC))
        self.set_word(_MMFAR, self.symbol(_STACK_LIMIT) - 4)
        self._enter_exception(_MEMORY_FAULT, cfsr=_DACCVIOL | _MMARVALID)

    def _enter_exception(self, number: int, *, cfsr: int = 0, hfsr: int = 0) -> None:
        uc = self._uc
        frame = [int(uc.reg_read(register)) for register in _STACKED]
        frame += [int(uc.reg_read(arm.UC_ARM_REG_PC)), int(uc.reg_read(arm.UC_ARM_REG_XPSR))]
        pointer = (int(uc.reg_read(arm.UC_ARM_REG_SP)) - 4 * len(frame)) & 0xFFFFFFF8
        try:
            self.write(pointer, struct.pack("<8I", *frame))
        except IndexError:
            # Nowhere to push to: a second fault, which comes first.
            number, cfsr = _BUS_FAULT, cfsr | _STKERR
        if number in _ENABLE_BITS and not self.word(_SHCSR) & _ENABLE_BITS[number]:
            number, hfsr = _HARD_FAULT, hfsr | _FORCED
        self.set_word(_CFSR, self.word(_CFSR) | cfsr)
        self.set_word(_HFSR, self.word(_HFSR) | hfsr)
        uc.reg_write(arm.UC_ARM_REG_SP, pointer)
        uc.reg_write(arm.UC_ARM_REG_LR, _THREAD_MSP)
        uc.reg_write(arm.UC_ARM_REG_IPSR, number)
        self._pc = self.word(self._vectors + 4 * number)
