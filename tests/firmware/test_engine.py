# SPDX-License-Identifier: Apache-2.0
"""The engine cortex-m4: compiled programs whose PEs are machine code in this process."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

import weft
from weft.codegen.manifest import MAPPING
from weft.codegen.toolchain import (
    find_target_toolchain,
    gcc_target_toolchain,
    zig_target_toolchain,
)
from weft.engines.cortex_m4 import images
from weft.engines.cortex_m4.image_memory import EXITS
from weft.engines.cortex_m4.image_pe import ImagePe
from weft.engines.cortex_m4.session import MachineCodeSession
from weft.errors import EngineError, ProgramError, ToolchainError
from weft.machines import load_machine
from weft.paths import models_folder
from weft.program import PREPARATION, Program

MODELS = Path(__file__).resolve().parents[2].parent / "shared" / "models"
GRID = weft.load_machine("grid-4x4")
LOOP, UNDEFINED = b"\xfe\xe7", b"\x00\xde"  # b . and udf #0

pytestmark = pytest.mark.skipif(
    find_target_toolchain("cortex-m4") is None, reason="no target compiler is installed"
)


def model(name: str) -> Path:
    path = MODELS / f"{name}_int8.tflite"
    if not path.is_file():
        reason = f"{path} is missing: get it from the repository mlcommons/tiny"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def open_program(program: Program, machine_code: list[str] | None = None) -> MachineCodeSession:
    session = program.open("cortex-m4", machine_code=machine_code)
    assert isinstance(session, MachineCodeSession)
    return session


def check_against_oracle(program: Program, name: str, only: list[str] | None = None) -> None:
    """Frames as machine code; their bytes are the oracle's, and the counts are repeatable."""
    reference = np.load(MODELS / f"{name}_ref.npz")
    count = 3
    with open_program(program, only) as session:
        assert [row["pe"] for row in session.machine_code] == (
            only or [row["name"] for row in program.pes]
        )
        results = list(session.stream(reference[f"in{i}"] for i in range(count)))
        for i, result in enumerate(results):
            assert result.tobytes() == reference[f"tflm{i}"].tobytes()
        before = session.instructions
        for _ in range(2):
            session.run(reference["in0"])
    # What was counted is there when cores are gone.
    assert session.instructions > before > 0


@pytest.fixture(scope="module")
def digits() -> Program:
    return weft.compile(models_folder() / "digits_int8.tflite", GRID, pes=4)


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return list(np.load(models_folder() / "digits_test.npz")["input"][:12, None])


def native(program: Program, frames: list[np.ndarray]) -> list[bytes]:
    with program.open() as session:
        return [session.run(frame).tobytes() for frame in frames]


# --- models --------------------------------------------------------------------------------------


def test_kws_on_one_pe() -> None:
    check_against_oracle(weft.compile(model("kws"), "single-m4"), "kws")


@pytest.mark.parametrize(("name", "pes"), [("kws", 3), ("ic", 4)])
def test_a_model_as_a_pipeline_of_images(name: str, pes: int) -> None:
    program = weft.compile(model(name), GRID, pes=pes)
    assert len(program.pes) == pes
    check_against_oracle(program, name)


def test_one_pe_of_three_is_machine_code() -> None:
    program = weft.compile(model("kws"), GRID, pes=3)
    for row in program.pes:
        check_against_oracle(program, "kws", [row["name"]])


def halves(shape: list[int], pes: list[list[int]]) -> list[dict[str, Any]]:
    """Two boxes over the height, on two PEs."""
    first = shape[1] // 2
    parts = ((0, first), (first, shape[1] - first))
    return [
        {"pe": pe, "begin": [0, at, 0, 0], "shape": [shape[0], height, *shape[2:]]}
        for pe, (at, height) in zip(pes, parts, strict=True)
    ]


