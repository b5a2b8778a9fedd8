# SPDX-License-Identifier: Apache-2.0
"""A mesh of PEs with nothing but messages between them; the network has no time and no limits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from random import Random

from emulation.mail import WRITE, Message, Node

End = tuple[int, int]  # PE, and number among its channels


class Mesh:
    """PEs by number. Messages to one PE keep their order and wait while its ring is full.

    PEs run in the order in which something has happened to them, or in that of ``order``, which
    then also delays messages.
    """

    def __init__(
        self, pes: Mapping[int, Node], budget: int = 200_000_000, order: Random | None = None
    ) -> None:
        self._pes = pes
        self._budget = budget
        self._waiting: dict[int, deque[Message]] = {number: deque() for number in pes}
        self._awake = dict.fromkeys(pes)  # in order
        self._order = order
        self.writes = 0
        self.signals = 0

    def run(self) -> None:
        """Until every PE sleeps and no message is under way."""
        while self._awake:
            number = self._next()
            del self._awake[number]
            self._deliver(number)
            self._pes[number].run(self._budget)
            self._carry(number)
            if self._waiting[number]:
                self._awake[number] = None

    def _next(self) -> int:
        awake = list(self._awake)
        return self._order.choice(awake) if self._order else awake[0]

    def _carry(self, number: int) -> None:
        """Takes what a PE has posted: it may have waited for that."""
        for message in self._pes[number].take_mail():
            self._awake[number] = None
            if message.kind == WRITE:
                self.writes += 1
                self._pes[message.pe].write_arena(message.arguments[0], message.data)
            else:
                self.send(message)

    def send(self, message: Message) -> None:
        """Puts a message on its way."""
        self.signals += 1
        self._waiting[message.pe].append(message)
        self._awake[message.pe] = None

    def _deliver(self, number: int) -> None:
        """As many as there is room for, or as ``order`` lets through."""
        waiting = self._waiting[number]
        most = self._order.randrange(3) if self._order else len(waiting)
        while waiting and most > 0 and self._pes[number].offer(waiting[0]):
            waiting.popleft()
            most -= 1

    def stream(
        self, inputs: Sequence[End], outputs: Sequence[End], frames: Sequence[Sequence[bytes]]
    ) -> Iterator[list[bytes]]:
        """The outputs for every frame, in order; inputs are fed as early as there is room."""
        queues = [deque(frame[i] for frame in frames) for i in range(len(inputs))]
        for _ in frames:
            self._feed(inputs, queues)
            while not all(self._pes[pe].has_frame(number) for pe, number in outputs):
                assert self._awake, "a frame is missing and nothing moves"
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
        self._awake[pe] = None

    def collect(self, pe: int, number: int) -> bytes:
        """Takes the oldest frame from an output."""
        frame = self._pes[pe].collect(number)
        self._carry(pe)
        self._awake[pe] = None
        return frame
