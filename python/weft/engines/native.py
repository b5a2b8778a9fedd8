# SPDX-License-Identifier: Apache-2.0
"""The ``native`` engine: PEs in this process, generated C compiled for this machine."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft import _native
from weft.engines.library import host_library
from weft.engines.session import Array, Frame, Session
from weft.engines.waits import describe_waits, stages_text
from weft.errors import EngineError, ProgramError, ToolchainError
from weft.program import Program

# A frame that takes longer than this has gone wrong: the largest networks take seconds.
FRAME_SECONDS = 600.0
# How long results from before a failure may take to come out.
SETTLE_SECONDS = 10.0
# weft_status_t of a PE that was ended from outside.
_STOPPED = 9

_epochs = itertools.count(1)

#: An end for the outside: PE, and number of the channel there.
End = tuple[int, int]


def _load(path: Path) -> _native.Library:
    """Loads a library. One that cannot be is not kept: its compiler may have failed silently."""
    try:
        return _native.Library(str(path))
    except RuntimeError as error:
        path.unlink(missing_ok=True)
        raise ToolchainError(
            f"the host library cannot be loaded ({error}); check the C compiler and try again"
        ) from None


def new_stream(program: Program) -> tuple[_native.Library, _native.Stream]:
    """The PEs of a program, ready to be stepped.

    Raises ``ToolchainError`` if the host library cannot be built, ``ProgramError`` if the folder
    is damaged.
    """
    library = _load(host_library(program))
    if library.runtime_hash != program.manifest["runtime_sha256"]:
        raise EngineError(
            f"{program.folder} holds another runtime than it was compiled with; compile it again"
        )
    tables = memoryview(_data(program, "tables.bin"))
    constants = memoryview(_data(program, "constants.bin"))
    numbers = {name: i for i, name in enumerate(library.program_names)}
    stream = _native.Stream(library, next(_epochs))
    try:
        for pe in program.manifest["pes"]:
            stream.add(
                numbers[pe["program"]] if pe["program"] is not None else 0,
                tables[pe["tables_at"] : pe["tables_at"] + pe["tables_bytes"]],
                constants[pe["constants_at"] : pe["constants_at"] + pe["constants_bytes"]],
            )
    except (RuntimeError, IndexError, KeyError) as error:
        raise ProgramError(f"{program.folder} is damaged ({error}); compile it again") from None
    stream.connect()
    return library, stream


def _data(program: Program, name: str) -> bytes:
    """A file of the program, as it was written: damaged numbers would go anywhere in memory."""
    try:
        data = (program.folder / name).read_bytes()
    except OSError as error:
        raise ProgramError(f"{program.folder / name} cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != program.manifest["files"].get(name):
        raise ProgramError(f"{program.folder / name} is damaged; compile it again")
    return data


class NativeSession(Session):
    """The PEs of one program, stepped by threads or, for a single PE, by the caller."""

    def __init__(
        self,
        program: Program,
        threads: int | None = None,
        workers: _native.Workers | None = None,
        places: Sequence[str] | None = None,
        on_close: Callable[[NativeSession], None] | None = None,
    ) -> None:
        """``workers`` are shared with other sessions; without them the session has its own.
        ``places`` says where its PEs are, if not where the program was compiled for."""
        super().__init__(program)
        self.pes: tuple[Any, ...] = ()
        self._places = list(places or [pe["name"] for pe in program.pes])
        self._on_close = on_close
        if threads is None:
            threads = (os.cpu_count() or 1) if len(program.pes) > 1 else 0
        if threads < 0:
            raise EngineError(f"a session cannot have {threads} threads")
        self._library, stream = new_stream(program)
        self._stream: _native.Stream | None = stream
        self._workers = workers or _native.Workers(threads)
        self._workers.attach(stream)
        ends = [(c["direction"], (c["pe"], c["number"])) for c in program.manifest["channels"]]
        self._inputs = [end for direction, end in ends if direction == "in"]
        self._outputs = [end for direction, end in ends if direction == "out"]
        self._in_place = False
        self._unfed: deque[tuple[End, Array]] = deque()
        self._call = 0

    @property
    def runtime_hash(self) -> str:
        """SHA-256 of the runtime sources in the loaded library."""
        return self._library.runtime_hash

    def _open_stream(self) -> _native.Stream:
        if self._stream is None:
            raise EngineError("the session is closed; open the program again")
        return self._stream

    # --- frames in and out ---

    def _begin(self) -> int:
        """Drops what earlier calls left under way; the number of the call that begins.

        A call may have ended anywhere, at an interrupt from the keyboard: only the stream knows
        what went in and out. A frame that some inputs lack is made up with what lies there.
        """
        self._call += 1
        self._in_place = False
        self._unfed.clear()
        stream = self._open_stream()
        frames = max(stream.passed(*end) for end in (*self._inputs, *self._outputs))
        while True:
            for end in self._outputs:
                while stream.passed(*end) < frames and stream.release(*end):
                    pass
            for end in self._inputs:
                while stream.passed(*end) < frames and stream.publish(*end):
                    pass
            unfed = [end for end in self._inputs if stream.passed(*end) < frames]
            missing = [end for end in self._outputs if stream.passed(*end) < frames]
            if not unfed and not missing:
                return self._call
            self._wait(unfed[0] if unfed else None, missing[0] if missing else None)

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        self._begin()
        self._put(inputs)
        while not self._feed():
            self._wait(self._unfed[0][0], None)
        return self._fetch()

    def _stream_checked(self, frames: Iterable[Sequence[Array]]) -> Iterator[list[Array]]:
        """Feeds as long as there is room, so that as many frames are under way as slots allow."""
        call = self._begin()
        source = iter(frames)
        is_over = False
        under_way = 0
        while True:
            while not is_over and self._feed() and self._has_room(under_way):
                frame = next(source, None)
                self._check_call(call)  # the source itself may have used the session
                if frame is None:
                    is_over = True
                else:
                    self._put(frame)
                    under_way += 1
            output = self._outputs[0] if under_way else None
            if output is None and is_over:
                return
            if self._unfed:
                self._wait(self._unfed[0][0], output)
            else:
                self._wait(None if is_over else self._full_input(), output)
            if output is not None and self._open_stream().room(*output) is not None:
                under_way -= 1
                yield self._fetch()
                self._check_call(call)

    def _check_call(self, call: int) -> None:
        if self._call != call:
            raise EngineError("another call on this session has ended the stream")

    def _put(self, inputs: Sequence[Array]) -> None:
        self._unfed.extend(zip(self._inputs, inputs, strict=True))

    def _feed(self) -> bool:
        """Feeds what there is room for; True if nothing is left."""
        stream = self._open_stream()
        while self._unfed:
            end, array = self._unfed[0]
            if not stream.feed(*end, array):
                return False
            self._unfed.popleft()
        return True

    def _full_input(self) -> End | None:
        """An input that has no room for a frame; None if all have."""
        stream = self._open_stream()
        return next((end for end in self._inputs if stream.room(*end) is None), None)

    def _has_room(self, under_way: int) -> bool:
        """For one more frame. Without inputs, one frame at a time is under way."""
        if not self._inputs:
            return under_way == 0
        return self._full_input() is None

    def _fetch(self) -> list[Array]:
        results = []
        for end, info in zip(self._outputs, self.program.outputs, strict=True):
            result = np.empty(info.shape, info.dtype)
            while not self._open_stream().fetch(*end, result):
                self._wait(None, end)
            results.append(result)
        return results

    def _wait(self, feeding: End | None, output: End | None) -> None:
        """Until the output has a frame or the input has room. Results that are there go out before
        a failure is told."""
        if feeding is None and output is None:
            return  # an input that was full has room by now
        stream = self._open_stream()
        in_time = self._workers.wait(stream, output, feeding, FRAME_SECONDS)
        self._open_stream()  # another thread may have closed it
        if not in_time:
            frame = min(stream.passed(*end) for end in self._outputs)
            raise EngineError(
                f"frame {frame} did not end within {FRAME_SECONDS:.0f} s: "
                + describe_waits(self._rows(), stream)
            )
        if output is not None and stream.room(*output) is None and stream.failure()[0] >= 0:
            stream.settle(SETTLE_SECONDS)  # what was computed before may be on its way yet
        if output is None or stream.room(*output) is None:
            self._check_failure(stream)

    def _check_failure(self, stream: _native.Stream) -> None:
        pe, status, shard, task, frame = stream.failure()
        if pe < 0:
            return
        row = self._rows()[pe]
        tasks = row["shards"][shard] if shard < len(row["shards"]) else []
        raise EngineError(
            f"frame {frame}: PE {row['name']} ({stages_text(tasks[task : task + 1] or tasks)}): "
            f"{self._library.status_string(status)}"
        )

    def _rows(self) -> list[dict[str, Any]]:
        """The manifest's rows of all PEs, named by where they are."""
        names = iter(self._places)
        return [
            row if row["program"] is None else {**row, "name": next(names)}
            for row in self.program.manifest["pes"]
        ]

    # --- in place ---

    def slots(self) -> tuple[list[np.ndarray[tuple[int, int], np.dtype[np.uint8]]], list[Any]]:
        """Where the next frame of every input goes, and where the last one of every output is after
        ``run_in_place`` (None before): views of (rows, bytes a row) of the PE's own memory, not
        copies. Slots hold several frames in turn: ask again for every frame."""
        stream = self._open_stream()
        inputs = [stream.room(*end) for end in self._inputs]
        fed = {stream.passed(*end) for end in self._inputs}
        if len(fed) > 1 or any(room is None for room in inputs):
            raise EngineError("an input is still in use by an earlier frame; run one first")
        return [room for room in inputs if room is not None], [
            stream.room(*end) if self._in_place else None for end in self._outputs
        ]

    def run_in_place(self) -> None:
        """Runs the frame that lies in the input slots; results are then in the output slots,
        which are the caller's until the next call."""
        self._begin()
        stream = self._open_stream()
        for end in self._inputs:
            if not stream.publish(*end):
                raise AssertionError("no room, though no frame is under way")
        for end in self._outputs:
            while stream.room(*end) is None:
                self._wait(None, end)
        self._in_place = True

    # --- the end ---

    def stop_pe(self, number: int) -> None:
        """Ends the work of one PE, as a fault of its hardware would: for tests of what happens
        then. ``number`` is its row in the manifest's ``pes``."""
        self._open_stream().fail(number, _STOPPED)

    def close(self) -> None:
        """Frees the PEs' memory."""
        if self._stream is not None:
            self._workers.detach(self._stream)
            self._stream = None
            if self._on_close is not None:
                self._on_close(self)

    def __del__(self) -> None:
        if getattr(self, "_stream", None) is not None:
            self.close()


__all__ = ["FRAME_SECONDS", "Frame", "NativeSession", "new_stream"]
