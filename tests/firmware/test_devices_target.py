# SPDX-License-Identifier: Apache-2.0
"""Networks whose layers a device computes, as images: the same bytes, in the stack that was
computed; and images of programs without devices have nothing of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from emulation.pe import Pe

import weft
from weft.codegen.elf import ElfFile
from weft.codegen.images import Image, build_image
from weft.codegen.linked import software_float
from weft.codegen.stack import GUARD_BYTES
from weft.codegen.toolchain import Toolchain, gcc_target_toolchain, zig_target_toolchain
from weft.engines.cortex_m4 import qemu
from weft.engines.cortex_m4.session import MachineCodeSession
from weft.machines import load_machine
from weft.paths import models_folder
from weft.program import Program

MODELS = Path(__file__).resolve().parents[2].parent / "shared" / "models"
PE_CLASS = next(iter(load_machine("single-m4").classes.values()))
BUDGET = 400_000_000
OPTIONS = "mac_array:accumulator_bits=29,overflow=saturate,subtracts_zero_points=true"
FILLING = 0xA5  # of a stack that nobody wrote


@pytest.fixture(scope="module", params=["zig", "arm-none-eabi-gcc"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    is_zig = request.param == "zig"
    found = zig_target_toolchain(PE_CLASS.core) if is_zig else gcc_target_toolchain(PE_CLASS.core)
    if found is None:
        missing = "the Python package ziglang" if is_zig else request.param
        pytest.skip(f"{missing} is not installed")
    return found


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return list(np.load(models_folder() / "digits_test.npz")["input"][:4, None])


@pytest.fixture(scope="module")
def digits() -> Program:
    return weft.compile(models_folder() / "digits_int8.tflite", "single-m4", devices=["mac_array"])


def native(frames: list[np.ndarray]) -> list[bytes]:
    """What the core alone makes of digits."""
    with weft.compile(models_folder() / "digits_int8.tflite", "single-m4").open() as session:
        return [session.run(frame).tobytes() for frame in frames]


def build(program: Program, toolchain: Toolchain, out: Path) -> Image:
    return build_image(
        program.folder,
        "p0",
        memory=PE_CLASS.memory,
        stack_bytes=PE_CLASS.stack_bytes,
        toolchain=toolchain,
        out=out,
        runtime_hash=program.manifest["runtime_sha256"],
    )


def started(image: Image) -> Pe:
    pe = Pe(image.elf, [(r.origin, r.length) for r in PE_CLASS.memory])
    pe.run()
    return pe


def run(pe: Pe, frames: list[np.ndarray]) -> list[bytes]:
    results = []
    for frame in frames:
        pe.feed(0, frame.tobytes())
        pe.run(BUDGET)
        results.append(pe.collect(1))
    return results


def device_names(image: Image) -> set[str]:
    """Functions and data of the device API and of devices that an image has."""
    words = ("weft_device", "weft_pe_devices", "weft_pe_descriptor", "weft_pe_launch")
    words += ("weft_pe_await", "weft_pe_check_devices", "weft_ticket", "mac_array", "launch_")
    names = [symbol.name for symbol in ElfFile(image.elf).symbols]
    return {name for name in names if any(word in name for word in words)}


# --- images ---


def test_digits_image(
    digits: Program, toolchain: Toolchain, frames: list[np.ndarray], tmp_path: Path
) -> None:
    image = build(digits, toolchain, tmp_path / "digits.elf")
    assert software_float(ElfFile(image.elf)) == []
    assert {"weft_device_poll", "weft_mac_array_driver"} <= device_names(image)
    pe = started(image)
    assert run(pe, frames) == native(frames)
    # What was written of the stack lies within what was computed, the guard not counted.
    limit, top = image.symbol("weft_ld_stack_limit"), image.symbol("weft_ld_stack_top")
    seen = len(pe.core.read(limit, top - limit).lstrip(bytes([FILLING])))
    assert 0 < seen <= image.stack.bytes - GUARD_BYTES
    assert image.sections["stack"] == image.stack.bytes
    if toolchain.version in digits.manifest["programs"][0]["sizes_from"].values():
        assert image.sections["total"] <= digits.sram_bytes


def test_an_image_without_devices_has_nothing_of_them(
    digits: Program, toolchain: Toolchain, tmp_path: Path
) -> None:
    plain = weft.compile(models_folder() / "digits_int8.tflite", "single-m4")
    without = build(plain, toolchain, tmp_path / "plain.elf")
    assert device_names(without) == set()
    with_devices = build(digits, toolchain, tmp_path / "devices.elf")
    assert len(device_names(with_devices)) > 10


def test_a_device_that_the_core_has_no_work_for_is_not_linked(
    toolchain: Toolchain, tmp_path: Path
) -> None:
    """The null device takes no layer: its program is like one without."""
    model = models_folder() / "digits_int8.tflite"
    program = weft.compile(model, "single-m4", devices=["null"])
    assert device_names(build(program, toolchain, tmp_path / "null.elf")) == set()


# --- the engine ---


@pytest.fixture(params=["unicorn", "qemu"])
def emulator(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "qemu" and shutil.which(qemu.COMMAND) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{qemu.COMMAND} is not installed")
        pytest.skip(f"{qemu.COMMAND} is not installed")
    monkeypatch.setenv("WEFT_EMULATOR", request.param)
    return request.param


def opened(program: Program) -> MachineCodeSession:
    session = program.open("cortex-m4")
    assert isinstance(session, MachineCodeSession)
    return session


def test_digits_with_either_emulator(
    emulator: str, digits: Program, frames: list[np.ndarray]
) -> None:
    with opened(digits) as session:
        assert session.emulator == emulator
        assert [session.run(frame).tobytes() for frame in frames] == native(frames)


def test_digits_over_pes_with_frames_under_way(frames: list[np.ndarray]) -> None:
    model = models_folder() / "digits_int8.tflite"
    program = weft.compile(model, "grid-4x4", pes=3, devices=[OPTIONS])
    with opened(program) as session:
        assert len(session.machine_code) == 3
        results = [result.tobytes() for result in session.stream(frames)]
    assert results == native(frames)


@pytest.mark.parametrize("device", ["mac_array", OPTIONS])
def test_kws_on_one_pe(device: str) -> None:
    path = MODELS / "kws_int8.tflite"
    if not path.is_file():
        reason = f"{path} is missing: get it from the repository mlcommons/tiny (training/kws)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    reference = np.load(MODELS / "kws_ref.npz")
    with opened(weft.compile(path, "single-m4", devices=[device])) as session:
        for i in range(2):
            assert session.run(reference[f"in{i}"]).tobytes() == reference[f"tflm{i}"].tobytes()
