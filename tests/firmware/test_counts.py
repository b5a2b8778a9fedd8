# SPDX-License-Identifier: Apache-2.0
"""Counted instructions and cycles, by what they were run for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from emulation.assembly import SRAM_BYTES, image

import weft
from weft.codegen.toolchain import Toolchain, find_target_toolchain
from weft.engines.cortex_m4.core import Core
from weft.engines.cortex_m4.counts import Count, Counts, Place
from weft.engines.cortex_m4.image_pe import ImagePe
from weft.engines.cortex_m4.session import MachineCodeSession
from weft.paths import models_folder
from weft.program import Program

pytestmark = pytest.mark.skipif(
    find_target_toolchain("cortex-m4") is None, reason="no target compiler is installed"
)


@pytest.fixture(scope="module")
def toolchain() -> Toolchain:
    found = find_target_toolchain("cortex-m4")
    assert found is not None
    return found


def function(name: str, text: str) -> str:
    return f"    .balign 4\n    .type {name}, %function\n{name}:\n{text}\n"


def run(text: str, toolchain: Toolchain, folder: Path) -> Core:
    core = Core(image(text, toolchain, folder), [(0, SRAM_BYTES)])
    assert core.run(1_000_000) == "weft_image_stop"
    return core


def by_function(core: Core) -> dict[str, Count]:
    return {name: count for _, _, name, count in core.counts()}


# --- by hand -------------------------------------------------------------------------------------

LOOP = function(
    "main",
    """
    push {r4, lr}
    movs r0, #10
1:  subs r0, #1
    bne 1b
    bl leaf
    pop {r4, pc}""",
) + function("leaf", "    movs r1, #0\n    bx lr")


def test_a_loop_and_calls(toolchain: Toolchain, tmp_path: Path) -> None:
    counts = by_function(run(LOOP, toolchain, tmp_path))
    # push 3, movs 1, ten times subs and bne 2, of which nine jump, bl, pop with two registers
    assert counts["main"] == Count(2 + 20 + 2, 3 + 1 + 20 + 9 + (1 + 1) + (3 + 3))
    assert counts["leaf"] == Count(2, 1 + (1 + 2))
    assert counts["start"] == Count(2, 1 + 1 + 1)
    assert set(counts) == {"main", "leaf", "start"}


def test_where_a_jump_goes_and_whether_it_does(toolchain: Toolchain, tmp_path: Path) -> None:
    text = function(
        "main",
        """
    movs r0, #1
    b 1f
    .balign 4
    nop
1:  mov.w r1, #3
    cbz r0, 2f
    cmp r0, #2
    it eq
    bxeq lr
2:  b 3f
3:  bx lr""",
    )
    counts = by_function(run(text, toolchain, tmp_path))
    # b to four bytes that are not aligned to four: 3; cbz and bxeq that do not jump; b to the next
    # instruction, which jumps nonetheless; bx.
    assert counts["main"] == Count(9, 1 + 3 + 1 + 1 + 1 + 1 + 1 + 2 + 3)


def test_jumps_through_memory(toolchain: Toolchain, tmp_path: Path) -> None:
    text = function(
        "main",
        """
    movs r0, #0
    tbb [pc, r0]
1:  .byte (2f - 1b) / 2, 0
2:  ldr r2, =3f + 1
    push {r2}
    ldr pc, [sp], #4
    .ltorg
    .balign 4
