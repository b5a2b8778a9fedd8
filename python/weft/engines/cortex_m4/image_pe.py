# SPDX-License-Identifier: Apache-2.0
"""A PE that is machine code: its core, its mail rings and what its image tells of an end.

What is read and written from outside is what runtime/port/cortex_m/image.h and mail.h offer.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from weft.engines.cortex_m4.emulators import MakeCore
from weft.engines.cortex_m4.image_memory import EXITS, CoreError
from weft.engines.cortex_m4.mail import BOX, MESSAGE_WORDS, RING_MESSAGES, WRITE, Message

# How long a core runs at a time: long enough to cost nothing, and short enough for a deadline.
SLICE_INSTRUCTIONS = 10_000_000

#: Where cores see DRAM: away from the memory of PEs, and where QEMU's board has memory.
DRAM_START = 0x21000000

# Offsets in weft_pe_t on a 32-bit core; in weft_program_t; size of a weft_kernel_t.
_PE_PROGRAM, _PROGRAM_KERNELS, _PROGRAM_KERNEL_COUNT, _KERNEL_BYTES = 0, 4, 8, 16
_PE_SHARD, _PE_NEXT_TASK, _PE_FIRING = 44, 48, 56
# In the tables.
_ARENA_BYTES, _STATE_WORDS = 12, 20

# weft_mail_t: two rings, what goes out first.
_RING_BYTES = 8 + 4 * MESSAGE_WORDS * RING_MESSAGES

# Kinds of weft_fault_record_t.
_FAULTS = {
    2: "an NMI",
    3: "a hard fault",
    4: "a memory fault",
    5: "a bus fault",
    6: "a usage fault",
    11: "a supervisor call",
    256: "an overflow of the stack",
    257: "a failed assertion",
}


class StoppedError(CoreError):
    """An image ended with an error status, a weft_status_t."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the image stopped with status {status}")
        self.status = status


@dataclass(frozen=True)
class FaultRecord:
    """An image's ``weft_fault_record``."""

    kind: int
    pc: int
    lr: int
    cfsr: int
    hfsr: int
    address: int


class FaultError(CoreError):
    """An image wrote a fault record. ``function`` is the one at fault, if the symbols say so."""

    def __init__(self, record: FaultRecord, function: str) -> None:
        kind = _FAULTS.get(record.kind, "an exception")
        place = f" in {function}" if function else ""
        super().__init__(
            f"{kind} (kind {record.kind}) at pc {record.pc:#010x}{place}, lr {record.lr:#010x}, "
            f"address {record.address:#010x}, cfsr {record.cfsr:#x}, hfsr {record.hfsr:#x}"
        )
        self.record = record


