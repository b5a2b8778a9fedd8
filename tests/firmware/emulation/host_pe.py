# SPDX-License-Identifier: Apache-2.0
"""The host's PE of a mesh: the runtime in this process, on the tables of that PE."""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, c_uint32, c_void_p
from pathlib import Path
from typing import Any

from emulation.mail import ARRIVAL, CREDIT, FAIL, WRITE, Message
from emulation.tables import Tables
from weft.codegen.toolchain import C_FLAGS, find_host_compiler

_OK, _IDLE = 0, 1
_ALIGNMENT = 16
_PORT = Path(__file__).with_name("host_pe.c")

_Write = CFUNCTYPE(None, c_uint32, c_uint32, c_void_p, c_uint32)
_Signal = CFUNCTYPE(None, *[c_uint32] * 6)


class _Port(ctypes.Structure):
    _fields_ = (("write", _Write), ("signal", _Signal))


class _Config(ctypes.Structure):
    """weft_pe_config_t."""

    _fields_ = (
        ("program", c_void_p),
        ("tables", c_void_p),
        ("table_words", c_uint32),
        ("arena", c_void_p),
        ("arena_bytes", c_uint32),
        ("constants", c_void_p),
        ("constants_bytes", c_uint32),
        ("state", c_void_p),
        ("state_words", c_uint32),
        ("number", c_uint32),
        ("epoch", c_uint32),
        ("port", c_void_p),
    )


def build_host_library(folder: Path, out: Path) -> ctypes.CDLL:
    """The runtime of a compiled program's folder with the port of ``host_pe.c``, loaded."""
    flags = [*C_FLAGS, "-O2", "-fPIC", "-shared", '-DWEFT_RUNTIME_HASH=""']
    includes = ["-I", "runtime/include", "-I", "runtime/port/cortex_m"]
    runtime = sorted(str(path) for path in (folder / "runtime" / "src").glob("*.c"))
    find_host_compiler().run([*flags, *includes, *runtime, str(_PORT), "-o", str(out)], folder)
    return ctypes.CDLL(str(out))


def _aligned(size: int) -> Any:
    raw = ctypes.create_string_buffer(size + _ALIGNMENT)
    return (ctypes.c_char * max(size, 1)).from_buffer(raw, -ctypes.addressof(raw) % _ALIGNMENT)


class HostPe:
    """A PE that only moves frames: tables without tasks."""

    def __init__(self, library: ctypes.CDLL, tables: bytes, number: int) -> None:
        self._library = library
        self._rows = Tables(tables)
        self._tables = _aligned(len(tables))
        self._tables.raw = tables
        self._arena = _aligned(self._rows.arena_bytes)
        self._state = _aligned(4 * self._rows.state_words)
        self._context = _aligned(c_uint32.in_dll(library, "host_pe_bytes").value)
        self._mail: list[Message] = []
        self._port = _Port(_Write(self._on_write), _Signal(self._on_signal))
        config = _Config(
            program=ctypes.addressof(c_uint32.in_dll(library, "host_pe_program")),
            tables=ctypes.addressof(self._tables),
            table_words=len(tables) // 4,
            arena=ctypes.addressof(self._arena),
            arena_bytes=self._rows.arena_bytes,
            state=ctypes.addressof(self._state),
            state_words=self._rows.state_words,
            number=number,
            port=ctypes.addressof(self._port),
        )
        self._call("init", ctypes.byref(config))

    def _call(self, name: str, *arguments: Any, other: int = _OK) -> int:
        """A function of the runtime on this PE; its status, OK or ``other``."""
        status = int(self._library[f"weft_pe_{name}"](ctypes.byref(self._context), *arguments))
        assert status in (_OK, other), f"weft_pe_{name}: status {status}"
        return status

    def _on_write(self, to: int, offset: int, address: int, size: int) -> None:
        data = ctypes.string_at(address, size)
        self._mail.append(Message(WRITE, to, 0, (offset, 0, size), data))

    def _on_signal(self, kind: int, to: int, epoch: int, *arguments: int) -> None:
        first, second, third = arguments
        self._mail.append(Message(kind, to, epoch, (first, second, third)))

    def run(self, budget: int = 1_000_000) -> None:
        """Steps until it is idle."""
        for _ in range(budget):
            if self._call("step", other=_IDLE) == _IDLE:
                return
        raise AssertionError(f"the host's PE was busy for {budget} steps")

    def take_mail(self) -> list[Message]:
        """What it has said since."""
        mail, self._mail = self._mail, []
        return mail

    def offer(self, message: Message) -> bool:
        """Delivers at once."""
        first, second, third = message.arguments
        if message.kind == ARRIVAL:
            self._call("deliver_arrival", message.epoch, first, second, third)
        elif message.kind == CREDIT:
            self._call("deliver_credit", message.epoch, first, second)
        else:
            assert message.kind == FAIL
            self._call("fail", first)
        return True

    def write_arena(self, offset: int, data: bytes) -> None:
        """As another PE writes."""
        assert offset + len(data) <= self._rows.arena_bytes
        ctypes.memmove(ctypes.addressof(self._arena) + offset, data, len(data))

    def _room(self, call: str, channel: int) -> int | None:
        """Where the next frame of a channel is or goes, None if there is none."""
        room = c_void_p()
        function = self._library[f"weft_pe_channel_{call}"]
        status = function(ctypes.byref(self._context), channel, ctypes.byref(room))
        return room.value if status == _OK else None

    def has_room(self, channel: int) -> bool:
        """Whether an input can be fed."""
        return self._room("acquire", channel) is not None

    def has_frame(self, channel: int) -> bool:
        """Whether an output can be collected."""
        return self._room("observe", channel) is not None

    def feed(self, channel: int, frame: bytes) -> None:
        """Gives an input its next frame."""
        room, row = self._room("acquire", channel), self._rows.channel(channel)
        assert room is not None
        assert len(frame) == row.rows * row.row_bytes
        for i in range(row.rows):
            part = frame[i * row.row_bytes : (i + 1) * row.row_bytes]
            ctypes.memmove(room + i * row.row_stride, part, len(part))
        self._call("channel_publish", channel)

    def collect(self, channel: int) -> bytes:
        """Takes the oldest frame from an output."""
        room, row = self._room("observe", channel), self._rows.channel(channel)
        assert room is not None
        rows = (room + i * row.row_stride for i in range(row.rows))
        frame = b"".join(ctypes.string_at(at, row.row_bytes) for at in rows)
        self._call("channel_release", channel)
        return frame