3:  bx lr""",
    )
    counts = by_function(run(text, toolchain, tmp_path))
    # movs, tbb whose address movs gives, ldr, push, ldr of the program counter, bx
    assert counts["main"] == Count(6, 1 + (1 + 3 + 3) + 2 + 2 + (2 + 3) + 3)


EXECUTIVE = (
    function(
        "main",
        """
    push {r4, lr}
    movw r4, #0x8000
    movs r0, #7
    str r0, [r4, #4]
    movs r0, #2
    str r0, [r4, #8]
    movs r0, #1
    strb r0, [r4]
    bl invoke
    bl helper
    movs r0, #0
    strb r0, [r4]
    b 1f
1:  pop {r4, pc}""",
    )
    + function("invoke", "    b kernel")
    + function("kernel", "    push {r4, lr}\n    bl helper\n    pop {r4, pc}")
    + function("helper", "    bx lr")
)


def test_kernels_count_for_the_task_that_an_executive_is_at(
    toolchain: Toolchain, tmp_path: Path
) -> None:
    core = Core(image(EXECUTIVE, toolchain, tmp_path), [(0, SRAM_BYTES)])
    core.write(0x8000, bytes(16))
    core.watch([core.function_address("invoke")], firing=0x8000, shard=0x8004, task=0x8008)
    assert core.run(1000) == "weft_image_stop"
    counts = {(s, t, name): count for s, t, name, count in core.counts()}
    assert counts == {
        (-1, -1, "start"): Count(2, 1 + 1 + 1),
        # push, movw, movs, str (from movw two before), movs, str, movs, strb, bl: one block, at
        # whose begin nothing fires
        (-1, -1, "main"): Count(9 + 1, 3 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 2 + (3 + 3)),
        (7, 2, "invoke"): Count(1, 2),
        (7, 2, "kernel"): Count(3, 3 + 2 + (3 + 3)),
        (7, 2, "helper"): Count(1, 3),
        (7, -1, "main"): Count(4, 2 + 1 + 1 + 2),
        (7, -1, "helper"): Count(1, 3),
    }


def test_an_executive_that_is_not_there(toolchain: Toolchain, tmp_path: Path) -> None:
    core = Core(image(LOOP, toolchain, tmp_path), [(0, SRAM_BYTES)])
    with pytest.raises(IndexError):
        core.watch([], firing=SRAM_BYTES, shard=0, task=0)


# --- programs ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return list(np.load(models_folder() / "digits_test.npz")["input"][:2, None])


def compiled(machine: str, pes: int | None = None) -> Program:
    return weft.compile(models_folder() / "digits_int8.tflite", machine, pes=pes)


def counted(program: Program, frames: list[np.ndarray]) -> tuple[Counts, int]:
    """Of some frames, and all instructions by the engine's own count."""
    with program.open("cortex-m4") as session:
        assert isinstance(session, MachineCodeSession)
        for frame in frames:
            session.run(frame)
        session.settle()
        return session.counts(), session.instructions


@pytest.mark.parametrize(("machine", "pes"), [("single-m4", None), ("grid-4x4", 4)])
def test_tasks_run_their_kernels_and_no_others(
    machine: str, pes: int | None, frames: list[np.ndarray]
) -> None:
    program = compiled(machine, pes)
    counts, instructions = counted(program, frames)
    assert counts.total().instructions == instructions
    invoked: dict[tuple[int, int, int], set[str]] = {}
    for place in counts.by_place:
        if place.function.startswith("invoke_"):
            task = (place.pe, place.shard, place.task)
            invoked.setdefault(task, set()).add(place.function.removeprefix("invoke_"))
    assert invoked == {
        (pe, shard, number): set(task["kernels"])
        for pe, row in enumerate(program.manifest["pes"])
        for shard, tasks in enumerate(row["shards"])
        for number, task in enumerate(tasks)
    }
    # Nothing of the executive counts for kernels.
    runtime = {"weft_pe_step", "weft_image_main", "weft_port_poll", "consume"}
    assert runtime & {p.function for p in counts.by_place if not p.is_kernel}
    assert not runtime & {p.function for p in counts.by_place if p.is_kernel}


def test_counts_do_not_depend_on_where_the_core_was_stopped(
    frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = compiled("single-m4")
    whole = counted(program, frames)
    original = ImagePe.run
    # The start-up code takes no more than that.
    monkeypatch.setattr(ImagePe, "run", lambda pe, _most=0: original(pe, 13007))
    assert counted(program, frames) == whole


def test_frames_cost_what_their_differences_say(frames: list[np.ndarray]) -> None:
    program = compiled("single-m4")
    with program.open("cortex-m4") as session:
        assert isinstance(session, MachineCodeSession)
        seen = [session.counts()]
        for frame in (frames[0], frames[1], frames[0]):
            session.run(frame)
            session.settle()
            seen.append(session.counts())
    first, second, third = (
        later.since(earlier).total(lambda place: place.is_firing)
        for earlier, later in pairwise(seen)
    )
    # The number of a frame is in the addresses of its slots' rooms, and nothing else is.
    assert first == third
    assert second.instructions > 0


def test_sums() -> None:
    a, b = Place(0, 0, 0, "f"), Place(0, -1, -1, "g")
    counts = Counts({a: Count(3, 5)}) + Counts({a: Count(1, 1), b: Count(2, 4)})
    assert counts == Counts({a: Count(4, 6), b: Count(2, 4)})
    assert counts.total() == Count(6, 10)
    assert counts.total(lambda place: place.is_firing) == Count(4, 6)
    assert counts.since(Counts({a: Count(3, 5), b: Count(2, 4)})) == Counts({a: Count(1, 1)})
