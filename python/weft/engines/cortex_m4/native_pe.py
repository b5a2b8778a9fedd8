# SPDX-License-Identifier: Apache-2.0
"""A PE that is native code, beside PEs that are machine code: the host's, or any other."""

from __future__ import annotations

from weft import _native
from weft.engines.cortex_m4.mail import FAIL, Message


class NativePe:
    """PE ``number`` of a stream with foreign PEs. What it writes is there at once; what it signals
    waits in the stream for ``take_mail``, as do the signals of the outside."""

    def __init__(self, stream: _native.Stream, number: int) -> None:
        self._stream = stream
        self._number = number

    def run(self) -> bool:
        """Steps until it is idle or has failed, which the stream keeps."""
        while self._stream.step(self._number):
            pass
        return True

    def take_mail(self) -> list[Message]:
        """What was signalled since."""
        return take_signals(self._stream)

    def offer(self, message: Message) -> bool:
        """Delivers at once. A message that makes no sense ends this PE, as it would an image."""
        status = message.arguments[0]
        if message.kind != FAIL:
            status = self._stream.deliver(
                message.kind, self._number, message.epoch, *message.arguments
            )
        if status:
            self._stream.fail(self._number, status)
        return True

    def write_arena(self, offset: int, data: bytes) -> bool:
        """As another PE writes; False if the bytes would not lie in the arena."""
        return self._stream.write(self._number, offset, data)


def take_signals(stream: _native.Stream) -> list[Message]:
    """What native PEs and the outside have signalled: kinds are those of mail."""
    return [
        Message(kind, to, epoch, (first, second, third))
        for kind, _, to, epoch, first, second, third in stream.take_signals()
    ]
