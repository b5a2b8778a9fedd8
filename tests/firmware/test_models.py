# SPDX-License-Identifier: Apache-2.0
"""Compiled models as Cortex-M4 images in emulation: the machine code gives the oracle's bytes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from emulation.pe import Pe

import weft
from weft.codegen.elf import ElfFile
from weft.codegen.images import Image, build_image
from weft.codegen.linked import software_float
from weft.codegen.runtime_sources import runtime_hash
from weft.codegen.toolchain import Toolchain, gcc_target_toolchain, zig_target_toolchain
from weft.machines import load_machine
from weft.paths import models_folder
from weft.program import Program

MODELS = Path(__file__).resolve().parents[2].parent / "shared" / "models"
MACHINE = "single-m4"
PE_CLASS = next(iter(load_machine(MACHINE).classes.values()))
BUDGET = 200_000_000


@pytest.fixture(scope="module", params=["zig", "arm-none-eabi-gcc"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    is_zig = request.param == "zig"
    found = zig_target_toolchain(PE_CLASS.core) if is_zig else gcc_target_toolchain(PE_CLASS.core)
    if found is None:
        missing = "the Python package ziglang" if is_zig else request.param
        pytest.skip(f"{missing} is not installed")
    return found


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


def run_frames(image: Image, program: Program, frames: list[np.ndarray]) -> list[np.ndarray]:
    """The results of ``frames`` as the emulated PE computes them."""
    pe = Pe(image.elf, [(r.origin, r.length) for r in PE_CLASS.memory])
    (output,) = program.outputs
    results = []
    pe.run()
    for frame in frames:
        pe.feed(0, frame.tobytes())
        pe.run(BUDGET)
        results.append(np.frombuffer(pe.collect(1), output.dtype).reshape(output.shape))
    return results


def test_digits_image(toolchain: Toolchain, tmp_path: Path) -> None:
    program = weft.compile(models_folder() / "digits_int8.tflite", MACHINE)
    image = build(program, toolchain, tmp_path / "digits.elf")
    frames = list(np.load(models_folder() / "digits_test.npz")["input"][:5, None])
    with program.open() as session:
        expected = [session.run(f) for f in frames]
    for got, wanted in zip(run_frames(image, program, frames), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_image_and_host_are_made_from_one_runtime(toolchain: Toolchain, tmp_path: Path) -> None:
    program = weft.compile(models_folder() / "digits_int8.tflite", MACHINE)
    image = build(program, toolchain, tmp_path / "digits.elf")
    pe = Pe(image.elf, [(r.origin, r.length) for r in PE_CLASS.memory])
    pe.run()
    reported = pe.core.string(pe.core.word(image.symbol("weft_image_runtime_hash")))
    with program.open() as session:
        assert reported == session.runtime_hash == runtime_hash(program.folder / "runtime")


def test_kws_takes_64_kib(toolchain: Toolchain, tmp_path: Path) -> None:
    model = MODELS / "kws_int8.tflite"
    if not model.is_file():
        pytest.skip(f"{model} is missing: get it from the repository mlcommons/tiny (training/kws)")
    image = build(weft.compile(model, MACHINE), toolchain, tmp_path / "kws.elf")
    assert image.sections["total"] <= 64 << 10


def test_kws_on_one_pe(toolchain: Toolchain, tmp_path: Path) -> None:
    model = MODELS / "kws_int8.tflite"
    if not model.is_file():
        reason = f"{model} is missing: get it from the repository mlcommons/tiny (training/kws)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    sums = (MODELS / "SHA256SUMS").read_text(encoding="utf-8")
    assert hashlib.sha256(model.read_bytes()).hexdigest() in sums
    program = weft.compile(model, MACHINE)
    image = build(program, toolchain, tmp_path / "kws.elf")
    assert software_float(ElfFile(image.elf)) == []
    assert image.sections["stack"] == image.stack.bytes < 1024
    if toolchain.version in program.manifest["programs"][0]["sizes_from"].values():
        assert image.sections["total"] <= program.sram_bytes
    reference = np.load(MODELS / "kws_ref.npz")
    frames = [reference[f"in{i}"] for i in range(3)]
    for i, got in enumerate(run_frames(image, program, frames)):
        assert got.tobytes() == reference[f"tflm{i}"].tobytes()
