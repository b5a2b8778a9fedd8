# SPDX-License-Identifier: Apache-2.0
"""The remote protocol of GDB, as far as an emulator with one core needs it. Every answer has a
deadline. See "GDB Remote Serial Protocol" in GDB's manual.
"""

from __future__ import annotations

import contextlib
import socket

from weft.engines.cortex_m4.image_memory import CoreError

_ANSWER_SECONDS = 60.0
# Of hexadecimal digits, below the 4096 bytes that stubs take.
_PIECE = 1920
_INTERRUPT = b"\x03"


class GdbError(CoreError):
    """The emulator does not answer, or refuses."""


class Gdb:
    """A connection to a core that stands still until it is told to go on."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._rest = b""
        self._socket.settimeout(_ANSWER_SECONDS)
        self._ask("QStartNoAckMode")
        self._socket.sendall(b"+")
        # Whoever has read this may name single registers.
        self._ask("qXfer:features:read:target.xml:0,fff")

    def read(self, address: int, size: int) -> bytes:
        """Memory of the core."""
        data = b""
        while len(data) < size:
            count = min(_PIECE, size - len(data))
            answer = self._ask(f"m{address + len(data):x},{count:x}")
            data += _bytes(answer, count)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Memory of the core."""
        for at in range(0, len(data), _PIECE):
            piece = data[at : at + _PIECE]
            self._expect_ok(f"M{address + at:x},{len(piece):x}:{piece.hex()}")

    def register(self, number: int) -> int:
        """A register of 32 bits: 0 to 15, and 25 for xPSR."""
        return int.from_bytes(_bytes(self._ask(f"p{number:x}"), 4), "little")

    def set_register(self, number: int, value: int) -> None:
        """A register of 32 bits."""
        self._expect_ok(f"P{number:x}={value.to_bytes(4, 'little').hex()}")

    def stop_at(self, address: int) -> None:
        """Sets a breakpoint, of those that are no instruction in memory."""
        self._expect_ok(f"Z1,{address:x},2")

    def go_on(self, seconds: float) -> None:
        """Lets the core run until it comes to a breakpoint, or for this time."""
        self._send("c")
        self._socket.settimeout(seconds)
        try:
            self._receive()
            return
        except TimeoutError:
            pass
        finally:
            self._socket.settimeout(_ANSWER_SECONDS)
        self._socket.sendall(_INTERRUPT)
        try:
            self._receive()
        except TimeoutError:
            raise GdbError(f"the emulator did not stop in {_ANSWER_SECONDS:.0f} s") from None

    def close(self) -> None:
        """Leaves the emulator as it is."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _expect_ok(self, text: str) -> None:
        answer = self._ask(text)
        if answer != "OK":
            raise GdbError(f"the emulator answers {answer!r} to {text[:40]}")

    def _ask(self, text: str) -> str:
        self._send(text)
        try:
            return self._receive()
        except TimeoutError:
            raise GdbError(
                f"the emulator did not answer {text[:40]} in {_ANSWER_SECONDS:.0f} s"
            ) from None

    def _send(self, text: str) -> None:
        data = text.encode("ascii")
        try:
            self._socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xFF))
        except OSError as error:
            raise GdbError(f"the emulator is gone ({error.strerror})") from error

    def _receive(self) -> str:
        """The next packet. Raises ``TimeoutError``."""
        while True:
            begin, end = self._rest.find(b"$"), self._rest.find(b"#")
            if 0 <= begin < end and len(self._rest) >= end + 3:
                packet = self._rest[begin + 1 : end]
                self._rest = self._rest[end + 3 :]
                return packet.decode("ascii")
            try:
                more = self._socket.recv(1 << 16)
            except TimeoutError:
                raise
            except OSError as error:
                raise GdbError(f"the emulator is gone ({error.strerror})") from error
            if not more:
                raise GdbError("the emulator has ended")
            self._rest += more


def _bytes(answer: str, count: int) -> bytes:
    try:
        data = bytes.fromhex(answer)
    except ValueError:
        data = b""
    if len(data) != count:
        raise GdbError(f"the emulator answers {answer[:40]!r} in place of {count} bytes")
    return data
