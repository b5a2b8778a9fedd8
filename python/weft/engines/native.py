# SPDX-License-Identifier: Apache-2.0
"""The ``native`` engine: PEs in this process, generated C compiled for this machine."""

from __future__ import annotations

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
# weft_status_t of a PE that was ended from outside.
_STOPPED = 9

_epochs = itertools.count(1)


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
    tables = memoryview((program.folder / "tables.bin").read_bytes())
    constants = memoryview((program.folder / "constants.bin").read_bytes())
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
        self._fed = self._fetched = 0

    @property
    def runtime_hash(self) -> str:
        """SHA-256 of the runtime sources in the loaded library."""
        return self._library.runtime_hash

    def _open_stream(self) -> _native.Stream:
        if self._stream is None:
            raise EngineError("the session is closed; open the program again")
        return self._stream

    # --- frames in and out ---

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        self._drop_outputs()
        feed = deque(zip(self._inputs, inputs, strict=True))
        while not self._feed(feed):
            self._wait(feed[0][0])
        return self._fetch()

    def _stream_checked(self, frames: Iterable[Sequence[Array]]) -> Iterator[list[Array]]:
        """Feeds as long as there is room, so that as many frames are under way as slots allow."""
        self._drop_outputs()
        source = iter(frames)
        feed: deque[tuple[tuple[int, int], Array]] = deque()
        is_over = False
        begun = self._fed
        while True:
            while not is_over and self._feed(feed):
                frame = next(source, None)
                if frame is None:
                    is_over = True
                else:
                    begun += 1
                    feed.extend(zip(self._inputs, frame, strict=True))
            if is_over and self._fetched == begun:
                return
            self._wait(feed[0][0] if feed else None)
            if self._has_output():
                yield self._fetch()

    def _feed(self, feed: deque[tuple[tuple[int, int], Array]]) -> bool:
        """Feeds what there is room for; True if nothing is left."""
        stream = self._open_stream()
        while feed:
            end, array = feed[0]
            if not stream.feed(*end, array):
                return False
            feed.popleft()
            if not feed:
                self._fed += 1
        return True

    def _has_output(self) -> bool:
        return self._open_stream().room(*self._outputs[0]) is not None

    def _fetch(self) -> list[Array]:
        stream = self._open_stream()
        results = []
        for end, info in zip(self._outputs, self.program.outputs, strict=True):
            result = np.empty(info.shape, info.dtype)
            while not stream.fetch(*end, result):
                self._wait(None, end)
            results.append(result)
        self._fetched += 1
        return results

    def _wait(self, feeding: tuple[int, int] | None, output: tuple[int, int] | None = None) -> None:
        """Until the output has a frame or the input has room."""
        stream = self._open_stream()
        if not self._workers.wait(stream, output or self._outputs[0], feeding, FRAME_SECONDS):
            raise EngineError(
                f"frame {self._fetched} did not end within {FRAME_SECONDS:.0f} s: "
                + describe_waits(self._rows(), stream)
            )
        self._check_failure(stream)

    def _check_failure(self, stream: _native.Stream) -> None:
        pe, status = stream.failure()
        if pe < 0:
            return
        row = self._rows()[pe]
        tasks = [task for shard in row["shards"] for task in shard]
        raise EngineError(
            f"frame {self._fetched}: PE {row['name']} ({stages_text(tasks)}): "
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

    def _drop_outputs(self) -> None:
        """Gives back what a run in place left in the output slots."""
        if self._in_place:
            stream = self._open_stream()
            for end in self._outputs:
                stream.release(*end)
            self._fetched += 1
            self._in_place = False

    def slots(self) -> tuple[list[np.ndarray[tuple[int, int], np.dtype[np.uint8]]], list[Any]]:
        """Where the next frame of every input goes, and where the last one of every output is after
        ``run_in_place`` (None before): views of (rows, bytes a row) of the PE's own memory, not
        copies. Slots hold several frames in turn: ask again for every frame."""
        stream = self._open_stream()
        inputs = [stream.room(*end) for end in self._inputs]
        if any(room is None for room in inputs):
            raise EngineError("an input is still in use by an earlier frame")
        return [room for room in inputs if room is not None], [
            stream.room(*end) if self._in_place else None for end in self._outputs
        ]

    def run_in_place(self) -> None:
        """Runs the frame that lies in the input slots; results are then in the output slots,
        which are the caller's until the next call."""
        stream = self._open_stream()
        self._drop_outputs()
        for end in self._inputs:
            stream.publish(*end)
        self._fed += 1
        for end in self._outputs:
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
