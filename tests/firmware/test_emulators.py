# SPDX-License-Identifier: Apache-2.0
"""The engine cortex-m4 with either emulator: which one runs, the same bytes, the same faults."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.codegen.toolchain import find_target_toolchain
from weft.engines.cortex_m4 import gdb, qemu
from weft.engines.cortex_m4.image_pe import ImagePe
from weft.engines.cortex_m4.mail import BOX, Message
from weft.engines.cortex_m4.session import MachineCodeSession
from weft.errors import EngineError
from weft.paths import models_folder
from weft.program import PREPARATION, Program

MODELS = Path(__file__).resolve().parents[2].parent / "shared" / "models"
LOOP = bytes.fromhex("fee7")  # b .
FAULTS = {
    "usage fault": ("00de", "a usage fault (kind 6)"),
    # movs r0, #0; movt r0, #0x6000; ldr r0, [r0, #8]
    "bus fault": ("0020 c6f20000 8068", "a bus fault (kind 5)"),
    "overflow": ("2de9ff4f fce7", "an overflow of the stack (kind 256)"),
    "assertion": ("a5de", "a failed assertion (kind 257)"),
}

pytestmark = pytest.mark.skipif(
    find_target_toolchain("cortex-m4") is None, reason="no target compiler is installed"
)


def need(emulator: str) -> None:
    if emulator == "unicorn":
        pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")
    elif shutil.which(qemu.COMMAND) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{qemu.COMMAND} is not installed")
        pytest.skip(f"{qemu.COMMAND} is not installed")


@pytest.fixture(params=["unicorn", "qemu"])
def emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    need(request.param)
    monkeypatch.setenv("WEFT_EMULATOR", request.param)
    return request.param


@pytest.fixture
def with_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    need("qemu")
    monkeypatch.setenv("WEFT_EMULATOR", "qemu")


@pytest.fixture(scope="module")
def digits() -> Program:
    return weft.compile(models_folder() / "digits_int8.tflite", "single-m4")


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return list(np.load(models_folder() / "digits_test.npz")["input"][:3, None])


def opened(program: Program) -> MachineCodeSession:
    session = program.open("cortex-m4")
    assert isinstance(session, MachineCodeSession)
    return session


def native(program: Program, frames: list[np.ndarray]) -> list[bytes]:
    with program.open() as session:
        return [session.run(frame).tobytes() for frame in frames]


def test_kws_has_the_bytes_of_its_reference(emulator: str) -> None:
    path = MODELS / "kws_int8.tflite"
    if not path.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"{path} is missing")
        pytest.skip(f"{path} is missing")
    reference = np.load(MODELS / "kws_ref.npz")
    with opened(weft.compile(path, "single-m4")) as session:
        assert session.emulator == emulator
        assert (session.instructions is None) == (emulator == "qemu")
        for i in range(2):
            assert session.run(reference[f"in{i}"]).tobytes() == reference[f"tflm{i}"].tobytes()


def test_a_mesh_has_the_bytes_of_native_code(emulator: str, frames: list[np.ndarray]) -> None:
    program = weft.compile(models_folder() / "digits_int8.tflite", "grid-4x4", pes=3)
    with opened(program) as session:
        assert len(session.machine_code) == 3
        results = [result.tobytes() for result in session.stream(frames)]
    assert results == native(program, frames)


def test_a_box_is_carried(emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many runs, which are one message: cut rows have gaps where they lie."""
    carried = []
    take = ImagePe.take_mail

    def noted(pe: ImagePe) -> list[Message]:
        messages = take(pe)
        carried.extend(m for m in messages if m.kind == BOX and len(m.runs) > 1)
        return messages

    monkeypatch.setattr(ImagePe, "take_mail", noted)
    program = weft.compile(models_folder() / "digits_int8.tflite", "grid-4x4")
    frame = np.load(models_folder() / "digits_test.npz")["input"][:1]
    with opened(program) as session:
        assert session.run(frame).tobytes() == native(program, [frame])[0]
    assert carried


def test_counts_are_there_or_refused(
    emulator: str, digits: Program, frames: list[np.ndarray]
) -> None:
    with opened(digits) as session:
        session.run(frames[0])
        if emulator == "unicorn":
            assert session.counts().total(lambda place: place.is_kernel).instructions > 10_000
        else:
            with pytest.raises(EngineError, match=r"does not count.*weft\[emulate\]"):
                session.counts()


