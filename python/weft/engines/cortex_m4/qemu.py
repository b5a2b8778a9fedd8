# SPDX-License-Identifier: Apache-2.0
"""One Cortex-M4 in a process of qemu-system-arm, for where Unicorn is not installed.

The board mps2-an386 has memory where PEs have theirs. The process is told everything over a GDB
connection: the core stands still whenever this side looks at its memory, of which there is a copy
here. What changed on either side is carried over before and after the core runs.
"""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import weakref
from collections.abc import Sequence
from pathlib import Path

from weft.engines.cortex_m4.counts import Count
from weft.engines.cortex_m4.gdb import Gdb
from weft.engines.cortex_m4.image_memory import EXITS, CoreError, ImageMemory

COMMAND = "qemu-system-arm"
_BOARD = "mps2-an386"
# Where that board has memory: (origin, bytes).
_MEMORY = ((0x00000000, 4 << 20), (0x20000000, 4 << 20), (0x21000000, 16 << 20))
_SP, _LR, _PC, _XPSR = 13, 14, 15, 25
_THUMB = 1 << 24
_SLICE_SECONDS = 2.0
_END_SECONDS = 10.0
# Changes are looked for in pieces of this size.
_PIECE = 512
# Of the linker script: what lies between is written by the image.
_WRITTEN = (
    ("weft_ld_data_start", "weft_ld_data_end"),
    ("weft_ld_arena_start", "weft_ld_bss_end"),
)


class QemuCore(ImageMemory):
    """A core whose memory is ``memory``, (origin, bytes) pairs, loaded with the image ``elf``, and
    ``shared``, (origin, view) pairs, which it only reads.

    Views of its memory are of the copy, which is true whenever the core does not run. Raises
    ``CoreError`` if the board has no memory there, or if QEMU does not start.
    """

    #: Instructions are not counted, and the memory protection unit of the core sees overflows.
    instructions: int | None = None
    overflow_at = 0

    def __init__(
        self,
        elf: Path,
        memory: Sequence[tuple[int, int]],
        shared: Sequence[tuple[int, memoryview]] = (),
    ) -> None:
        super().__init__(elf, memory, shared)
        for origin, size in [*memory, *((origin, len(view)) for origin, view in shared)]:
            if not any(o <= origin and origin + size <= o + s for o, s in _MEMORY):
                raise CoreError(f"the board {_BOARD} has no memory of {size} bytes at {origin:#x}")
        self._gdb = _start(self, elf)
        self._known = [(origin, bytearray(len(view))) for origin, view in self._views]
        for (origin, view), (_, known) in zip(self._views, self._known, strict=True):
            self._gdb.write(origin, bytes(view))
            known[:] = view
        for name in EXITS:
            self._gdb.stop_at(self.symbol(name) & ~1)
        stack_top, entry = struct.unpack("<2I", self.read(self._vectors, 8))
        self._gdb.set_register(_XPSR, _THUMB)
        self._gdb.set_register(_SP, stack_top)
        self._set_pc(entry)

    @property
    def pc(self) -> int:
        """Where it goes on."""
        return self._pc

    def watch(self, kernels: Sequence[int], firing: int, shard: int, task: int) -> None:
        """Nothing: it does not count."""

    def counts(self) -> list[tuple[int, int, str, Count]]:
        """Raises ``CoreError``: there are none."""
        raise CoreError(f"{COMMAND} does not count, Unicorn does: pip install weft[emulate]")

    def _set_pc(self, address: int) -> None:
        self._pc = address & ~1
        self._gdb.set_register(_PC, self._pc)

    def run(self, most: int) -> str | None:
        """Runs to an exit; its name, or None after a while, whatever ``most`` instructions would
        take. A wait is over when it is run again. Raises ``CoreError``."""
        del most
        self._push()
        self._gdb.go_on(_SLICE_SECONDS)
        self._pull()
        self._pc = self._gdb.register(_PC) & ~1
        for name in EXITS:
            if self._pc == self.symbol(name) & ~1:
                if name == EXITS[0]:
                    self._set_pc(self._gdb.register(_LR))
                return name
        return None

    def _push(self) -> None:
        """What this side has changed."""
        for (origin, view), (_, known) in zip(self._views, self._known, strict=True):
            if view == known:
                continue
            for at in range(0, len(view), _PIECE):
                piece = view[at : at + _PIECE]
                if piece != known[at : at + _PIECE]:
                    self._gdb.write(origin + at, bytes(piece))
                    known[at : at + _PIECE] = piece

    def _pull(self) -> None:
        """What the core may have changed."""
        for first, last in _WRITTEN:
            begin, end = self.symbol(first), self.symbol(last)
            if begin == end:
                continue
            data = self._gdb.read(begin, end - begin)
            self.write(begin, data)
            for origin, known in self._known:
                if origin <= begin < origin + len(known):
                    known[begin - origin : end - origin] = data

    def close(self) -> None:
        """Ends the process."""
        self._finish()

    #: The number of the process.
    process: int
    _finish: weakref.finalize[[subprocess.Popen[bytes], Gdb], QemuCore]


def installed() -> str | None:
    """The path of QEMU, if it is there."""
    return shutil.which(COMMAND)


def _start(core: QemuCore, elf: Path) -> Gdb:
    """A process with the core standing still, which ends with ``core``."""
    command = installed()
    if command is None:
        raise CoreError(f"{COMMAND} is not installed")
    ours, theirs = socket.socketpair()
    arguments = [
        *("-M", _BOARD, "-kernel", str(elf), "-S"),
        *("-display", "none", "-monitor", "none", "-serial", "none"),
        *("-chardev", f"socket,id=gdb,fd={theirs.fileno()}", "-gdb", "chardev:gdb"),
    ]
    try:
        process = subprocess.Popen(
            [command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    except OSError as error:
        ours.close()
        raise CoreError(f"{command} does not start: {error.strerror}") from error
    finally:
        theirs.close()
    try:
        gdb = Gdb(ours)
    except BaseException:
        ours.close()
        _end_process(process)
        raise
    core.process = process.pid
    core._finish = weakref.finalize(core, _end, process, gdb)
    return gdb


def _end(process: subprocess.Popen[bytes], gdb: Gdb) -> None:
    gdb.close()
    _end_process(process)


def _end_process(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(_END_SECONDS)
