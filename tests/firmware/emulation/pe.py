# SPDX-License-Identifier: Apache-2.0
"""One PE as machine code: an image in Unicorn, its mail, and the outside's ends of its channels.

Unicorn has no interrupt controller, so exceptions are entered here, as the ARMv7-M manual says
(B1.5.6): registers pushed, status registers written, vector taken. System registers are plain
memory. ``weft_port_wait`` is served here too: an image that reaches it sleeps until the next run.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import unicorn as untyped_unicorn
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from unicorn import arm_const as arm

from emulation.mail import CREDIT, MESSAGE_WORDS, RING_MESSAGES, WRITE, Message
from emulation.tables import Tables
from weft.codegen.tables import ChannelRow, SendRow, SlotRow

# Its classes have no types and are not marked as exported.
unicorn: Any = untyped_unicorn

_SYSTEM_SPACE = 0xE000E000
_SYSTEM_BYTES = 0x1000
_SHCSR, _CFSR, _HFSR, _BFAR = 0xE000ED24, 0xE000ED28, 0xE000ED2C, 0xE000ED38
_IBUSERR, _PRECISERR, _STKERR, _BFARVALID = 1 << 8, 1 << 9, 1 << 12, 1 << 15
_UNDEFINSTR = 1 << 16
_FORCED, _DEBUGEVT = 1 << 30, 1 << 31
_HARD_FAULT, _BUS_FAULT, _USAGE_FAULT, _SVCALL = 3, 5, 6, 11
_ENABLE_BITS = {_BUS_FAULT: 1 << 17, _USAGE_FAULT: 1 << 18}
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

CHANNEL_IN, CHANNEL_OUT = 0, 1

# Offsets in weft_pe_t and, from its start, in weft_mail_t.
_PE_TABLES, _PE_ARENA, _PE_NUMBER, _PE_EPOCH = 4, 8, 24, 28
_RING_BYTES = 8 + 4 * MESSAGE_WORDS * RING_MESSAGES


class PeError(RuntimeError):
    """The image did not get to sleep."""


class BudgetExceededError(PeError):
    """It ran more instructions than it was allowed."""


class StoppedError(PeError):
    """It ended with an error status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the image stopped with status {status}")
        self.status = status


@dataclass(frozen=True)
class FaultRecord:
    """The image's ``weft_fault_record``."""

    kind: int
    pc: int
    lr: int
    cfsr: int
    hfsr: int
    address: int


class FaultError(PeError):
    """It wrote a fault record."""

    def __init__(self, record: FaultRecord) -> None:
        super().__init__(
            f"the image faulted: exception {record.kind} at pc {record.pc:#x}, lr {record.lr:#x}, "
            f"cfsr {record.cfsr:#x}, hfsr {record.hfsr:#x}, address {record.address:#x}"
        )
        self.record = record


