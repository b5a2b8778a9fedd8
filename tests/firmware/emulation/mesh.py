# SPDX-License-Identifier: Apache-2.0
"""Frames through a network of PEs that are all machine code."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from emulation.pe import Pe
from weft.engines.cortex_m4.network import Network

End = tuple[int, int]  # PE, and number among its channels


class Mesh(Network):
    """PEs by number."""

    def __init__(self, pes: Mapping[int, Pe], order: Random | None = None) -> None:
        super().__init__(pes, order)
        self._pes = pes

    def stream(
        self, inputs: Sequence[End], outputs: Sequence[End], frames: Sequence[Sequence[bytes]]
    ) -> Iterator[list[bytes]]:
        """The outputs for every frame, in order; inputs are fed as early as there is room."""
        queues = [deque(frame[i] for frame in frames) for i in range(len(inputs))]
        for _ in frames:
            self._feed(inputs, queues)
            while not all(self._pes[pe].has_frame(number) for pe, number in outputs):
                assert self.next is not None, "a frame is missing and nothing moves"
                self.run()
                self._feed(inputs, queues)
            yield [self.collect(pe, number) for pe, number in outputs]

    def _feed(self, inputs: Sequence[End], queues: Sequence[deque[bytes]]) -> None:
        for (pe, number), queue in zip(inputs, queues, strict=True):
            while queue and self._pes[pe].has_room(number):
                self.feed(pe, number, queue.popleft())

    def feed(self, pe: int, number: int, frame: bytes) -> None:
        """Gives an input its next frame."""
        self._pes[pe].feed(number, frame)
        self.wake(pe)

    def collect(self, pe: int, number: int) -> bytes:
        """Takes the oldest frame from an output."""
        frame = self._pes[pe].collect(number)
        self.wake(pe)
        return frame
