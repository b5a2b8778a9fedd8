# SPDX-License-Identifier: Apache-2.0
"""Images of the hand-written program, and frames through one of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from emulation.pe import Pe
from emulation.tiny_program import ARENA_BYTES, FRAME_BYTES, write_tiny_program
from weft.codegen.images import Image, build_image
from weft.codegen.tables import VERSION
from weft.codegen.toolchain import Toolchain
from weft.machines import MemoryRegion

HASH = "0123456789abcdef" * 4
STACK_BYTES = 2048
SRAM_BYTES = 128 * 1024
CONSTANTS = bytes(range(100, 100 + FRAME_BYTES))

# Kernels that look at nothing must say so.
UNUSED = "    (void)in; (void)constants; (void)rows; (void)row_bytes; (void)in_stride; (void)out;\n"

Builder = Callable[..., Image]


def sram(length: int) -> MemoryRegion:
    return MemoryRegion("sram", 0, length, ("code", "constants", "data"))


SRAM = sram(SRAM_BYTES)


def builder(toolchain: Toolchain, folder: Path) -> Builder:
    """What builds images in ``folder``, each time anew."""

    def build_one(
        *,
        memory: tuple[MemoryRegion, ...] = (SRAM,),
        constants: bytes = CONSTANTS,
        optimise: str = "-O2",
        stack_bytes: int | None = STACK_BYTES,
        arena_bytes: int = ARENA_BYTES,
        tables_version: int = VERSION,
        pes: int = 1,
        **kernel: str,
    ) -> Image:
        program = write_tiny_program(
            folder / "program",
            constants,
            pes=pes,
            arena_bytes=arena_bytes,
            tables_version=tables_version,
            **kernel,
        )
        return build_image(
            program,
            "p0",
            memory=memory,
            stack_bytes=stack_bytes,
            toolchain=toolchain,
            out=folder / "p0.elf",
            runtime_hash=HASH,
            optimise=optimise,
        )

    return build_one


def start(image: Image, memory: tuple[MemoryRegion, ...] = (SRAM,)) -> Pe:
    pe = Pe(image.elf, [(region.origin, region.length) for region in memory])
    pe.run()
    return pe


def frames(count: int) -> list[bytes]:
    source = random.Random(0)
    return [source.randbytes(FRAME_BYTES) for _ in range(count)]


def plus(frame: bytes, constants: bytes) -> bytes:
    return bytes((a + b) & 0xFF for a, b in zip(frame, constants, strict=True))


def check_frames(pe: Pe, expected: Callable[[bytes], bytes], count: int = 4) -> None:
    for frame in frames(count):
        pe.feed(0, frame)
        pe.run()
        assert pe.collect(1) == expected(frame)