class ImagePe:
    """The PE of the image ``elf``, in memory as ``memory`` says, (origin, bytes) pairs, on a core
    that ``make_core`` makes; ``dram`` is what it sees of DRAM, if there is any."""

    def __init__(
        self,
        elf: Path,
        memory: Sequence[tuple[int, int]],
        make_core: MakeCore,
        dram: memoryview | None = None,
    ) -> None:
        self.core = make_core(elf, memory, [] if dram is None else [(DRAM_START, dram)])
        if dram is not None:
            with suppress(KeyError):  # an image that never reads it has no window
                window = struct.pack("<2I", DRAM_START, len(dram))
                self.core.write(self.core.symbol("weft_image_dram"), window)
        self._mail = self.core.symbol("weft_image_mail")
        tables = self.core.symbol("weft_pe_tables")
        #: Arena and counters themselves, not copies.
        self.arena = self._room("weft_image_arena", self.core.word(tables + _ARENA_BYTES))
        self.state = self._room("weft_image_state", 4 * self.core.word(tables + _STATE_WORDS))

    def _room(self, name: str, size: int) -> memoryview:
        return self.core.view(self.core.symbol(name), size)

    # --- running ---

    def run(self, most: int = SLICE_INSTRUCTIONS) -> bool:
        """Runs until the image sleeps, which is True, or for ``most`` instructions.

        Raises ``FaultError``, ``StoppedError`` or ``CoreError`` if it ends instead.
        """
        reached = self.core.run(most)
        if reached is None:
            return False
        if reached != EXITS[0]:
            record = self.fault_record()
            if record.kind:
                if not record.pc:  # no room was left to push it to
                    record = replace(record, pc=self.core.overflow_at)
                raise FaultError(record, self.core.function_at(record.pc))
            raise StoppedError(self.core.word(self.core.symbol("weft_image_status")))
        return True

    def watch(self) -> None:
        """Counts anew, and apart for every task. For an image that has started."""
        context = self.core.symbol("weft_image_pe")
        program = self.core.word(context + _PE_PROGRAM)
        first = self.core.word(program + _PROGRAM_KERNELS)
        count = self.core.word(program + _PROGRAM_KERNEL_COUNT)
        self.core.watch(
            [self.core.word(first + _KERNEL_BYTES * i) for i in range(count)],
            firing=context + _PE_FIRING,
            shard=context + _PE_SHARD,
            task=context + _PE_NEXT_TASK,
        )

    def fault_record(self) -> FaultRecord:
        """All zero if there was no fault."""
        data = self.core.view(self.core.symbol("weft_fault_record"), 24)
        return FaultRecord(*struct.unpack("<6I", data))

    # --- mail: what a NoC does with the rings ---

    def take_mail(self) -> list[Message]:
        """What the image has posted since."""
        posted, taken = struct.unpack("<2I", self.core.view(self._mail, 8))
        if posted == taken:
            return []
        mail = [
            self._message(taken + i)
            for i in range(min((posted - taken) & 0xFFFFFFFF, RING_MESSAGES))
        ]
        self.core.set_word(self._mail + 4, posted)
        return mail

    def _message(self, number: int) -> Message:
        size = 4 * MESSAGE_WORDS
        at = self._mail + 8 + size * (number % RING_MESSAGES)
        kind, pe, epoch, *arguments = struct.unpack(f"<{MESSAGE_WORDS}I", self.core.view(at, size))
        first, second, third = arguments
        runs: tuple[tuple[int, bytes], ...] = ()
        try:
            if kind == WRITE:
                runs = ((first, self.core.read(second, third)),)
            elif kind == BOX:
                runs = self._runs(first)
        except IndexError:
            pe = 0xFFFFFFFF  # nothing to write, which goes nowhere
        return Message(kind, pe, epoch, (first, second, third), runs)

    def _runs(self, address: int) -> tuple[tuple[int, bytes], ...]:
        """What the weft_box_t at ``address`` writes. Raises ``IndexError``."""
        words = struct.unpack("<9I", self.core.read(address, 36))
        outer, inner, size, source, source_outer, source_inner, to, to_outer, to_inner = words
        return tuple(
            (
                (to + o * to_outer + i * to_inner) & 0xFFFFFFFF,
                self.core.read((source + o * source_outer + i * source_inner) & 0xFFFFFFFF, size),
            )
            for o in range(outer)
            for i in range(inner)
        )

    def offer(self, message: Message) -> bool:
        """Puts a message into the ring of what comes in; False if that is full."""
        ring = self._mail + _RING_BYTES
        posted, taken = struct.unpack("<2I", self.core.view(ring, 8))
        if (posted - taken) & 0xFFFFFFFF >= RING_MESSAGES:
            return False
        words = (message.kind, message.pe, message.epoch, *message.arguments)
        at = ring + 8 + 4 * MESSAGE_WORDS * (posted % RING_MESSAGES)
        self.core.write(at, struct.pack(f"<{MESSAGE_WORDS}I", *words))
        self.core.set_word(ring, posted + 1)
        return True

    def write_arena(self, offset: int, data: bytes) -> bool:
        """As another PE writes; False if the bytes would not lie in the arena."""
        if offset + len(data) > len(self.arena):
            return False
        self.arena[offset : offset + len(data)] = data
        return True

    # --- what lies where ---

    def where(self) -> tuple[int, int]:
        """The shard that fires or is looked at next, and how many of its tasks have run."""
        context = self.core.symbol("weft_image_pe")
        firing = self.core.view(context + _PE_FIRING, 1)[0]
        task = self.core.word(context + _PE_NEXT_TASK) if firing else 0
        return self.core.word(context + _PE_SHARD), task
