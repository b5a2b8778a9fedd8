# SPDX-License-Identifier: Apache-2.0
"""Meshes of images: every PE is machine code in a core of its own, with messages in between."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from emulation.mesh import Mesh
from emulation.pe import Pe, StoppedError
from emulation.tiny_program import ARENA_BYTES, FRAME_BYTES, write_tiny_program

from weft.codegen.images import Image, build_image
from weft.codegen.toolchain import Toolchain, gcc_target_toolchain, zig_target_toolchain
from weft.engines.cortex_m4.mail import ARRIVAL, CREDIT, FAIL, RING_MESSAGES, WRITE, Message
from weft.machines import load_machine

MACHINE = load_machine("grid-4x4")
PE_CLASS = MACHINE.classes["m4"]
E_ARGUMENT, E_STOPPED = 4, 9


@pytest.fixture(scope="module", params=["zig", "arm-none-eabi-gcc"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    is_zig = request.param == "zig"
    found = zig_target_toolchain(PE_CLASS.core) if is_zig else gcc_target_toolchain(PE_CLASS.core)
    if found is None:
        pytest.skip(f"{request.param} is not installed")
    return found


def build(folder: Path, program: str, pe: int, toolchain: Toolchain, out: Path) -> Image:
    return build_image(
        folder,
        program,
        pe=pe,
        memory=PE_CLASS.memory,
        stack_bytes=PE_CLASS.stack_bytes,
        toolchain=toolchain,
        out=out / f"pe{pe}.elf",
        runtime_hash="",
    )


def start(image: Image) -> Pe:
    """One PE, asleep after its start."""
    pe = Pe(image.elf, [(r.origin, r.length) for r in PE_CLASS.memory])
    pe.run()
    return pe


# --- a hand-written chain ------------------------------------------------------------------------

CHAIN = 3
CONSTANTS = bytes(range(1, 1 + FRAME_BYTES))


@pytest.fixture(scope="module")
def chain_images(toolchain: Toolchain, tmp_path_factory: pytest.TempPathFactory) -> list[Image]:
    out = tmp_path_factory.mktemp("chain")
    folder = write_tiny_program(out / "program", CONSTANTS, pes=CHAIN)
    return [build(folder, "p0", pe, toolchain, out) for pe in range(CHAIN)]


@pytest.fixture
def chain(chain_images: list[Image]) -> dict[int, Pe]:
    return {number: start(image) for number, image in enumerate(chain_images)}


def chain_result(frame: bytes) -> bytes:
    return bytes((a + CHAIN * b) & 0xFF for a, b in zip(frame, CONSTANTS, strict=True))


def test_frames_go_through_a_chain(chain: dict[int, Pe]) -> None:
    mesh = Mesh(chain)
    frames = [np.random.default_rng(i).bytes(FRAME_BYTES) for i in range(9)]
    results = list(mesh.stream([(0, 0)], [(CHAIN - 1, 0)], [[frame] for frame in frames]))
    assert results == [[chain_result(frame)] for frame in frames]
    mesh.run()
    # Every row is a write; every frame is announced and given back, once on each link.
    assert mesh.writes == len(frames) * (CHAIN - 1)  # boxes of several rows
    assert mesh.signals == len(frames) * 2 * (CHAIN - 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_events_changes_nothing(chain: dict[int, Pe], seed: int) -> None:
    mesh = Mesh(chain, order=random.Random(seed))
    frames = [np.random.default_rng(i).bytes(FRAME_BYTES) for i in range(9)]
    results = list(mesh.stream([(0, 0)], [(CHAIN - 1, 0)], [[frame] for frame in frames]))
    assert results == [[chain_result(frame)] for frame in frames]


def test_without_credit_frames_wait_where_they_are(chain: dict[int, Pe]) -> None:
    mesh = Mesh(chain)
    fed = 0
    mesh.run()
    while chain[0].has_room(0):
        mesh.feed(0, 0, bytes([fed]) * FRAME_BYTES)
        fed += 1
        mesh.run()
    # One in each frame's room: one, two, two, and one at the output.
    assert fed == 6
    for frame in range(fed):
        assert mesh.collect(CHAIN - 1, 0) == chain_result(bytes([frame]) * FRAME_BYTES)
        mesh.run()
    assert not chain[CHAIN - 1].has_frame(0)


def test_repeated_and_old_messages_change_nothing(chain: dict[int, Pe]) -> None:
    mesh = Mesh(chain)
    frames = [np.random.default_rng(i).bytes(FRAME_BYTES) for i in range(3)]
    for frame in frames:
        ((result,),) = mesh.stream([(0, 0)], [(CHAIN - 1, 0)], [[frame]])
        assert result == chain_result(frame)
        mesh.run()
        mesh.send(Message(ARRIVAL, 1, 0, (0, 0, 0)))
        mesh.send(Message(CREDIT, 0, 0, (0, 1, 0)))
        mesh.send(Message(ARRIVAL, 1, 77, (0, 0, 3)))  # of another epoch
        mesh.run()


def test_a_new_start_ignores_what_was_on_its_way(chain: dict[int, Pe]) -> None:
    mesh = Mesh(chain)
    mesh.feed(0, 0, bytes(FRAME_BYTES))
    mesh.run()
    for pe in chain.values():
        pe.set_epoch(1)
        pe.core.reset()
        pe.run()
    mesh = Mesh(chain)
    mesh.send(Message(ARRIVAL, 1, 0, (0, 0, 0)))
    mesh.send(Message(CREDIT, 0, 0, (0, 1, 0)))
    mesh.run()
    assert not chain[CHAIN - 1].has_frame(0)
    frame = bytes(range(FRAME_BYTES))
    ((result,),) = mesh.stream([(0, 0)], [(CHAIN - 1, 0)], [[frame]])
    assert result == chain_result(frame)


def test_a_full_ring_holds_messages_back(chain: dict[int, Pe]) -> None:
    old = Message(CREDIT, 0, 0, (0, 0, 0))
    for _ in range(RING_MESSAGES):
        assert chain[0].offer(old)
    assert not chain[0].offer(old)
    chain[0].run()
    assert chain[0].offer(old)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (Message(FAIL, 0, 0, (E_STOPPED, 0, 0)), E_STOPPED),
        (Message(ARRIVAL, 0, 0, (99, 0, 0)), E_ARGUMENT),
        (Message(CREDIT, 0, 0, (99, 0, 0)), E_ARGUMENT),
        (Message(1000, 0, 0, (0, 0, 0)), E_ARGUMENT),
    ],
)
def test_a_message_can_end_the_work(chain: dict[int, Pe], message: Message, status: int) -> None:
    assert chain[0].offer(message)
    with pytest.raises(StoppedError) as caught:
        chain[0].run()
    assert caught.value.status == status


def test_a_pe_whose_mail_nobody_takes_can_be_stopped(chain: dict[int, Pe]) -> None:
    chain[0].feed(0, bytes(FRAME_BYTES))
    chain[0].run()  # it sleeps within its first write
    chain[0].run()
    assert len(chain[0].take_mail()) == 1
    chain[0].run()
    chain[0].offer(Message(FAIL, 0, 0, (E_STOPPED, 0, 0)))
    with pytest.raises(StoppedError):
        chain[0].run()


@pytest.mark.parametrize(
    "message",
    [
        Message(WRITE, 1, 0, (ARENA_BYTES, 0, 4), ((ARENA_BYTES, bytes(4)),)),  # beyond the arena
        Message(ARRIVAL, 99, 0, (0, 0, 0)),  # no such PE
    ],
)
def test_a_message_that_goes_nowhere_ends_its_sender(
    chain: dict[int, Pe], message: Message
) -> None:
    mesh = Mesh(chain)
    mesh.run()
    chain[0].post(message)
    mesh.wake(0)
    with pytest.raises(StoppedError) as caught:
        mesh.run()
    assert caught.value.status == E_ARGUMENT
