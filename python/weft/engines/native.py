# SPDX-License-Identifier: Apache-2.0
"""The ``native`` engine: PEs in this process, generated C compiled for this machine."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft import _native
from weft.engines.flow import StreamSession
from weft.engines.library import forget, host_library
from weft.engines.program_session import End
from weft.engines.waits import describe_waits
from weft.errors import EngineError, ProgramError, ToolchainError
from weft.program import Program

# A frame that takes longer than this has gone wrong: the largest networks take seconds.
FRAME_SECONDS = 600.0
# How long results from before a failure may take to come out.
SETTLE_SECONDS = 10.0

# What a job of a device may take at most, unless the caller says otherwise; ticks that a clock can
# tell.
DEVICE_SECONDS = 30
_MOST_TICKS = (1 << 31) - 1

_epochs = itertools.count(1)


def _load(path: Path) -> _native.Library:
    """Loads a library. One that cannot be is not kept: its compiler may have failed silently."""
    try:
        return _native.Library(str(path))
    except RuntimeError as error:
        forget(path)
        raise ToolchainError(
            f"the host library cannot be loaded ({error}); check the C compiler and try again"
        ) from None


def new_stream(
    program: Program,
    epoch: int | None = None,
    foreign: Mapping[int, tuple[memoryview, memoryview]] | None = None,
    *,
    has_clock: bool = False,
    device_deadline: int = DEVICE_SECONDS * 1_000_000,
) -> tuple[_native.Library, _native.Stream]:
    """The PEs of a program, ready to be stepped. ``foreign`` gives arena and counters of those, by
    number, that somebody else steps. With such, or if the caller ``has_clock``, there are no
    workers: the caller steps PEs and delivers what they say. ``device_deadline`` is what a job of a
    device may take at most, in microseconds or, with a clock, in cycles of its PE.

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
    stream = _native.Stream(
        library, next(_epochs) if epoch is None else epoch, min(device_deadline, _MOST_TICKS)
    )
    try:
        for number, pe in enumerate(program.manifest["pes"]):
            data = (
                numbers[pe["program"]] if pe["program"] is not None else 0,
                tables[pe["tables_at"] : pe["tables_at"] + pe["tables_bytes"]],
                constants[pe["constants_at"] : pe["constants_at"] + pe["constants_bytes"]],
            )
            if foreign is not None and number in foreign:
                stream.add_foreign(*data, *foreign[number])
            else:
                stream.add(*data)
    except (RuntimeError, IndexError, KeyError) as error:
        raise ProgramError(f"{program.folder} is damaged ({error}); compile it again") from None
    if has_clock:
        stream.step_by_clock()
    dram = dram_bytes(program)
    if dram is not None:
        stream.set_dram(dram)
    stream.connect()
    return library, stream


def dram_bytes(program: Program) -> bytes | None:
    """What a program has in DRAM; None if it has nothing there. Raises ``ProgramError``."""
    dram = program.manifest.get("dram")
    return None if dram is None else _data(program, dram["file"])


def _data(program: Program, name: str) -> bytes:
    """A file of the program, as it was written: damaged numbers would go anywhere in memory."""
    try:
        data = (program.folder / name).read_bytes()
    except OSError as error:
        raise ProgramError(f"{program.folder / name} cannot be read: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != program.manifest["files"].get(name):
        raise ProgramError(f"{program.folder / name} is damaged; compile it again")
    return data


class NativeSession(StreamSession):
    """The PEs of one program, stepped by threads or, for a single PE, by the caller."""

    def __init__(
        self,
        program: Program,
        threads: int | None = None,
        workers: _native.Workers | None = None,
        places: Sequence[str] | None = None,
        on_close: Callable[[NativeSession], None] | None = None,
        device_seconds: float | None = None,
    ) -> None:
        """``workers`` are shared with other sessions; without them the session has its own.
        ``places`` says where its PEs are, if not where the program was compiled for.
        ``device_seconds`` is what a job of a device may take at most, ``DEVICE_SECONDS`` if it is
        not given."""
        super().__init__(program, places)
        seconds = DEVICE_SECONDS if device_seconds is None else device_seconds
        self._device_deadline = max(1, round(seconds * 1_000_000))
        self.pes: tuple[Any, ...] = ()
        self._on_close = on_close
        if threads is None:
            threads = (os.cpu_count() or 1) if len(program.pes) > 1 else 0
        if threads < 0:
            raise EngineError(f"a session cannot have {threads} threads")
        self._workers = workers or _native.Workers(threads)
        self._open()

    def _open(self) -> None:
        self._library, stream = new_stream(self.program, device_deadline=self._device_deadline)
        self._stream = stream
        self._workers.attach(stream)
        self._in_place = False

    def reset(self) -> None:
        self._workers.detach(self._open_stream())
        super().reset()
        self._open()

    def _begin(self) -> int:
        self._in_place = False
        return super()._begin()

    def _wait(self, feeding: End | None, output: End | None) -> None:
        if feeding is None and output is None:
            return  # an input that was full has room by now
        stream = self._open_stream()
        in_time = self._workers.wait(stream, output, feeding, FRAME_SECONDS)
        self._open_stream()  # another thread may have closed it
        if not in_time:
            raise EngineError(
                f"frame {self._oldest(stream)} did not end within {FRAME_SECONDS:.0f} s: "
                + describe_waits(self._rows(), stream)
            )
        if output is not None and stream.room(*output) is None and stream.failure()[0] >= 0:
            stream.settle(SETTLE_SECONDS)  # what was computed before may be on its way yet
        if output is None or stream.room(*output) is None:
            self._check_failure(stream)

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
