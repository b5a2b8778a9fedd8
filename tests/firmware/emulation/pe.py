# SPDX-License-Identifier: Apache-2.0
"""A PE as machine code with the outside's ends of its channels, as runtime/src/pe.c has them."""

from __future__ import annotations

from pathlib import Path

from emulation.tables import Tables
from weft.codegen.tables import ChannelRow, SendRow, SlotRow
from weft.engines.cortex_m4.core import Core
from weft.engines.cortex_m4.image_memory import CoreError
from weft.engines.cortex_m4.image_pe import FaultError, ImagePe, StoppedError
from weft.engines.cortex_m4.mail import CREDIT, Message

__all__ = ["BudgetExceededError", "CoreError", "FaultError", "Pe", "StoppedError"]

CHANNEL_IN, CHANNEL_OUT = 0, 1

# Offsets in weft_pe_t.
_PE_TABLES, _PE_ARENA, _PE_NUMBER, _PE_EPOCH = 4, 8, 24, 28


class BudgetExceededError(CoreError):
    """It ran more instructions than it was allowed."""


class Pe(ImagePe):
    """A PE whose memory is ``memory``, (origin, bytes) pairs, loaded with the image ``elf``."""

    def __init__(self, elf: Path, memory: list[tuple[int, int]]) -> None:
        super().__init__(elf, memory, Core)
        self._given_back: list[Message] = []

    def run(self, most: int = 200_000_000) -> bool:
        if not super().run(most):
            raise BudgetExceededError(f"{most} instructions, and it is at {self.core.pc:#x}")
        return True

    def symbol(self, name: str) -> int:
        return self.core.symbol(name)

    def set_epoch(self, epoch: int) -> None:
        """As a loader does, before a start."""
        self.core.set_word(self.symbol("weft_image_epoch"), epoch)

    def take_mail(self) -> list[Message]:
        mail = super().take_mail() + self._given_back
        self._given_back = []
        return mail

    def post(self, message: Message) -> None:
        """As if the image had said it."""
        self._given_back.append(message)

    def _tables(self) -> Tables:
        at = self.core.word(self.symbol("weft_image_pe") + _PE_TABLES)
        return Tables(self.core.read(at, Tables.byte_count(self.core.read(at, 12))))

    def has_room(self, channel: int) -> bool:
        """Whether input ``channel`` can be fed."""
        slot = self._slot(channel, CHANNEL_IN)[1]
        return self._delivered(slot) - self._consumed(slot) < slot.depth

    def has_frame(self, channel: int) -> bool:
        """Whether output ``channel`` can be collected."""
        slot = self._slot(channel, CHANNEL_OUT)[1]
        arrivals = self.core.word(self._arrivals_at(slot, self._consumed(slot)))
        return arrivals >= slot.producer_count

    def feed(self, channel: int, frame: bytes) -> None:
        """Writes a frame into the slot of an input and announces it."""
        row, slot = self._slot(channel, CHANNEL_IN)
        assert self.has_room(channel)
        assert len(frame) == row.rows * row.row_bytes
        number = self._delivered(slot)
        for i, address in enumerate(self._row_addresses(row, slot, number)):
            self.core.write(address, frame[i * row.row_bytes : (i + 1) * row.row_bytes])
        self.core.set_word(self._delivered_at(slot), number + 1)
        self._add(self._arrivals_at(slot, number), 1)

    def collect(self, channel: int) -> bytes:
        """Reads the oldest frame in the slot of an output and gives its room back."""
        row, slot = self._slot(channel, CHANNEL_OUT)
        assert self.has_frame(channel)
        number = self._consumed(slot)
        rows = self._row_addresses(row, slot, number)
        frame = b"".join(self.core.read(at, row.row_bytes) for at in rows)
        self._add(self._arrivals_at(slot, number), -slot.producer_count)
        self.core.set_word(self._state_at(slot), number + 1)
        self._give_back(slot, number + 1)
        return frame

    def _give_back(self, slot: SlotRow, consumed: int) -> None:
        """Credit for every producer; those on other PEs get a message."""
        own = self.core.word(self.symbol("weft_image_pe") + _PE_NUMBER)
        epoch = self.core.word(self.symbol("weft_image_pe") + _PE_EPOCH)
        for row in self._tables().returns(slot):
            if row.pe == own:
                self.core.set_word(self._state_at(self._tables().send(row.send)), consumed)
            else:
                credit = Message(CREDIT, row.pe, epoch, (row.send, consumed, 0))
                self._given_back.append(credit)

    def _slot(self, channel: int, direction: int) -> tuple[ChannelRow, SlotRow]:
        tables = self._tables()
        row = tables.channel(channel)
        assert row.direction == direction
        return row, tables.slot(row.slot)

    def _row_addresses(self, row: ChannelRow, slot: SlotRow, frame: int) -> list[int]:
        room = self._arena() + slot.offset + frame % slot.depth * slot.frame_bytes
        return [room + row.offset + number * row.row_stride for number in range(row.rows)]

    def _arena(self) -> int:
        return self.core.word(self.symbol("weft_image_pe") + _PE_ARENA)

    # State words of a slot: consumed; arrivals for each frame's room; delivered by each producer.

    def _state_at(self, row: SlotRow | SendRow) -> int:
        return self.symbol("weft_image_state") + 4 * row.state

    def _consumed(self, slot: SlotRow) -> int:
        return self.core.word(self._state_at(slot))

    def _arrivals_at(self, slot: SlotRow, frame: int) -> int:
        return self._state_at(slot) + 4 * (1 + frame % slot.depth)

    def _delivered_at(self, slot: SlotRow) -> int:
        return self._state_at(slot) + 4 * (1 + slot.depth)

    def _delivered(self, slot: SlotRow) -> int:
        """By the first producer, which is the outside where it has a channel in."""
        return self.core.word(self._delivered_at(slot))

    def _add(self, address: int, amount: int) -> None:
        self.core.set_word(address, self.core.word(address) + amount)