def cut_into_halves(source: str | list[int]) -> Program:
    """Keyword spotting over PEs (0,0) and (1,1), whose boxes overlap, frames from ``source``."""
    whole = weft.compile(model("kws"), GRID, pes=3)
    mapping = json.loads((whole.folder / MAPPING).read_text(encoding="utf-8"))
    mapping["source"] = source
    for stage, boxes in mapping["stages"].items():
        shape = boxes[0]["shape"]
        if len(shape) == 4 and shape[1] > 1:
            mapping["stages"][stage] = halves(shape, [[0, 0, 0], [1, 1, 0]])
    return weft.compile(model("kws"), GRID, mapping=mapping)


def test_the_host_cuts_frames_into_halves() -> None:
    """It is native code of the same runtime."""
    program = cut_into_halves("host")
    assert program.manifest["pes"][-1]["name"] == "host"
    assert program.manifest["pes"][-1]["shards"]
    check_against_oracle(program, "kws")


def test_a_pe_cuts_frames_into_halves() -> None:
    """It runs a program without kernels."""
    program = cut_into_halves([3, 3, 0])
    row = program.manifest["pes"][program.manifest["channels"][0]["pe"]]
    assert (row["name"], row["shards"]) == ("(3,3).0", [[]])
    check_against_oracle(program, "kws")


def test_64_pes_are_machine_code() -> None:
    """By hand: the rule takes no more PEs than make the network faster."""
    digits = models_folder() / "digits_int8.tflite"
    usable = load_machine("spinn2-chip").usable()
    pes = iter([pe.x, pe.y, pe.index] for pe in usable)
    stages = weft.compile(digits, "spinn2-chip").manifest["stages"]
    mapping = {
        "format": 1,
        "stages": {name: {"pes": list(islice(pes, 8))} for name in stages[:8]}
        | {name: {"pes": [[usable[0].x, usable[0].y, usable[0].index]]} for name in stages[8:]},
    }
    program = weft.compile(digits, "spinn2-chip", mapping=mapping)
    assert len(program.pes) == 64
    rng = np.random.default_rng(5)
    frames = [rng.integers(-128, 128, program.inputs[0].shape).astype(np.int8) for _ in range(4)]
    expected = native(program, frames)
    with open_program(program) as session:
        assert len(session.machine_code) == len(program.pes)
        assert [r.tobytes() for r in session.stream(frames)] == expected


# --- the session ---------------------------------------------------------------------------------


def test_several_frames_are_under_way_and_no_more_than_fit(
    digits: Program, frames: list[np.ndarray]
) -> None:
    asked = 0

    def source() -> Iterator[np.ndarray]:
        nonlocal asked
        for frame in frames:
            asked += 1
            yield frame

    with open_program(digits) as session:
        stream = session.stream(source())
        results = [next(stream).tobytes()]
        assert 1 < asked < len(frames)
        results += [result.tobytes() for result in stream]
        assert results == native(digits, frames)
        # A stream that is left behind leaves no frame for the next call.
        next(session.stream(frames))
        assert session.run(frames[1]).tobytes() == results[1]


def test_counts_are_repeatable(digits: Program, frames: list[np.ndarray]) -> None:
    counts = []
    for _ in range(2):
        with open_program(digits) as session:
            list(session.stream(frames))
            counts.append(session.instructions)
    assert counts[0] == counts[1] > 0


