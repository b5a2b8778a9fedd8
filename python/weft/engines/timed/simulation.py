# SPDX-License-Identifier: Apache-2.0
"""PEs, network and outside under one clock."""

from __future__ import annotations

from functools import partial

from weft import _native
from weft.engines.timed.devices import BegunJob, Devices, Span
from weft.engines.timed.events import EventQueue, Rank
from weft.engines.timed.network import Network
from weft.engines.timed.outside import End, Outside
from weft.engines.timed.pes import Cause, TimedPe
from weft.engines.timed.times import Times
from weft.program import Program

# weft_host_signal_kind_t
_ARRIVAL = 1
# What a PE's clock counts to.
_WRAP = 1 << 32

#: As a stream gives it: (kind, from, to, epoch, three arguments).
Signal = tuple[int, int, int, int, int, int, int]


class Simulation:
    """Steps a PE as soon as it can go on. What a step does it does when it starts, but for what it
    says: that, and the PE, are free again when the time of its task has passed. Nobody can tell:
    what it writes goes where nobody looks before it is announced."""

    def __init__(
        self,
        program: Program,
        times: Times,
        stream: _native.Stream,
        names: list[str],
        device_deadline: int,
    ) -> None:
        """``names`` of all PEs of the manifest; ``device_deadline`` in cycles of PEs."""
        self._stream = stream
        self.events = EventQueue()
        self.network = Network(self.events, times.network, times.nodes, names)
        self._signal_bytes = times.network.signal_bytes
        self.outside = Outside(program, times.links, stream, self.events, self._told)
        self.pes = {
            number: TimedPe(number, times.firings[number], times.cycles[number])
            for number in times.nodes
        }
        self._awake = set(self.pes)
        self.devices = Devices(
            times, device_deadline, stream, self.events, partial(self.wake, cause=Cause.DEVICE)
        )

    def turn(self) -> bool:
        """Lets everything happen that happens next; False if nothing is left to happen. PEs are
        stepped when nothing else happens at that time."""
        if self._awake and not self.events.is_due:
            awake, self._awake = sorted(self._awake), set()
            for number in awake:
                self._step(self.pes[number])
            return True
        if not self.events:
            return False
        self.events.run_instant()
        return True

    def wake(self, number: int, cause: Cause, under_way_since: int | None = None) -> None:
        """Something has happened to a PE that may let it go on: it came, or was made, between
        ``under_way_since`` and now."""
        now = self.events.now
        self.pes[number].wake(cause, now if under_way_since is None else under_way_since)
        self._awake.add(number)

    def _step(self, pe: TimedPe) -> None:
        if pe.is_busy:
            return
        now = self.events.now
        stepped = self._stream.step_task(pe.number, now // pe.cycle % _WRAP)
        said, begun = self._stream.take_signals(), self._stream.take_jobs()
        if stepped is None:
            self._send(said)  # before it failed
            self.devices.begin(begun)  # those that it found while it waited
            return
        shard, task, is_last = stepped
        pe.begin(now)
        ticks = pe.firings[shard].of_task(task, is_last)
        if self.devices.spans is not None:
            self.devices.spans.append(Span(pe.number, "", f"{shard}.{task}", now, now + ticks))
        end = partial(self._end_task, pe, said, begun)
        self.events.push(now + ticks, Rank.TASK, pe.number, end)

    def _end_task(self, pe: TimedPe, said: list[Signal], begun: list[BegunJob]) -> None:
        pe.end(self.events.now)
        self.devices.begin(begun)
        self._send(said)
        self.outside.look(pe.number)
        self._awake.add(pe.number)

    def _send(self, said: list[Signal]) -> None:
        """An arrival goes after the bytes that it announces, by the same way."""
        for signal in said:
            kind, source, target, _, first, second, _ = signal
            if kind == _ARRIVAL:
                size = self._stream.announced_bytes(target, first, second)
                if size:
                    self.network.send(source, target, size)
            arrive = partial(self._arrive, signal, self.events.now)
            self.network.send(source, target, self._signal_bytes, arrive)

    def _arrive(self, signal: Signal, sent: int) -> None:
        kind, _, target, epoch, *arguments = signal
        status = self._stream.deliver(kind, target, epoch, *arguments)
        if status:
            self._stream.fail(target, status)
        self.wake(target, Cause.INPUT if kind == _ARRIVAL else Cause.CREDIT, sent)
        if not self.pes[target].is_busy:
            self.outside.look(target)

    def _told(self, end: End) -> None:
        """A frame went in, or out, and what the PE gave back for that is on its way."""
        self._send(self._stream.take_signals())
        self.wake(end.pe, Cause.INPUT if end.is_input else Cause.CREDIT)
