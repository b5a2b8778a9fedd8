# SPDX-License-Identifier: Apache-2.0
"""The ``timed`` engine: PEs in this process, one after the other, in the order of a clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from weft.engines.native import DEVICE_SECONDS, new_stream
from weft.engines.program_session import ProgramSession
from weft.engines.session import Array
from weft.engines.timed.devices import Span
from weft.engines.timed.figures import figures
from weft.engines.timed.pes import Cause
from weft.engines.timed.simulation import Simulation
from weft.engines.timed.times import read_times
from weft.engines.waits import describe_waits
from weft.errors import EngineError
from weft.program import Program

# A frame that takes longer than this, of the caller's time, has gone wrong.
FRAME_SECONDS = 600.0


class TimedSession(ProgramSession):
    """A program under the clock. It stands still while the caller has what it waits for: frames are
    fed, and results taken, in no time."""

    def __init__(self, program: Program, device_seconds: float | None = None) -> None:
        """``device_seconds``, of the machine's time, is what a job of a device may take at most."""
        super().__init__(program)
        self._device_seconds = DEVICE_SECONDS if device_seconds is None else device_seconds
        self._figures: dict[str, Any] = {}
        self._open()

    def _open(self) -> None:
        program = self.program
        times = read_times(program)
        self._tick_hz = times.tick_hz
        most = (1 << 31) - 1  # that a clock can tell
        deadline = min(
            most, max(1, round(self._device_seconds * times.tick_hz / min(times.cycles)))
        )
        self._library, stream = new_stream(program, has_clock=True, device_deadline=deadline)
        self._stream = stream
        names = [
            f"PE {row['name']}" if row["program"] is not None else row["name"]
            for row in program.manifest["pes"]
        ]
        self._simulation: Simulation | None = Simulation(program, times, stream, names, deadline)
        self._outside = self._simulation.outside

    def reset(self) -> None:
        self._open_stream()
        super().reset()
        self._open()

    @property
    def figures(self) -> dict[str, Any]:
        """What the clock has measured since the session was opened: docs/command-line.md."""
        if self._simulation is None:
            return self._figures
        names = {
            number: row["name"]
            for number, row in enumerate(self.program.manifest["pes"])
            if row["program"] is not None
        }
        return figures(self._simulation, names, self._tick_hz, self.program.predicted_fps)

    def record(self) -> None:
        """Begins to keep ``spans``; what was kept before is forgotten."""
        assert self._simulation is not None
        self._simulation.devices.spans = []

    @property
    def spans(self) -> list[Span]:
        """When cores and devices were busy with what, since ``record``: in ticks, ``tick_hz`` of
        them a second."""
        assert self._simulation is not None
        return list(self._simulation.devices.spans or ())

    @property
    def tick_hz(self) -> int:
        """Ticks of the clock a second."""
        return self._tick_hz

    def _begin(self) -> int:
        """Ends what earlier calls left under way; the number of the call that begins."""
        call = super()._begin()
        self._run_until(self._outside.drop)
        return call

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        self._begin()
        self._outside.put(inputs)
        self._run_until(lambda: self._outside.has_result)
        return self._outside.fetch()

    def _stream_checked(self, frames: Iterable[Sequence[Array]]) -> Iterator[list[Array]]:
        call = self._begin()
        source = iter(frames)
        outside = self._outside
        under_way, is_over = 0, False

        def has_result() -> bool:
            return outside.has_result

        def has_news() -> bool:
            return outside.has_result or outside.wants_frame

        while True:
            while not is_over and outside.wants_frame:
                frame = next(source, None)
                self._check_call(call)  # the source itself may have used the session
                if frame is None:
                    is_over = True
                else:
                    outside.put(frame)
                    under_way += 1
            if is_over and under_way == 0:
                return
            self._run_until(has_result if is_over else has_news)
            if outside.has_result:
                under_way -= 1
                yield outside.fetch()
                self._check_call(call)

    def _run_until(self, is_enough: Callable[[], bool]) -> None:
        stream = self._open_stream()
        if self._failure:
            raise EngineError(self._failure)
        deadline = time.monotonic() + FRAME_SECONDS
        simulation = self._simulation
        assert simulation is not None
        with self._keeping_interrupts():
            while not is_enough():
                if not simulation.turn():
                    self._check_failure(stream)
                    raise EngineError(
                        f"frame {self._oldest(stream)} does not end: "
                        + describe_waits(self._rows(), stream)
                    )
                if time.monotonic() > deadline:
                    raise EngineError(
                        f"frame {self._oldest(stream)} did not end within {FRAME_SECONDS:.0f} s: "
                        + describe_waits(self._rows(), stream)
                    )

    def stop_pe(self, number: int) -> None:
        """Ends the work of one PE, as a fault of its hardware would: for tests of what happens
        then. ``number`` is its row in the manifest's ``pes``."""
        super().stop_pe(number)
        assert self._simulation is not None
        self._simulation.wake(number, Cause.INPUT)

    def close(self) -> None:
        """Frees the PEs' memory. What was measured stays."""
        self._figures = self.figures
        self._stream = None
        self._simulation = None