def test_images_are_linked_once(digits: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_program(digits) as session:
        listed = session.machine_code
    monkeypatch.setattr(images, "build_image", None)
    with open_program(digits) as session:
        assert session.machine_code == listed
    for linked, row in zip(session._linked.values(), listed, strict=True):
        assert hashlib.sha256(linked.elf.read_bytes()).hexdigest() == row["sha256"]


def test_only_the_transport_leaves_the_emulator(
    digits: Program, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two runs of a core, nothing of its memory changes but its arena, which others write
    to, the messages that came in, and the counter of those that were taken: 8 bytes and 6 words a
    message. PEs with a channel for the outside have that one's counters changed, too."""
    assert EXITS == ("weft_port_wait", "weft_image_stop")
    seen: dict[int, bytes] = {}
    changed: dict[int, set[int]] = {}
    ring = 8 + 8 * 24

    def memory(pe: ImagePe) -> bytes:
        return b"".join(bytes(view) for _, view in pe.core._views)

    def run(pe: ImagePe, most: int = 10_000_000) -> bool:
        if id(pe) in seen:
            pairs = zip(seen[id(pe)], memory(pe), strict=True)
            differing = {at for at, (old, new) in enumerate(pairs) if old != new}
            changed.setdefault(id(pe), set()).update(differing)
        result = original(pe, most)
        seen[id(pe)] = memory(pe)
        return result

    original = ImagePe.run
    monkeypatch.setattr(ImagePe, "run", run)
    with open_program(digits) as session:
        list(session.stream(frames[:2]))
        ends = {pe for pe, _ in (*session._inputs, *session._outputs)}
        assert len(ends) < len(session._pes)
        for number, pe in session._pes.items():
            start = pe.core.symbol("weft_image_arena")
            allowed = set(range(start, start + len(pe.arena)))
            mail = pe.core.symbol("weft_image_mail")
            allowed |= {*range(mail + 4, mail + 8), *range(mail + ring, mail + ring + 4)}
            allowed |= set(range(mail + ring + 8, mail + 2 * ring))
            if number in ends:
                start = pe.core.symbol("weft_image_state")
                allowed |= set(range(start, start + len(pe.state)))
            assert changed[id(pe)]
            assert changed[id(pe)] <= allowed
            # What decides is in the image.
            for name in ("weft_pe_step", "weft_pe_deliver_arrival", "weft_pe_deliver_credit"):
                assert pe.core.symbol(name)


def patch(session: MachineCodeSession, code: bytes) -> tuple[str, int, str]:
    """Writes instructions over a kernel of the second PE; its name, the address, the stage."""
    number, pe = list(session._pes.items())[1]
    row = session.program.manifest["pes"][number]
    task = next(t for t in row["shards"][0] if t["stage"] not in PREPARATION)
    # The last one, which computes: those before may fill or copy, for others too.
    address = pe.core.symbol(task["kernels"][-1]) & ~1
    pe.core.write(address, code)
    return row["name"], address, task["name"]


# movs r0, #0; movt r0, #0x6000; ldr r0, [r0, #8].
BAD_LOAD = bytes.fromhex("0020 c6f20000 8068")
FAULTS = {
    "usage fault": (UNDEFINED, "a usage fault (kind 6)", 0, "address 0x00000000"),
    "bus fault": (BAD_LOAD, "a bus fault (kind 5)", 6, "address 0x60000008"),
    "overflow": (bytes.fromhex("2de9ff4f fce7"), "an overflow of the stack (kind 256)", 0, None),
    "assertion": (b"\xa5\xde", "a failed assertion (kind 257)", 0, "address 0x00000000"),
}


@pytest.fixture(scope="module", params=["zig", "arm-none-eabi-gcc"])
def digits_of(request: pytest.FixtureRequest, digits: Program) -> Iterator[Program]:
    """The program, with images by each compiler in turn."""
    find = {"zig": zig_target_toolchain, "arm-none-eabi-gcc": gcc_target_toolchain}[request.param]
    if find("cortex-m4") is None:
        pytest.skip(f"{request.param} is not installed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(images, "find_target_toolchain", find)
        yield digits


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_frame_pe_stage_and_address(
    digits_of: Program, frames: list[np.ndarray], fault: str
) -> None:
    code, kind, offset, where = FAULTS[fault]
    with open_program(digits_of) as other, open_program(digits_of) as session:
        expected = other.run(frames[0]).tobytes()
        name, address, stage = patch(session, code)
        with pytest.raises(EngineError) as caught:
            session.run(frames[0])
        text = str(caught.value)
        assert text.startswith(f"frame 0: PE {name} (")
        if where is None:
            limit = list(session._pes.values())[1].core.symbol("weft_ld_stack_limit")
            where = f"address {limit - 4:#010x}"
        at = f"at pc {address + offset:#010x} in "
        for part in (stage, "program p", kind, at, where):
            assert part in text, text
        with pytest.raises(EngineError, match=re.escape(kind)):  # it stays so
            session.run(frames[0])
        assert other.run(frames[0]).tobytes() == expected  # and another goes on


def test_a_kernel_without_end_meets_the_deadline(
    digits: Program, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.engines.cortex_m4.session.FRAME_SECONDS", 0.3)
    with open_program(digits) as session:
        name, address, stage = patch(session, LOOP)
        with pytest.raises(EngineError, match="did not end within") as caught:
            session.run(frames[0])
        for part in (f"PE {name} (", stage, f"is at pc {address:#010x} in "):
            assert part in str(caught.value)


def test_an_interrupt_ends_the_session_and_not_the_process(
    digits: Program, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_pe: ImagePe) -> bool:
        raise KeyboardInterrupt

    with open_program(digits) as session:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(ImagePe, "run", interrupt)
            session.run(frames[0])
        with pytest.raises(EngineError, match="was interrupted"):
            session.run(frames[0])


def test_an_image_that_was_told_to_stop(digits: Program, frames: list[np.ndarray]) -> None:
    with open_program(digits) as session:
        pe = list(session._pes.values())[1]
        at = pe.core.symbol("weft_image_pe") + 52  # told_fault
        pe.core.set_word(at, 9)
        with pytest.raises(EngineError, match=r"^frame 0: PE .*: stopped"):
            session.run(frames[0])


def test_a_native_pe_that_fails_beside_machine_code(
    digits: Program, frames: list[np.ndarray]
) -> None:
    first, second = digits.pes[0]["name"], digits.pes[1]["name"]
    number = [row["name"] for row in digits.manifest["pes"]].index(second)
    with open_program(digits, [first]) as session:
        session._open_stream().fail(number, 9)
        with pytest.raises(EngineError, match=r"^frame 0: PE .*: stopped"):
            session.run(frames[0])


# --- what does not work --------------------------------------------------------------------------


def test_without_a_compiler_the_error_says_what_to_install(
    digits: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "find_target_toolchain", lambda _core: None)
    with pytest.raises(ToolchainError, match=r"pip install weft\[embedded\]"):
        digits.open("cortex-m4")


def test_what_cannot_be_opened(digits: Program) -> None:
    with pytest.raises(EngineError, match=r"there is no PE \(9,9\)\.0 .* there are \(0,0\)\.0"):
        digits.open("cortex-m4", machine_code=["(9,9).0"])
    with pytest.raises(EngineError, match="use the engine native"):
        digits.open("cortex-m4", machine_code=[])
    with pytest.raises(EngineError, match="takes no threads"):
        digits.open("cortex-m4", threads=2)
    with pytest.raises(EngineError, match="with the engine cortex-m4 only"):
        digits.open(machine_code=["(0,0).0"])


@pytest.mark.parametrize(
    ("classes", "error", "text"),
    [(None, ProgramError, "compile it again"), ("cortex-m7", EngineError, "is a cortex-m7")],
)
def test_what_is_not_known_of_a_pe(
    digits: Program, classes: str | None, error: type[Exception], text: str
) -> None:
    known = digits.manifest["pe_classes"]
    changed = {name: {**facts, "core": classes} for name, facts in known.items()} if classes else {}
    program = dataclasses.replace(digits, manifest={**digits.manifest, "pe_classes": changed})
    with pytest.raises(error, match=text):
        program.open("cortex-m4")


def test_a_closed_session_runs_nothing(digits: Program, frames: list[np.ndarray]) -> None:
    session = open_program(digits)
    session.close()
    session.close()
    with pytest.raises(EngineError, match="the session is closed"):
        session.run(frames[0])
