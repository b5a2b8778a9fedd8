# SPDX-License-Identifier: Apache-2.0
"""A coordinator of its own: loads a compiled network from its load map, is the NoC, feeds frames.

It imports nothing of Weft. The PEs are Cortex-M4 cores in an emulator (Unicorn), with the firmware
of this folder.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
from elftools.elf.elffile import ELFFile
from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn import arm_const as arm

EPOCH = 1
SECONDS_A_TURN = 120
# As in firmware.h.
NOC_AT, NOC_BYTES = 0x40000000, 0x1000
TO, AT_EPOCH, OPERANDS, OPERATION, SLEEP, ENDED = 0, 4, 8, 20, 24, 28
WRITE, ARRIVAL, CREDIT, ROOM, RESULT, FED, TAKEN = range(1, 8)
LETTERS, LETTER_BYTES = 16, 20
GATEWAY = {
    "program": "gateway",
    "memory": [{"origin": 0, "length": 128 << 10}],
}
# At the end of the memory, for the firmware of this folder.
STACK_BYTES = 4096
SYSTEM_AT, SYSTEM_BYTES = 0xE000E000, 0x1000


class Stop(Exception):
    """Something that ends the work."""


class Pe:
    """One PE: a core with the firmware of its program, tables, weights and memory."""

    def __init__(self, row: dict[str, Any], program: Path, images: Path, mesh: Mesh) -> None:
        self.row, self.mesh, self.name = row, mesh, row["name"]
        self.core = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.core.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        for region in row["memory"]:
            self.core.mem_map(region["origin"], region["length"])
            self.core.mem_write(region["origin"], b"\xa5" * region["length"])
        self.core.mem_map(SYSTEM_AT, SYSTEM_BYTES)
        self.core.mmio_map(NOC_AT, NOC_BYTES, self._on_load, None, self._on_store, None)
        self._registers = bytearray(NOC_BYTES)
        self.waiting: deque[tuple[int, int, int, int, int]] = deque()
        self.is_asleep = False
        self.symbols = self._load_image(images / row["program"])
        self._load_data(program)

    # --- loading ---

    def _load_image(self, path: Path) -> dict[str, int]:
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            for segment in elf.iter_segments("PT_LOAD"):
                self.core.mem_write(segment["p_paddr"], segment.data())
            table = elf.get_section_by_name(".symtab")
            return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}

    def _load_data(self, program: Path) -> None:
        """Puts what the load map lists one behind the other, behind the image."""
        region = self.row["memory"][0]
        free, places = self.symbols["image_end"], {}
        for block in (*self.row["load"], *self.row["room"]):
            free += -free % block["alignment"]
            places[block["what"]] = (free, block["bytes"])
            if "file" in block:
                data = (program / block["file"]).read_bytes()
                self.core.mem_write(free, data[block["at"] : block["at"] + block["bytes"]])
            free += block["bytes"]
        if free > region["origin"] + region["length"] - STACK_BYTES:
            raise Stop(f"PE {self.name}: {free} bytes and a stack do not fit its memory")
        self.arena, self.arena_bytes = places["arena"]
        words = [self.row["number"], EPOCH]
        for what, unit in (("tables", 4), ("constants", 1), ("arena", 1), ("state", 4)):
            words += [places[what][0], places[what][1] // unit]
        self.core.mem_write(self.symbols["boot"], struct.pack("<10I", *words))
        self.core.mem_write(self.symbols["inbox"], bytes(8))

    def start(self) -> None:
        """Takes stack and entry from the vector table and runs to the first sleep."""
        stack, entry = struct.unpack("<2I", self.core.mem_read(self.row["memory"][0]["origin"], 8))
        self.core.reg_write(arm.UC_ARM_REG_SP, stack)
        self._pc = entry
        self._is_woken = False
        self.run()

    # --- running ---

    def run(self) -> None:
        self.is_asleep = False
        self._deliver()
        self.core.emu_start(self._pc | 1, 0xFFFFFFFE, timeout=SECONDS_A_TURN * 1_000_000)
        self._pc = self.core.reg_read(arm.UC_ARM_REG_PC)
        if not self.is_asleep:
            raise Stop(f"PE {self.name} did not sleep within {SECONDS_A_TURN} s")
        self._is_woken = True
        status = self._register(ENDED)
        if status:
            raise Stop(f"PE {self.name} ended with status {status}")

    def _deliver(self) -> None:
        """As many letters as the inbox has room for."""
        inbox = self.symbols["inbox"]
        put, taken = struct.unpack("<2I", self.core.mem_read(inbox, 8))
        while self.waiting and (put - taken) & 0xFFFFFFFF < LETTERS:
            letter = struct.pack("<5I", *self.waiting.popleft())
            self.core.mem_write(inbox + 8 + put % LETTERS * LETTER_BYTES, letter)
            put = (put + 1) & 0xFFFFFFFF
        self.core.mem_write(inbox, struct.pack("<I", put))

    # --- its NoC's registers ---

    def _register(self, at: int) -> int:
        return int.from_bytes(self._registers[at : at + 4], "little")

    def _on_load(self, _core: Uc, at: int, size: int, _data: object) -> int:
        return int.from_bytes(self._registers[at : at + size], "little")

    def _on_store(self, core: Uc, at: int, size: int, value: int, _data: object) -> None:
        self._registers[at : at + size] = value.to_bytes(size, "little")
        if at == OPERATION:
            operands = struct.unpack_from("<3I", self._registers, OPERANDS)
            done = self.mesh.ask(
                self, value, self._register(TO), self._register(AT_EPOCH), operands
            )
            self._registers[OPERATION : OPERATION + 4] = int(done).to_bytes(4, "little")
        elif at == SLEEP and self._is_woken:
            self._is_woken = False  # the store that it slept at, once more; or one turn too many
        elif at in (SLEEP, ENDED):
            self.is_asleep = True
            core.emu_stop()


class Mesh:
    """All PEs, what they say to each other, and the frames in and out."""

    def __init__(self, program: Path, images: Path) -> None:
        self.map = json.loads((program / "loadmap.json").read_text(encoding="utf-8"))
        if self.map["format"] != 1:
            raise Stop("a load map of another format than 1")
        # The host, if it takes part, is one more core here.
        rows = [row if row["program"] else row | GATEWAY for row in self.map["pes"]]
        self.pes = {row["number"]: Pe(row, program, images, self) for row in rows}
        self.rooms: dict[tuple[int, int], int] = {}
        self.frames: dict[tuple[int, int], deque[bytes]] = {}
        self.results: dict[tuple[int, int], list[bytes]] = {}
        self.letters = self.writes = 0

    def channel(self, end: tuple[int, int]) -> dict[str, Any]:
        return self.pes[end[0]].row["channels"][end[1]]

    def ask(self, pe: Pe, kind: int, to: int, epoch: int, operands: tuple[int, ...]) -> bool:
        """What a PE wants of its NoC; False if that is not to be had."""
        a, b, c = operands
        own = pe.row["number"]
        if kind == ROOM:
            self.rooms[own, a] = b
            self.feed((own, a))
        elif kind == RESULT:
            self.results[own, a].append(self.read_frame((own, a), b))
            self.send(own, TAKEN, EPOCH, a)
        elif to not in self.pes:
            return False
        elif kind == WRITE:
            other = self.pes[to]
            if a + c > other.arena_bytes:
                return False
            other.core.mem_write(other.arena + a, bytes(pe.core.mem_read(b, c)))
            self.writes += 1
        else:
            self.send(to, kind, epoch, a, b, c)
        return True

    def send(self, to: int, kind: int, epoch: int, a: int, b: int = 0, c: int = 0) -> None:
        self.letters += 1
        self.pes[to].waiting.append((kind, epoch, a, b, c))

    def feed(self, end: tuple[int, int]) -> None:
        """Fills the room of an input, if there is one and a frame for it."""
        if end not in self.rooms or not self.frames[end]:
            return
        frame, at, row = self.frames[end].popleft(), self.rooms.pop(end), self.channel(end)
        size = row["row_bytes"]
        for i in range(row["rows"]):
            part = frame[i * size : (i + 1) * size]
            self.pes[end[0]].core.mem_write(at + i * row["row_stride"], part)
        self.send(end[0], FED, EPOCH, end[1])

    def read_frame(self, end: tuple[int, int], at: int) -> bytes:
        row, core = self.channel(end), self.pes[end[0]].core
        rows = (at + i * row["row_stride"] for i in range(row["rows"]))
        return b"".join(bytes(core.mem_read(place, row["row_bytes"])) for place in rows)

    def run(self, frames: list[list[np.ndarray]]) -> list[list[np.ndarray]]:
        """The outputs for every frame; ``frames`` has the arrays of all inputs of each."""
        inputs = [(end["pe"], end["channel"]) for end in self.map["inputs"]]
        outputs = [(end["pe"], end["channel"]) for end in self.map["outputs"]]
        self.frames = {
            end: deque(frame[i].tobytes() for frame in frames) for i, end in enumerate(inputs)
        }
        self.results = {end: [] for end in outputs}
        for number in self.map["start"]:
            self.pes[number].start()
        while min(len(self.results[end]) for end in outputs) < len(frames):
            awake = [pe for pe in self.pes.values() if pe.waiting]
            if not awake:
                raise Stop("frames are missing and nothing moves")
            for pe in awake:
                pe.run()
        return [
            [
                np.frombuffer(self.results[end][i], info["dtype"]).reshape(info["shape"])
                for end, info in zip(outputs, self.map["outputs"], strict=True)
            ]
            for i in range(len(frames))
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path, help="a folder that weft compile wrote")
    parser.add_argument("images", type=Path, help="the folder of the images p0, p1 and so on")
    parser.add_argument("-o", "--output", type=Path, required=True, help="frames and results, .npz")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        mesh = Mesh(options.program, options.images)
        random = np.random.default_rng(options.seed)
        shapes = [(end["shape"], end["dtype"]) for end in mesh.map["inputs"]]
        frames = [
            [random.integers(-128, 128, shape, dtype) for shape, dtype in shapes]
            for _ in range(options.frames)
        ]
        results = mesh.run(frames)
    except Stop as error:
        sys.exit(f"coordinator: {error}")
    arrays = {f"in{n}_{i}": a for n, frame in enumerate(frames) for i, a in enumerate(frame)}
    arrays |= {f"out{n}_{i}": a for n, result in enumerate(results) for i, a in enumerate(result)}
    np.savez(options.output, **arrays)
    print(
        f"{len(results)} frames through {len(mesh.pes)} PEs, {mesh.writes} writes and "
        f"{mesh.letters} letters between them"
    )


if __name__ == "__main__":
    main()
