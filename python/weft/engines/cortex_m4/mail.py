# SPDX-License-Identifier: Apache-2.0
"""Messages between PEs, as in runtime/port/cortex_m/mail.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

WRITE, ARRIVAL, CREDIT, FAIL, BOX = range(5)
RING_MESSAGES, MESSAGE_WORDS = 8, 6


@dataclass(frozen=True)
class Message:
    """One message; ``runs`` are what a write or a box writes: offsets in the arena, and bytes."""

    kind: int
    pe: int
    epoch: int
    arguments: tuple[int, int, int]
    runs: tuple[tuple[int, bytes], ...] = ()


class Node(Protocol):
    """A PE in a network, however it is run."""

    def run(self) -> bool:
        """Runs for a while; True if it sleeps then, False if it would go on."""

    def take_mail(self) -> list[Message]:
        """What it has said since, in order."""

    def offer(self, message: Message) -> bool:
        """Puts a message, no write, into what comes in; False if that is full."""

    def write_arena(self, offset: int, data: bytes) -> bool:
        """Writes to its arena, as another PE does; False if the place is outside of it."""
