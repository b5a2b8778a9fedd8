# SPDX-License-Identifier: Apache-2.0
"""Rows out of the tables of a PE, given as bytes."""

from __future__ import annotations

import struct

from weft.codegen.tables import ChannelRow, ReturnRow, SendRow, SlotRow

_SECTIONS = ("slots", "shards", "sends", "returns", "channels", "tasks", "calls", "args")
HEAD_BYTES = 4 * (6 + 2 * len(_SECTIONS))


class Tables:
    """Reads single rows, little endian."""

    def __init__(self, data: bytes) -> None:
        self._words = struct.unpack(f"<{len(data) // 4}I", data)
        self.arena_bytes, _, self.state_words = self._words[3:6]

    @staticmethod
    def byte_count(head: bytes) -> int:
        """Of all tables whose first bytes these are."""
        return 4 * int(struct.unpack_from("<I", head, 8)[0])

    def _row(self, section: str, index: int, words: int) -> tuple[int, ...]:
        place = 6 + 2 * _SECTIONS.index(section)
        count, at = self._words[place : place + 2]
        assert index < count, f"there is no row {index} in {section}"
        return self._words[at + index * words : at + (index + 1) * words]

    def slot(self, index: int) -> SlotRow:
        return SlotRow(*self._row("slots", index, 7))

    def send(self, index: int) -> SendRow:
        return SendRow(*self._row("sends", index, 15))

    def returns(self, slot: SlotRow) -> list[ReturnRow]:
        rows = range(slot.first_return, slot.first_return + slot.return_count)
        return [ReturnRow(*self._row("returns", row, 2)) for row in rows]

    def channel(self, index: int) -> ChannelRow:
        return ChannelRow(*self._row("channels", index, 6))
