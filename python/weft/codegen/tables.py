# SPDX-License-Identifier: Apache-2.0
"""The tables of one PE: rows as in runtime/include/weft/program.h, and their 32-bit words."""

from __future__ import annotations

import struct
from dataclasses import astuple, dataclass, field

MAGIC, VERSION = 0x54465457, 3
IN_SLOT, IN_CONSTANTS = 1 << 30, 1 << 31
SLOT_SHIFT = 22
MAX_SLOTS, MAX_SLOT_BYTES = 256, 1 << SLOT_SHIFT
# Behind it, a pointer word would name a slot.
MAX_ARENA_BYTES = IN_SLOT
_HEAD_WORDS = 24
LANE_WORDS = 3

#: The words of a row, and what they are for.
Row = tuple[tuple[int, ...], str]
Section = tuple[str, list[Row]]


@dataclass
class SlotRow:
    """Room for ``depth`` frames of a box. ``state`` is its first state word."""

    offset: int
    frame_bytes: int
    depth: int
    producer_count: int
    first_return: int = 0
    return_count: int = 0
    state: int = 0

    @property
    def state_words(self) -> int:
        """How many state words it takes."""
        return 1 + self.depth + self.producer_count


@dataclass
class ShardRow:
    """What fires together."""

    first_slot: int
    slot_count: int
    first_task: int
    task_count: int
    first_send: int
    send_count: int
    state: int = 0


@dataclass
class SendRow:
    """Runs of bytes from this PE into a slot of another, or of itself; offsets in bytes."""

    pe: int
    slot: int
    producer: int
    depth: int
    source: int
    target: int
    frame_bytes: int
    outer: int = 1
    inner: int = 1
    byte_count: int = 0
    source_outer: int = 0
    source_inner: int = 0
    target_outer: int = 0
    target_inner: int = 0
    state: int = 0


@dataclass(frozen=True)
class ReturnRow:
    """A send, on some PE, that gets the credit of a slot."""

    pe: int
    send: int


@dataclass(frozen=True)
class ChannelRow:
    """An end for the outside: ``direction`` is 0 for inputs, 1 for outputs."""

    direction: int
    slot: int
    offset: int
    rows: int
    row_bytes: int
    row_stride: int


@dataclass
class LaneRow:
    """Shards that share scratch memory, so that they never fire at the same time."""

    first_shard: int
    shard_count: int
    state: int = 0


@dataclass(frozen=True)
class Call:
    """One call: index of the kernel in its program, and its argument words. Launches and awaits
    have a ``device``, and a ``ticket``, counted from the PE's first."""

    kernel: int
    words: tuple[int, ...]
    comment: str = ""
    device: int = 0
    ticket: int | None = None


@dataclass
class PeTables:
    """All rows of one PE. ``tasks`` holds the calls of each, with a comment;
    ``tickets`` is how many state words calls name, from ``first_ticket`` on."""

    arena_bytes: int = 0
    constants_bytes: int = 0
    slots: list[SlotRow] = field(default_factory=list)
    shards: list[ShardRow] = field(default_factory=list)
    sends: list[SendRow] = field(default_factory=list)
    returns: list[ReturnRow] = field(default_factory=list)
    channels: list[ChannelRow] = field(default_factory=list)
    tasks: list[tuple[str, list[Call]]] = field(default_factory=list)
    lanes: list[LaneRow] = field(default_factory=list)
    tickets: int = 0

    @property
    def first_ticket(self) -> int:
        """The state word behind those of all rows, once there are all."""
        return self.assign_state() - self.tickets

    def assign_state(self) -> int:
        """Gives every row its state words; how many there are."""
        next_word = 0
        for slot in self.slots:
            slot.state = next_word
            next_word += slot.state_words
        for shard in self.shards:
            shard.state = next_word
            next_word += 1
        for send in self.sends:
            send.state = next_word
            next_word += 1
        for lane in self.lanes:
            lane.state = next_word
            next_word += LANE_WORDS
        return next_word + self.tickets

    def sections(self) -> list[Section]:
        """Rows with comments by section, in the order in which they are laid out."""
        tasks: list[Row] = []
        calls: list[Row] = []
        args: list[Row] = []
        arg_count = 0
        first_ticket = self.first_ticket
        for comment, made in self.tasks:
            tasks.append(((len(calls), len(made)), comment))
            for call in made:
                calls.append(((call.kernel, arg_count), call.comment))
                words = call.words
                if call.ticket is not None:
                    words = (*words, call.device, first_ticket + call.ticket)
                args.append((words, f"{comment}: {call.comment}"))
                arg_count += len(words)
        plain: list[Section] = [
            (name, [(astuple(row), "") for row in rows])
            for name, rows in (
                ("slots", self.slots),
                ("shards", self.shards),
                ("sends", self.sends),
                ("returns", self.returns),
                ("channels", self.channels),
            )
        ]
        lanes: list[Row] = [(astuple(lane), "") for lane in self.lanes]
        return [*plain, ("tasks", tasks), ("calls", calls), ("args", args), ("lanes", lanes)]

    def head(self, sections: list[Section]) -> list[int]:
        """The words before the sections."""
        state_words = self.assign_state()
        at = _HEAD_WORDS
        places: list[int] = []
        for name, rows in sections:
            words = sum(len(row) for row, _ in rows)
            places += [words if name == "args" else len(rows), at]
            at += words
        return [
            *(MAGIC, VERSION, at, self.arena_bytes, self.constants_bytes, state_words),
            *places,
        ]

    def words(self) -> list[int]:
        """The whole table set."""
        self.assign_state()
        sections = self.sections()
        return [*self.head(sections), *(w for _, rows in sections for row, _ in rows for w in row)]

    def to_bytes(self) -> bytes:
        """Little endian."""
        words = self.words()
        return struct.pack(f"<{len(words)}I", *(w & 0xFFFFFFFF for w in words))


def slot_word(slot: int, byte_offset: int) -> int:
    """A pointer word into the frame that a slot holds."""
    return IN_SLOT | slot << SLOT_SHIFT | byte_offset
