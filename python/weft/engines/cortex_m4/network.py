# SPDX-License-Identifier: Apache-2.0
"""What is between PEs: it carries messages, without time and without limits."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from random import Random

from weft.engines.cortex_m4.mail import BOX, FAIL, WRITE, Message, Node

# weft_status_t: what a PE is told whose message goes nowhere.
_E_ARGUMENT = 4


class Network:
    """PEs by number. Messages to one PE keep their order and wait while its ring is full.

    PEs run in the order in which something has happened to them, or in that of ``order``, which
    then also delays messages. ``writes`` and ``signals`` count what was carried.
    """

    def __init__(self, nodes: Mapping[int, Node], order: Random | None = None) -> None:
        self._nodes = nodes
        self._waiting: dict[int, deque[Message]] = {number: deque() for number in nodes}
        self._awake = dict.fromkeys(nodes)  # in order
        self._order = order
        self._choice: int | None = None
        self.writes = 0
        self.signals = 0

    @property
    def next(self) -> int | None:
        """The PE that runs next; None if all sleep."""
        if not self._awake:
            return None
        if self._choice not in self._awake:
            awake = list(self._awake)
            self._choice = self._order.choice(awake) if self._order else awake[0]
        return self._choice

    def wake(self, number: int) -> None:
        """Says that something has happened to a PE, and takes what it has said."""
        self._awake[number] = None
        self._carry(number)

    def run(self) -> None:
        """Until every PE sleeps and no message is under way."""
        while self.step() is not None:
            pass

    def step(self) -> int | None:
        """Runs one PE; its number, or None if all sleep. What the PE raises is passed on."""
        number = self.next
        if number is None:
            return None
        self._choice = None
        del self._awake[number]
        self._deliver(number)
        sleeps = self._nodes[number].run()
        self._carry(number)
        if self._waiting[number] or not sleeps:
            self._awake[number] = None
        return number

    def _carry(self, number: int) -> None:
        """Takes what a PE has posted: it may have waited for that."""
        for message in self._nodes[number].take_mail():
            self._awake[number] = None
            if not self._carry_one(message):
                self.send(Message(FAIL, number, message.epoch, (_E_ARGUMENT, 0, 0)))

    def _carry_one(self, message: Message) -> bool:
        if message.pe not in self._nodes:
            return False
        if message.kind not in (WRITE, BOX):
            self.send(message)
            return True
        self.writes += 1
        target = self._nodes[message.pe]
        return all(target.write_arena(offset, data) for offset, data in message.runs)

    def send(self, message: Message) -> None:
        """Puts a message on its way."""
        self.signals += 1
        self._waiting[message.pe].append(message)
        self._awake[message.pe] = None

    def _deliver(self, number: int) -> None:
        """As many as there is room for, or as ``order`` lets through."""
        waiting = self._waiting[number]
        most = self._order.randrange(3) if self._order else len(waiting)
        while waiting and most > 0 and self._nodes[number].offer(waiting[0]):
            waiting.popleft()
            most -= 1
