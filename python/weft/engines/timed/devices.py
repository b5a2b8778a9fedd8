# SPDX-License-Identifier: Apache-2.0
"""Devices under the clock: a job that has begun ends when its time has passed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from weft import _native
from weft.engines.timed.events import EventQueue, Rank
from weft.engines.timed.times import Times

#: As a stream gives it: (PE, device, sequence, label, whether it is done already).
BegunJob = tuple[int, int, int, int, bool]


@dataclass
class TimedDevice:
    """``busy`` is ticks; it is free ``free_at`` that tick."""

    pe: int
    name: str
    busy: int = 0
    free_at: int = 0


@dataclass(frozen=True)
class Span:
    """That a device had a job, or a PE's core a task, from tick to tick. ``device`` is empty for
    the core."""

    pe: int
    device: str
    label: str
    begin: int
    end: int


@dataclass
class Dram:
    """What all PEs copy from, one job after the other; ``held`` is ticks, it is free ``free_at``
    that tick."""

    held: int = 0
    free_at: int = 0

    def take(self, at: int, ticks: int) -> int:
        """When a job has its bytes that wants them from ``at`` on, and takes so many ticks."""
        self.held += ticks
        self.free_at = max(self.free_at, at) + ticks
        return self.free_at


class Devices:
    """Those of all PEs. ``ended`` is told a PE of which a job is over."""

    def __init__(
        self,
        times: Times,
        deadline: int,
        stream: _native.Stream,
        events: EventQueue,
        ended: Callable[[int], None],
    ) -> None:
        """``deadline`` of jobs that a device does not complete, in cycles of its PE."""
        self._times = times.devices
        self._cycles = times.cycles
        self._deadline = deadline
        self._stream = stream
        self._events = events
        self._ended = ended
        self.all = [
            [TimedDevice(pe, name) for name in of_pe.names]
            for pe, of_pe in enumerate(times.devices)
        ]
        self.dram = Dram()
        self.spans: list[Span] | None = None

    def begin(self, begun: Sequence[BegunJob]) -> None:
        """Jobs begin now, or when the one before is done. Those of devices that block are done, and
        a part of the task that has launched them."""
        for pe, number, sequence, label, is_done in begun:
            job, device = self._times[pe].jobs[label], self.all[pe][number]
            if is_done:
                device.busy += job.ticks
                continue
            at = max(self._events.now, device.free_at)
            device.free_at = at + job.ticks
            if job.dram_ticks:
                device.free_at = max(device.free_at, self.dram.take(at, job.dram_ticks))
            device.busy += device.free_at - at
            if self.spans is not None:
                self.spans.append(Span(pe, device.name, job.label, at, device.free_at))
            end = partial(self._end, pe, number, sequence)
            self._events.push(device.free_at, Rank.JOB, pe, end)

    def _end(self, pe: int, number: int, sequence: int) -> None:
        clock = self._events.now // self._cycles[pe] % (1 << 32)
        is_over = self._stream.end_job(pe, number, sequence, clock)
        self.begin(self._stream.take_jobs())
        if not is_over:  # the device does not complete it: when its deadline has passed, it fails
            late = self._events.now + (self._deadline + 1) * self._cycles[pe]
            self._events.push(late, Rank.JOB, pe, partial(self._ended, pe))
        self._ended(pe)
