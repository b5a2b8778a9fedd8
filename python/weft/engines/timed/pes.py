# SPDX-License-Identifier: Apache-2.0
"""A PE under the clock: busy or not, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from weft.engines.timed.times import FiringTimes


class Cause(Enum):
    """What a PE waited for. ``NETWORK`` is the part of a wait during which the message that ended
    it was under way."""

    INPUT = "input"
    CREDIT = "credit"
    DEVICE = "device"
    NETWORK = "network"


@dataclass
class TimedPe:
    """``cycle`` is one of its clock, in ticks. ``busy`` and ``stalls`` are ticks up to ``since``,
    when the PE last became busy or idle. An idle PE that is woken remembers by what, ``woken_by``,
    and since when that was under way."""

    number: int
    firings: Sequence[FiringTimes]
    cycle: int
    is_busy: bool = False
    since: int = 0
    busy: int = 0
    stalls: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(Cause, 0))
    woken_by: Cause = Cause.INPUT
    under_way_since: int = 0

    def wake(self, cause: Cause, under_way_since: int) -> None:
        """Something has happened to it that may let it go on."""
        self.woken_by = cause
        self.under_way_since = under_way_since

    def begin(self, now: int) -> None:
        """It goes on: the wait, if there was one, was for what has woken it now."""
        under_way = now - max(self.since, self.under_way_since)
        self.stalls[Cause.NETWORK] += under_way
        self.stalls[self.woken_by] += now - self.since - under_way
        self.is_busy = True
        self.since = now

    def end(self, now: int) -> None:
        """Its task is done."""
        self.busy += now - self.since
        self.is_busy = False
        self.since = now

    def busy_until(self, now: int) -> int:
        """Ticks that it was busy, with the task that is not done."""
        return self.busy + (now - self.since if self.is_busy else 0)
