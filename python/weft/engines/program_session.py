# SPDX-License-Identifier: Apache-2.0
"""An open program whose PEs are a stream of this process: what is common to all engines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from weft import _native
from weft.engines.session import Session
from weft.engines.waits import stages_text
from weft.errors import EngineError
from weft.program import Program

#: An end for the outside: PE, and number of the channel there.
End = tuple[int, int]

# weft_status_t of a PE that was ended from outside.
_STOPPED = 9


class ProgramSession(Session):
    """Knows the stream, its ends, and how to tell of failures."""

    _library: _native.Library
    _stream: _native.Stream | None

    def __init__(self, program: Program, places: Sequence[str] | None = None) -> None:
        super().__init__(program)
        self._places = list(places or [pe["name"] for pe in program.pes])
        ends = [(c["direction"], (c["pe"], c["number"])) for c in program.manifest["channels"]]
        self._inputs = [end for direction, end in ends if direction == "in"]
        self._outputs = [end for direction, end in ends if direction == "out"]
        self._call = 0
        self._failure = ""

    @property
    def runtime_hash(self) -> str:
        """SHA-256 of the runtime sources in the loaded library."""
        return self._library.runtime_hash

    def stop_pe(self, number: int) -> None:
        """Ends the work of one PE, as a fault of its hardware would: for tests of what happens
        then. ``number`` is its row in the manifest's ``pes``."""
        self._open_stream().fail(number, _STOPPED)

    def reset(self) -> None:
        self._call += 1
        self._failure = ""

    def _open_stream(self) -> _native.Stream:
        if self._stream is None:
            raise EngineError("the session is closed; open the program again")
        return self._stream

    def _begin(self) -> int:
        """The number of the call that begins."""
        self._call += 1
        return self._call

    def _check_call(self, call: int) -> None:
        if self._call != call:
            raise EngineError("another call on this session has ended the stream")

    @contextmanager
    def _keeping_interrupts(self) -> Iterator[None]:
        """Of the keyboard, perhaps: where work and messages are is not known any more."""
        try:
            yield
        except EngineError:
            raise
        except BaseException:
            self._failure = "the session was interrupted in its work; open the program again"
            raise

    def _oldest(self, stream: _native.Stream) -> int:
        """The number of the frame that comes out next."""
        return min(stream.passed(*end) for end in self._outputs)

    def _check_failure(self, stream: _native.Stream) -> None:
        pe, status, shard, task, frame = stream.failure()
        if pe < 0:
            return
        row = self._rows()[pe]
        tasks = row["shards"][shard] if shard < len(row["shards"]) else []
        raise EngineError(
            f"frame {frame}: PE {row['name']} ({stages_text(tasks[task : task + 1] or tasks)}): "
            f"{self._failed_job(stream, pe, status) or self._library.status_string(status)}"
        )

    def _failed_job(self, stream: _native.Stream, pe: int, status: int) -> str:
        """The device and the job that made a PE fail; empty if none did."""
        row = self.program.manifest["pes"][pe]
        jobs = {
            job["number"]: job["label"]
            for shard in row["shards"]
            for task in shard
            for job in task.get("jobs", ())
        }
        for device, (failed, label, _) in zip(
            row.get("devices", ()), stream.device_errors(pe), strict=False
        ):
            if failed == status:
                what = jobs.get(label, f"number {label}")
                reason = self._library.status_string(status)
                return f"device {device['name']}, job {what}: {reason}"
        return ""

    def _rows(self) -> list[dict[str, Any]]:
        """The manifest's rows of all PEs, named by where they are."""
        names = iter(self._places)
        return [
            row if row["program"] is None else {**row, "name": next(names)}
            for row in self.program.manifest["pes"]
        ]
