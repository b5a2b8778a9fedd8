# SPDX-License-Identifier: Apache-2.0
"""Frames in and out of a program's PEs, several under way at a time: the same for every engine."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from weft.engines.program_session import End, ProgramSession
from weft.engines.session import Array
from weft.program import Program


class StreamSession(ProgramSession):
    """Feeds and fetches the frames of a stream. What makes its PEs work is in ``_wait``."""

    def __init__(self, program: Program, places: Sequence[str] | None = None) -> None:
        super().__init__(program, places)
        self._unfed: deque[tuple[End, Array]] = deque()

    def _begin(self) -> int:
        """Drops what earlier calls left under way; the number of the call that begins.

        A call may have ended anywhere, at an interrupt from the keyboard: only the stream knows
        what went in and out. A frame that some inputs lack is made up with what lies there.
        """
        call = super()._begin()
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
                return call
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

    @abstractmethod
    def _wait(self, feeding: End | None, output: End | None) -> None:
        """Until the output has a frame or the input has room. Results that are there go out before
        a failure is told."""