class Pe:
    """A PE whose memory is ``memory``, (origin, bytes) pairs, loaded with the image ``elf``."""

    def __init__(self, elf: Path, memory: Sequence[tuple[int, int]]) -> None:
        self._uc: Any = unicorn.Uc(
            unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS
        )
        self._uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        for origin, size in memory:
            self._uc.mem_map(origin, size)
            # Memory holds anything at power-on; a zero that nobody wrote must not help.
            self._uc.mem_write(origin, b"\xa5" * size)
        self._uc.mem_map(_SYSTEM_SPACE, _SYSTEM_BYTES)
        self._load(elf)
        self._halt_at = {self.symbol("weft_port_wait") & ~1, self.symbol("weft_image_stop") & ~1}
        for address in self._halt_at:
            self._hook(unicorn.UC_HOOK_CODE, self._on_halt, address, address)
        self._hook(unicorn.UC_HOOK_MEM_INVALID, self._on_invalid_memory)
        self._hook(unicorn.UC_HOOK_INTR, self._on_interrupt)
        self._bad_address = 0
        self._given_back: list[Message] = []
        self._interrupts: list[int] = []
        self.reset()

    def _load(self, elf: Path) -> None:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            for segment in file.iter_segments("PT_LOAD"):
                if segment["p_filesz"]:
                    self._uc.mem_write(segment["p_paddr"], segment.data())
            self._entry = int(file["e_entry"])
            table = file.get_section_by_name(".symtab")
            assert isinstance(table, SymbolTableSection)
            self._symbols = {entry.name: int(entry["st_value"]) for entry in table.iter_symbols()}
            vectors = file.get_section_by_name(".text")
            assert vectors is not None
            self._vectors = int(vectors["sh_addr"])

    def _hook(self, kind: int, callback: Any, begin: int = 1, end: int = 0) -> None:
        self._uc.hook_add(kind, callback, None, begin, end)

    def _on_halt(self, *_: object) -> None:
        self._uc.emu_stop()

    def _on_invalid_memory(self, _uc: object, _access: int, address: int, *_: object) -> bool:
        self._bad_address = address
        return False

    def _on_interrupt(self, _uc: object, number: int, _data: object) -> None:
        self._interrupts.append(number)
        self._uc.emu_stop()

    # --- running ---------------------------------------------------------------------------------

    def reset(self) -> None:
        """Takes stack pointer and entry from the vector table, as the core does."""
        self._uc.mem_write(_SYSTEM_SPACE, bytes(_SYSTEM_BYTES))
        stack_top, entry = struct.unpack("<2I", self.read(self._vectors, 8))
        self._uc.reg_write(arm.UC_ARM_REG_SP, stack_top)
        self._pc = entry

    def set_epoch(self, epoch: int) -> None:
        """As a loader does, before a start."""
        self._set_word(self.symbol("weft_image_epoch"), epoch)

    def start_at_entry(self) -> None:
        """Jumps to the ELF's entry with a useless stack pointer, as a supervisor may."""
        self._uc.reg_write(arm.UC_ARM_REG_SP, 0)
        self._pc = self._entry

    def run(self, budget: int = 50_000_000) -> None:
        """Runs until the image sleeps, for at most ``budget`` instructions.

        Raises FaultError, StoppedError or BudgetExceededError otherwise.
        """
        self._start(budget)
        at = self._uc.reg_read(arm.UC_ARM_REG_PC)
        if at == self.symbol("weft_port_wait") & ~1:
            self._pc = self._uc.reg_read(arm.UC_ARM_REG_LR)
            return
        record = self.fault_record()
        if record.kind:
            raise FaultError(record)
        if at == self.symbol("weft_image_stop") & ~1:
            raise StoppedError(self.word(self.symbol("weft_image_status")))
        raise BudgetExceededError(f"the image ran {budget} instructions and is at {at:#x}")

    def call(self, name: str, *arguments: int, budget: int = 1_000_000) -> int:
        """Calls a function of the sleeping image with up to four words; its word result."""
        uc = self._uc
        saved = uc.context_save()
        back = self.symbol("weft_image_stop")
        for register, value in zip(_STACKED, arguments, strict=False):
            uc.reg_write(register, value)
        uc.reg_write(arm.UC_ARM_REG_LR, back)
        pc, self._pc = self._pc, self.symbol(name) | 1
        self._start(budget)
        self._pc = pc
        if uc.reg_read(arm.UC_ARM_REG_PC) != back & ~1:
            raise BudgetExceededError(f"{name} did not return within {budget} instructions")
        result = int(uc.reg_read(arm.UC_ARM_REG_R0))
        uc.context_restore(saved)
        return result

    def _start(self, budget: int) -> None:
        """Runs from ``_pc`` until something stops the core, through exceptions."""
        while True:
            self._interrupts.clear()
            try:
                self._uc.emu_start(self._pc | 1, 0xFFFFFFFE, count=budget)
            except unicorn.UcError as error:
                self._enter_fault(error)
                continue
            if not self._interrupts:
                return
            if self._interrupts == [_INTERRUPT_SVC]:
                self._enter_exception(_SVCALL)
            elif self._interrupts == [_INTERRUPT_BREAKPOINT]:
                self._enter_exception(_HARD_FAULT, hfsr=_DEBUGEVT)
            else:
                raise PeError(f"Unicorn reports interrupts {self._interrupts}")

    def _enter_fault(self, error: Any) -> None:
        if self._uc.reg_read(arm.UC_ARM_REG_IPSR):
            raise PeError(f"lock-up: a fault within an exception ({error})") from error
        if error.errno in _INVALID_MEMORY:
            self._set_word(_BFAR, self._bad_address)
            self._enter_exception(_BUS_FAULT, cfsr=_PRECISERR | _BFARVALID)
        elif error.errno == unicorn.UC_ERR_FETCH_UNMAPPED:
            self._enter_exception(_BUS_FAULT, cfsr=_IBUSERR)
        elif error.errno == unicorn.UC_ERR_INSN_INVALID:
            self._enter_exception(_USAGE_FAULT, cfsr=_UNDEFINSTR)
        else:
            raise PeError(f"Unicorn reports: {error}") from error

    def _enter_exception(self, number: int, *, cfsr: int = 0, hfsr: int = 0) -> None:
        uc = self._uc
        frame = [int(uc.reg_read(register)) for register in _STACKED]
        frame += [int(uc.reg_read(arm.UC_ARM_REG_PC)), int(uc.reg_read(arm.UC_ARM_REG_XPSR))]
        pointer = (int(uc.reg_read(arm.UC_ARM_REG_SP)) - 4 * len(frame)) & 0xFFFFFFF8
        try:
            uc.mem_write(pointer, struct.pack("<8I", *frame))
        except unicorn.UcError:
            # Nowhere to push to: a second fault, which comes first.
            number, cfsr = _BUS_FAULT, cfsr | _STKERR
        if number in _ENABLE_BITS and not self.word(_SHCSR) & _ENABLE_BITS[number]:
            number, hfsr = _HARD_FAULT, hfsr | _FORCED
        self._set_word(_CFSR, self.word(_CFSR) | cfsr)
        self._set_word(_HFSR, self.word(_HFSR) | hfsr)
        uc.reg_write(arm.UC_ARM_REG_SP, pointer)
        uc.reg_write(arm.UC_ARM_REG_LR, _THREAD_MSP)
        uc.reg_write(arm.UC_ARM_REG_IPSR, number)
        self._pc = self.word(self._vectors + 4 * number)

    # --- memory ----------------------------------------------------------------------------------

    def symbol(self, name: str) -> int:
        return self._symbols[name]

    def read(self, address: int, size: int) -> bytes:
        return bytes(self._uc.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        self._uc.mem_write(address, data)

    def word(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    def _set_word(self, address: int, value: int) -> None:
        self.write(address, (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def string(self, address: int) -> str:
        """The zero-terminated string at ``address``."""
        end = address
        while self.read(end, 1) != b"\0":
            end += 1
        return self.read(address, end - address).decode("ascii")

    def fault_record(self) -> FaultRecord:
        words = struct.unpack("<6I", self.read(self.symbol("weft_fault_record"), 24))
        return FaultRecord(*words)

    # --- mail ------------------------------------------------------------------------------------
    # What a NoC does with the rings of runtime/port/cortex_m/mail.h.

    def take_mail(self) -> list[Message]:
        """What the image has posted since, and the credits of what was collected."""
        ring = self.symbol("weft_image_mail")
        posted, taken = struct.unpack("<2I", self.read(ring, 8))
        mail = [self._message(ring, number) for number in range(taken, posted)]
        self._set_word(ring + 4, posted)
        mail += self._given_back
        self._given_back = []
        return mail

    def _message(self, ring: int, number: int) -> Message:
        size = 4 * MESSAGE_WORDS
        at = ring + 8 + size * (number % RING_MESSAGES)
        kind, pe, epoch, *arguments = struct.unpack(f"<{MESSAGE_WORDS}I", self.read(at, size))
        first, second, third = arguments
        data = self.read(second, third) if kind == WRITE else b""
        return Message(kind, pe, epoch, (first, second, third), data)

    def offer(self, message: Message) -> bool:
        """Puts a message into the ring of what comes in; False if that is full."""
        ring = self.symbol("weft_image_mail") + _RING_BYTES
        posted, taken = struct.unpack("<2I", self.read(ring, 8))
        if posted - taken == RING_MESSAGES:
            return False
        words = (message.kind, message.pe, message.epoch, *message.arguments)
        at = ring + 8 + 4 * MESSAGE_WORDS * (posted % RING_MESSAGES)
        self.write(at, struct.pack(f"<{MESSAGE_WORDS}I", *words))
        self._set_word(ring, posted + 1)
        return True

    def write_arena(self, offset: int, data: bytes) -> None:
        """As another PE writes. The bytes must lie in the arena."""
        assert offset + len(data) <= self.tables().arena_bytes
        self.write(self._arena() + offset, data)

    # --- channels --------------------------------------------------------------------------------
    # What runtime/src/pe.c does for the outside, from outside, while the core sleeps.

    def tables(self) -> Tables:
        at = self.word(self.symbol("weft_image_pe") + _PE_TABLES)
        return Tables(self.read(at, Tables.byte_count(self.read(at, 12))))

    def has_room(self, channel: int) -> bool:
        """Whether input ``channel`` can be fed."""
        slot = self._slot(channel, CHANNEL_IN)[1]
        return self._delivered(slot) - self._consumed(slot) < slot.depth

    def has_frame(self, channel: int) -> bool:
        """Whether output ``channel`` can be collected."""
        slot = self._slot(channel, CHANNEL_OUT)[1]
        arrivals = self.word(self._arrivals_at(slot, self._consumed(slot)))
        return arrivals >= slot.producer_count

    def feed(self, channel: int, frame: bytes) -> None:
        """Writes a frame into the slot of an input and announces it."""
        row, slot = self._slot(channel, CHANNEL_IN)
        assert self.has_room(channel)
        assert len(frame) == row.rows * row.row_bytes
        number = self._delivered(slot)
        for i, address in enumerate(self._row_addresses(row, slot, number)):
            self.write(address, frame[i * row.row_bytes : (i + 1) * row.row_bytes])
        self._set_word(self._delivered_at(slot), number + 1)
        self._add(self._arrivals_at(slot, number), 1)

    def collect(self, channel: int) -> bytes:
        """Reads the oldest frame in the slot of an output and gives its room back."""
        row, slot = self._slot(channel, CHANNEL_OUT)
        assert self.has_frame(channel)
        number = self._consumed(slot)
        rows = self._row_addresses(row, slot, number)
        frame = b"".join(self.read(at, row.row_bytes) for at in rows)
        self._add(self._arrivals_at(slot, number), -slot.producer_count)
        self._set_word(self._state_at(slot), number + 1)
        self._give_back(slot, number + 1)
        return frame

    def _give_back(self, slot: SlotRow, consumed: int) -> None:
        """Credit for every producer; those on other PEs get a message."""
        own = self.word(self.symbol("weft_image_pe") + _PE_NUMBER)
        epoch = self.word(self.symbol("weft_image_pe") + _PE_EPOCH)
        for row in self.tables().returns(slot):
            if row.pe == own:
                self._set_word(self._state_at(self.tables().send(row.send)), consumed)
            else:
                credit = Message(CREDIT, row.pe, epoch, (row.send, consumed, 0))
                self._given_back.append(credit)

    def _slot(self, channel: int, direction: int) -> tuple[ChannelRow, SlotRow]:
        tables = self.tables()
        row = tables.channel(channel)
        assert row.direction == direction
        return row, tables.slot(row.slot)

    def _row_addresses(self, row: ChannelRow, slot: SlotRow, frame: int) -> list[int]:
        room = self._arena() + slot.offset + frame % slot.depth * slot.frame_bytes
        return [room + row.offset + number * row.row_stride for number in range(row.rows)]

    def _arena(self) -> int:
        return self.word(self.symbol("weft_image_pe") + _PE_ARENA)

    # State words of a slot: consumed; arrivals for each frame's room; delivered by each producer.

    def _state_at(self, row: SlotRow | SendRow) -> int:
        return self.symbol("weft_image_state") + 4 * row.state

    def _consumed(self, slot: SlotRow) -> int:
        return self.word(self._state_at(slot))

    def _arrivals_at(self, slot: SlotRow, frame: int) -> int:
        return self._state_at(slot) + 4 * (1 + frame % slot.depth)

    def _delivered_at(self, slot: SlotRow) -> int:
        return self._state_at(slot) + 4 * (1 + slot.depth)

    def _delivered(self, slot: SlotRow) -> int:
        """By the first producer, which is the outside where it has a channel in."""
        return self.word(self._delivered_at(slot))

    def _add(self, address: int, amount: int) -> None:
        self._set_word(address, self.word(address) + amount)
