# SPDX-License-Identifier: Apache-2.0
"""Messages between PEs, as in runtime/port/cortex_m/mail.h."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

WRITE, ARRIVAL, CREDIT, FAIL = range(4)
RING_MESSAGES, MESSAGE_WORDS = 8, 6


@dataclass(frozen=True)
class Message:
    """One message; ``data`` are the bytes of a write."""

    kind: int
    pe: int
    epoch: int
    arguments: tuple[int, int, int]
    data: bytes = b""


class Node(Protocol):
    """A PE in a mesh, however it is run."""

    def run(self, budget: int = ...) -> None:
        """Runs until it sleeps, or until ``budget`` is used up, which is an error."""

    def take_mail(self) -> list[Message]:
        """What it has said since, in order."""

    def offer(self, message: Message) -> bool:
        """Puts a message, no write, into its ring; False if that is full."""

    def write_arena(self, offset: int, data: bytes) -> None:
        """Writes to its arena, as another PE does."""

    def has_room(self, channel: int) -> bool:
        """Whether an input can be fed."""

    def feed(self, channel: int, frame: bytes) -> None:
        """Gives an input its next frame."""

    def has_frame(self, channel: int) -> bool:
        """Whether an output can be collected."""

    def collect(self, channel: int) -> bytes:
        """Takes the oldest frame from an output."""
