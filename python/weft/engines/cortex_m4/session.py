# SPDX-License-Identifier: Apache-2.0
"""The ``cortex-m4`` engine: the linked images of PEs as machine code, one emulated core each."""

from __future__ import annotations

import time
from collections.abc import Sequence

from weft import _native
from weft.engines.cortex_m4.counts import Counts, Place
from weft.engines.cortex_m4.emulators import Emulator, find_emulator
from weft.engines.cortex_m4.image_memory import PAGE_BYTES, CoreError, new_memory
from weft.engines.cortex_m4.image_pe import DRAM_START, ImagePe, StoppedError
from weft.engines.cortex_m4.images import linked_pes
from weft.engines.cortex_m4.mail import Node
from weft.engines.cortex_m4.native_pe import NativePe, take_signals
from weft.engines.cortex_m4.network import Network
from weft.engines.flow import StreamSession
from weft.engines.native import dram_bytes, new_stream
from weft.engines.program_session import End
from weft.engines.waits import describe_waits, stages_text
from weft.errors import EngineError
from weft.program import Program

# A frame that takes longer than this has gone wrong.
FRAME_SECONDS = 600.0
# What images say of themselves unless a loader says otherwise.
_EPOCH = 0


class MachineCodeSession(StreamSession):
    """The PEs of one program as machine code, those of ``machine_code`` by name or all, and the
    others, the host's among them, as native code of the same runtime."""

    def __init__(self, program: Program, machine_code: Sequence[str] | None = None) -> None:
        super().__init__(program)
        emulator = find_emulator()
        self._emulator = emulator.name
        rows = program.manifest["pes"]
        self._names = {n: row["name"] for n, row in enumerate(rows) if row["program"] is not None}
        self._linked = linked_pes(program, self._chosen(machine_code))
        self._open(emulator)

    def _open(self, emulator: Emulator) -> None:
        program = self.program
        rows = program.manifest["pes"]
        self._pes: dict[int, ImagePe] = {}
        dram = self._dram()
        try:
            for number, linked in self._linked.items():
                memory = [(region.origin, region.length) for region in linked.memory]
                self._pes[number] = ImagePe(linked.elf, memory, emulator.core, dram)
        except CoreError as error:
            self._close_cores()
            raise EngineError(f"{emulator.name} cannot run an image: {error}") from error
        shared = {number: (pe.arena, pe.state) for number, pe in self._pes.items()}
        self._library, stream = new_stream(program, _EPOCH, shared)
        self._stream = stream
        for number, pe in self._pes.items():
            self._start(number, pe)
        self._at_start = self._count()
        self._counted: int | None = None
        nodes: dict[int, Node] = {
            number: self._pes.get(number) or NativePe(stream, number)
            for number, row in enumerate(rows)
            if row["program"] is not None or row["arena_bytes"]
        }
        self._network = Network(nodes)
        self._ends = dict.fromkeys(pe for pe, _ in (*self._inputs, *self._outputs))

    def reset(self) -> None:
        self._open_stream()
        super().reset()
        self._close_cores()
        self._open(find_emulator())

    def _chosen(self, names: Sequence[str] | None) -> list[int]:
        if names is None:
            return list(self._names)
        numbers = {name: number for number, name in self._names.items()}
        for name in names:
            if name not in numbers:
                raise EngineError(
                    f"there is no PE {name} to run as machine code; there are "
                    + ", ".join(sorted(numbers))
                )
        if not names:
            raise EngineError("no PE is to run as machine code: use the engine native")
        return sorted({numbers[name] for name in names})

    def _dram(self) -> memoryview | None:
        """What all PEs see of DRAM; None if nothing is there."""
        data = dram_bytes(self.program)
        if data is None:
            return None
        window = range(DRAM_START, DRAM_START + len(data))
        for region in (region for linked in self._linked.values() for region in linked.memory):
            if region.origin < window.stop and region.origin + region.length > window.start:
                raise EngineError(
                    f"the engine cortex-m4 has DRAM at {DRAM_START:#x}, where PEs have their "
                    f"memory {region.name}: use the engine native"
                )
        view = new_memory(-(-len(data) // PAGE_BYTES) * PAGE_BYTES, 0)
        view[: len(data)] = data
        return view

    def _start(self, number: int, pe: ImagePe) -> None:
        """Runs the start-up code, which ends with the first sleep."""
        try:
            if pe.run():
                pe.watch()
                return
        except CoreError as error:
            raise EngineError(f"PE {self._names[number]} does not start: {error}") from error
        raise EngineError(f"PE {self._names[number]} does not end its start-up code")

    # --- what was run ---

    @property
    def machine_code(self) -> list[dict[str, str]]:
        """The PEs that run as machine code: ``pe``, and ``sha256`` of the ELF file of its image."""
        return [
            {"pe": self._names[number], "sha256": linked.sha256}
            for number, linked in self._linked.items()
        ]

    @property
    def emulator(self) -> str:
        """What runs the machine code: ``unicorn`` or ``qemu``."""
        return self._emulator

    @property
    def instructions(self) -> int | None:
        """Since the start-up code, of all PEs that are machine code: kernels, executive, mail. The
        same for the same frames. None where the emulator does not count."""
        if not self._pes:
            return self._counted
        count = self._count()
        return None if count is None or self._at_start is None else count - self._at_start

    def counts(self) -> Counts:
        """The same, by PE, task and function, with cycles. Of a session that is open.

        Raises ``EngineError`` where the emulator does not count.
        """
        self._open_stream()
        try:
            return Counts(
                {
                    Place(number, shard, task, function): count
                    for number, pe in self._pes.items()
                    for shard, task, function, count in pe.core.counts()
                }
            )
        except CoreError as error:
            raise EngineError(str(error)) from error

    def settle(self) -> None:
        """Lets PEs do what is left to do after the last frame has come out: give back credits.

        Raises ``EngineError``.
        """
        with self._keeping_interrupts():
            stream = self._open_stream()
            if self._failure:
                raise EngineError(self._failure)
            deadline = time.monotonic() + FRAME_SECONDS
            while self._step(stream):
                if time.monotonic() > deadline:
                    raise EngineError(
                        f"PEs did not come to rest within {FRAME_SECONDS:.0f} s: "
                        + self._describe(stream)
                    )

    def _count(self) -> int | None:
        counts = [pe.core.instructions for pe in self._pes.values()]
        return None if None in counts else sum(count or 0 for count in counts)

    # --- running ---

    def _wait(self, feeding: End | None, output: End | None) -> None:
        wanted = [end for end in (feeding, output) if end is not None]
        if not wanted:
            return
        with self._keeping_interrupts():
            self._work_until(wanted)

    def _work_until(self, wanted: Sequence[End]) -> None:
        """Until one of these ends has room or a frame."""
        stream = self._open_stream()
        for message in take_signals(stream):  # of the outside, which has taken frames
            self._network.send(message)
        for pe in self._ends:
            self._network.wake(pe)
        deadline = time.monotonic() + FRAME_SECONDS
        while all(stream.room(*end) is None for end in wanted):
            if self._failure:
                raise EngineError(self._failure)
            self._check_failure(stream)
            worked = self._step(stream)
            self._open_stream()  # another thread may have closed it
            if not worked:
                raise EngineError(
                    f"frame {self._oldest(stream)} does not end: "
                    + describe_waits(self._rows(), stream)
                )
            if time.monotonic() > deadline:
                raise EngineError(
                    f"frame {self._oldest(stream)} did not end within {FRAME_SECONDS:.0f} s: "
                    + self._describe(stream)
                )

    def _step(self, stream: _native.Stream) -> bool:
        """Runs one PE for a while; False if nothing is left to do."""
        number = self._network.next
        if number is None:
            return False
        try:
            self._network.step()
        except CoreError as error:
            what = str(error)
            if isinstance(error, StoppedError):
                what = self._library.status_string(error.status)
            self._failure = f"{self._where(stream, number)}: {what}"
            raise EngineError(self._failure) from error
        return True

    def _where(self, stream: _native.Stream, number: int) -> str:
        """The frame, PE, stage and program that a core is at."""
        row = self.program.manifest["pes"][number]
        shard, task = self._pes[number].where()
        if shard >= len(row["shards"]):
            return f"frame {self._oldest(stream)}: PE {row['name']}, program {row['program']}"
        frame = stream.waits(number)[shard][1]
        tasks = row["shards"][shard]
        stages = stages_text(tasks[task : task + 1] or tasks)
        return f"frame {frame}: PE {row['name']} ({stages}), program {row['program']}"

    def _describe(self, stream: _native.Stream) -> str:
        """A core that would go on, or else who waits for whom."""
        number = self._network.next
        if number is None or number not in self._pes:
            return describe_waits(self._rows(), stream)
        core = self._pes[number].core
        function = core.function_at(core.pc)
        return f"{self._where(stream, number)} is at pc {core.pc:#010x} in {function}"

    def _close_cores(self) -> None:
        for pe in self._pes.values():
            pe.core.close()
        self._pes = {}

    def close(self) -> None:
        """Frees cores and memory."""
        if self._stream is not None:
            self._counted = self.instructions
            self._close_cores()
            self._network = Network({})
            self._stream = None