def patch(session: MachineCodeSession, code: str) -> tuple[str, int, str]:
    """Writes instructions over a kernel; the PE's name, the address, the stage."""
    ((number, pe),) = session._pes.items()
    row = session.program.manifest["pes"][number]
    task = next(t for t in row["shards"][0] if t["stage"] not in PREPARATION)
    # The last one, which computes: those before may fill or copy, for others too.
    address = pe.core.symbol(task["kernels"][-1]) & ~1
    pe.core.write(address, bytes.fromhex(code))
    return row["name"], address, task["name"]


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_and_other_sessions_go_on(
    emulator: str, digits: Program, frames: list[np.ndarray], fault: str
) -> None:
    code, kind = FAULTS[fault]
    with opened(digits) as other, opened(digits) as session:
        name, address, stage = patch(session, code)
        with pytest.raises(EngineError) as caught:
            session.run(frames[0])
        text = str(caught.value)
        assert text.startswith(f"frame 0: PE {name} ("), text
        for part in (stage, "program p0", kind):
            assert part in text, text
        pc = int(re.search(r"at pc (0x\w+)", text)[1], 16)
        at = int(re.search(r"address (0x\w+)", text)[1], 16)
        core = next(iter(session._pes.values())).core
        if fault == "overflow":
            # A core whose stack is full cannot push where it was.
            limit = core.symbol("weft_ld_stack_limit")
            assert core.symbol("weft_ld_stack_guard") <= at < limit
            assert pc in {0, address}
        else:
            assert address <= pc < address + 8
            assert at == (0x60000008 if fault == "bus fault" else 0)
        with pytest.raises(EngineError, match=re.escape(kind)):  # it stays so
            session.run(frames[0])
        assert other.run(frames[0]).tobytes() == native(digits, frames[:1])[0]


def test_a_kernel_without_end_meets_the_deadline(
    emulator: str, digits: Program, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.engines.cortex_m4.session.FRAME_SECONDS", 0.3)
    monkeypatch.setattr(qemu, "_SLICE_SECONDS", 0.2)
    with opened(digits) as session:
        name, address, _ = patch(session, LOOP.hex())
        with pytest.raises(EngineError, match="did not end within") as caught:
            session.run(frames[0])
        for part in (f"PE {name} (", f"is at pc {address:#010x} in "):
            assert part in str(caught.value)


# --- processes of QEMU ---------------------------------------------------------------------------


def process_of(session: MachineCodeSession) -> int:
    (pe,) = session._pes.values()
    assert isinstance(pe.core, qemu.QemuCore)
    return pe.core.process


def is_running(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def test_the_process_ends_with_the_session(with_qemu: None, digits: Program) -> None:
    with opened(digits) as session:
        process = process_of(session)
        assert is_running(process)
    assert not is_running(process)


def test_a_process_that_dies_is_told(
    with_qemu: None, digits: Program, frames: list[np.ndarray]
) -> None:
    with opened(digits) as session:
        os.kill(process_of(session), signal.SIGKILL)
        with pytest.raises(EngineError, match=r"the emulator (has ended|is gone)"):
            session.run(frames[0])


def test_a_process_that_hangs_meets_the_deadline(
    with_qemu: None, digits: Program, frames: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gdb, "_ANSWER_SECONDS", 0.3)
    with opened(digits) as session:
        os.kill(process_of(session), signal.SIGSTOP)
        with pytest.raises(EngineError, match="the emulator did not answer"):
            session.run(frames[0])


def test_what_is_no_qemu_is_told(
    digits: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / qemu.COMMAND
    fake.write_text("#!/bin/sh\nexit 3\n", encoding="ascii")
    fake.chmod(0o755)
    monkeypatch.setenv("WEFT_EMULATOR", "qemu")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(EngineError, match="qemu cannot run an image: the emulator"):
        digits.open("cortex-m4")


def test_memory_that_the_board_lacks_is_told(with_qemu: None, digits: Program) -> None:
    import dataclasses

    classes = {
        name: {**facts, "memory": [{**facts["memory"][0], "origin": 0x30000000}]}
        for name, facts in digits.manifest["pe_classes"].items()
    }
    program = dataclasses.replace(digits, manifest={**digits.manifest, "pe_classes": classes})
    with pytest.raises(EngineError, match="has no memory of 131072 bytes at 0x30000000"):
        program.open("cortex-m4")


# --- which one -----------------------------------------------------------------------------------


@pytest.fixture
def without_unicorn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delitem(sys.modules, "weft.engines.cortex_m4.core", raising=False)
    monkeypatch.setitem(sys.modules, "unicorn", None)
    monkeypatch.delenv("WEFT_EMULATOR", raising=False)
    yield


def test_without_unicorn_it_is_qemu(
    without_unicorn: None, digits: Program, frames: list[np.ndarray]
) -> None:
    need("qemu")
    with opened(digits) as session:
        assert session.emulator == "qemu"
        assert session.run(frames[0]).tobytes() == native(digits, frames[:1])[0]


def test_without_either_the_error_says_what_to_install(
    without_unicorn: None, digits: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qemu, "installed", lambda: None)
    with pytest.raises(EngineError, match=r"pip install weft\[emulate\], or qemu-system-arm"):
        digits.open("cortex-m4")


@pytest.mark.parametrize("name", ["unicorn", "qemu", "bochs"])
def test_an_emulator_that_is_named_but_not_there(
    without_unicorn: None, digits: Program, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("WEFT_EMULATOR", name)
    monkeypatch.setattr(qemu, "installed", lambda: None)
    with pytest.raises(EngineError) as caught:
        digits.open("cortex-m4")
    assert {"unicorn": "weft[emulate]", "qemu": qemu.COMMAND, "bochs": "WEFT_EMULATOR is bochs"}[
        name
    ] in str(caught.value)
