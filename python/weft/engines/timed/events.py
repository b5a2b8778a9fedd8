# SPDX-License-Identifier: Apache-2.0
"""The clock: what happens when, in ticks."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from enum import IntEnum


class Rank(IntEnum):
    """The order of what happens in one tick."""

    TASK = 0  # a task ends; numbered by PEs
    JOB = 1  # a device has done its job; numbered by PEs
    TRANSFER = 2  # a frame has passed a link to the outside; numbered by channels
    MESSAGE = 3  # a message is ready for its next link, or there; numbered as they set out


class EventQueue:
    """Nothing but whole numbers decides what comes first: time, rank, number. ``now`` is in
    ticks."""

    def __init__(self) -> None:
        self.now = 0
        self._heap: list[tuple[int, int, int, int, Callable[[], None]]] = []
        self._serial = 0  # two actions are never compared

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def is_due(self) -> bool:
        """Whether something happens now."""
        return bool(self._heap) and self._heap[0][0] == self.now

    def push(self, at: int, rank: Rank, number: int, action: Callable[[], None]) -> None:
        """``action`` is called at ``at``, which is not before ``now``."""
        self._serial += 1
        heapq.heappush(self._heap, (at, rank, number, self._serial, action))

    def run_instant(self) -> None:
        """Goes on to the next time at which something happens, and lets all of it happen."""
        self.now = self._heap[0][0]
        while self._heap and self._heap[0][0] == self.now:
            heapq.heappop(self._heap)[-1]()
