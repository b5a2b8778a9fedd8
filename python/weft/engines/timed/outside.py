# SPDX-License-Identifier: Apache-2.0
"""The outside: it feeds frames as soon as there is room, and takes results as soon as they are
there, over links that take their time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from weft import _native
from weft.engines.session import Array
from weft.engines.timed.events import EventQueue, Rank
from weft.program import Program

_WRAP = 1 << 32


@dataclass
class End:
    """A channel. Counts are of frames: ``begun`` and ``ended`` on its link; ``seen``, those that
    the PE has consumed of an input, or has made of an output. ``arrays`` wait for the link, or for
    the caller to fetch them."""

    index: int
    pe: int
    channel: int
    is_input: bool
    depth: int
    ticks: int
    dtype: str
    shape: tuple[int, ...]
    arrays: deque[Array] = field(default_factory=deque)
    begun: int = 0
    ended: int = 0
    seen: int = 0

    @property
    def has_room(self) -> bool:
        """Whether one more frame may be fed."""
        return self.begun - self.seen < self.depth


@dataclass
class OutsideLink:
    """A link to the outside, which one frame of one channel has at a time; ``ends`` take turns.
    A channel whose link takes no time, or has no known rate, has one of its own, without name."""

    name: str | None
    ends: list[End] = field(default_factory=list)
    is_taken: bool = False
    turn: int = 0
    held: int = 0


class Outside:
    """Frames in, results out. ``begun_at`` and ``ended_at``: when the first input of each frame set
    out, and when the last of its results was there, in ticks."""

    def __init__(
        self,
        program: Program,
        links: Sequence[tuple[str | None, int]],
        stream: _native.Stream,
        events: EventQueue,
        tell: Callable[[End], None],
    ) -> None:
        """``tell`` is called when a frame was put into an input or taken from an output."""
        self._stream = stream
        self._events = events
        self._tell = tell
        rows = zip(program.manifest["channels"], links, strict=True)
        found = [_end(i, row, ticks, stream) for i, (row, (_, ticks)) in enumerate(rows)]
        self.inputs = [end for end in found if end.is_input]
        self.outputs = [end for end in found if not end.is_input]
        self._at: dict[int, list[End]] = {}
        by_name: dict[str, OutsideLink] = {}
        for end, (name, _) in zip(found, links, strict=True):
            self._at.setdefault(end.pe, []).append(end)
            own = f"channel {end.index}"
            by_name.setdefault(name or own, OutsideLink(name)).ends.append(end)
        self.links = list(by_name.values())
        self._link_of = {end.index: link for link in self.links for end in link.ends}
        self.wanted = 0
        self.begun_at: list[int] = []
        self.ended_at: list[int] = []

    # --- for the caller ---

    @property
    def wants_frame(self) -> bool:
        """Whether an input has room for a frame that the caller has not put. Without inputs, one
        frame at a time is under way."""
        if not self.inputs:
            return self.wanted == len(self.ended_at)
        return any(not end.arrays and end.has_room for end in self.inputs)

    @property
    def has_result(self) -> bool:
        return all(end.arrays for end in self.outputs)

    def put(self, arrays: Sequence[Array]) -> None:
        """One frame, an array for each input."""
        self.wanted += 1
        if not self.inputs:
            self.begun_at.append(self._events.now)
        for end, array in zip(self.inputs, arrays, strict=True):
            end.arrays.append(array)
        for link in self.links:
            self._start(link)

    def fetch(self) -> list[Array]:
        """The oldest result, an array for each output."""
        return [end.arrays.popleft() for end in self.outputs]

    def drop(self) -> bool:
        """Gives up frames that no input has begun with, and results; True if nothing is under way
        then. What one input has begun with, the others get."""
        for end in self.outputs:
            end.arrays.clear()
        ends = self.inputs or self.outputs
        self.wanted = max(end.begun for end in ends)
        for end in self.inputs:
            while end.begun + len(end.arrays) > self.wanted:
                end.arrays.pop()
        del self.begun_at[self.wanted :]
        return len(self.ended_at) == self.wanted

    # --- for the clock ---

    def look(self, pe: int) -> None:
        """Sees what a PE has consumed and made. Not while a task runs there: its step is done, and
        only its time is not."""
        for end in self._at.get(pe, ()):
            progress = self._stream.progress(end.pe, end.channel)
            end.seen += (progress - end.seen) % _WRAP
            self._start(self._link_of[end.index])

    def _start(self, link: OutsideLink) -> None:
        """Lets the next channel that can use the link have it."""
        if link.is_taken:
            return
        count = len(link.ends)
        for i in range(count):
            end = link.ends[(link.turn + i) % count]
            if self._can_begin(end):
                link.turn = (link.turn + i + 1) % count
                link.is_taken = True
                link.held += end.ticks
                end.begun += 1
                array = end.arrays.popleft() if end.is_input else np.empty(end.shape, end.dtype)
                if end.is_input and end.begun > len(self.begun_at):
                    self.begun_at.append(self._events.now)
                done = partial(self._finish, link, end, array)
                self._events.push(self._events.now + end.ticks, Rank.TRANSFER, end.index, done)
                return

    def _can_begin(self, end: End) -> bool:
        if end.is_input:
            return bool(end.arrays) and end.has_room
        return end.begun < min(end.seen, self.wanted)

    def _finish(self, link: OutsideLink, end: End, array: Array) -> None:
        """A frame has passed: now it is in the slot, or out of it."""
        link.is_taken = False
        end.ended += 1
        pass_on = self._stream.feed if end.is_input else self._stream.fetch
        if not pass_on(end.pe, end.channel, array):
            raise AssertionError("neither room nor frame, though there was before")
        if not end.is_input:
            end.arrays.append(array)
            if min(other.ended for other in self.outputs) > len(self.ended_at):
                self.ended_at.append(self._events.now)
        self._tell(end)
        self._start(link)


def _end(index: int, row: dict[str, Any], ticks: int, stream: _native.Stream) -> End:
    return End(
        index,
        row["pe"],
        row["number"],
        row["direction"] == "in",
        stream.depth(row["pe"], row["number"]),
        ticks,
        row["dtype"],
        tuple(row["shape"]),
    )
