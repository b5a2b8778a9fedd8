# SPDX-License-Identifier: Apache-2.0
"""What a lowering may ask for: an order and size of weights of its own, aligned operands, short
jobs, names of its own in the descriptor; and where devices come from."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from support.tflite_builder import ModelBuilder, Tensor
from weft.devices.accelerator import Accelerator, accelerators

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "my_accelerator"


@pytest.fixture
def device(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "theirs"))


def edit(folder: Path, name: str, before: str, after: str) -> None:
    text = (folder / name).read_text(encoding="utf-8")
    assert before in text
    (folder / name).write_text(text.replace(before, after), encoding="utf-8")


def loaded(folder: Path) -> Accelerator:
    (device,) = accelerators([("mine", str(folder), {})])
    return device


def check(model: bytes, folder: Path, tmp_path: Path) -> weft.Program:
    """Compiles for the device; the bytes must be those of the core, in frames that differ."""
    rng = np.random.default_rng(0)
    program = weft.compile(model, "single-m4", devices=[str(folder)], output=tmp_path / "program")
    shape = program.inputs[0].shape
    frames = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(8)]
    with program.open() as session, weft.compile(model, "single-m4").open() as plain:
        results = [session.run(frame) for frame in frames]
        for result, frame in zip(results, frames, strict=True):
            assert result.tobytes() == plain.run(frame).tobytes()
    assert len({result.tobytes() for result in results}) > 1
    return program


def network(build: Callable[[ModelBuilder], Tensor]) -> bytes:
    m = ModelBuilder()
    m.output(build(m))
    return m.build()


def dense(m: ModelBuilder, x: Tensor, units: int) -> Tensor:
    rng = np.random.default_rng(units)
    weights = rng.integers(-127, 128, (units, x.shape[-1])).astype(np.int8)
    bias = np.arange(units)
    return m.fully_connected(x, weights, bias, 0.01, scale=5.0, zero_point=3)


def test_weights_may_take_more_room_than_they_are(device: Path, tmp_path: Path) -> None:
    """Eight bytes behind every block: jobs still find their weights, in every tile and part."""
    edit(device, "lowering.py", ".tobytes()", ".tobytes() + bytes(8)")
    edit(
        device,
        "my_accelerator.c",
        "output / 8 * 8 * job->inputs",
        "output / 8 * (8 * job->inputs + 8)",
    )
    accelerator = loaded(device)
    assert accelerator.packed_bytes(20, 1, 1, 16) == 3 * (8 * 16 + 8)
    assert len(accelerator.pack(np.ones((20, 1, 1, 16), np.int8))) == 3 * (8 * 16 + 8)
    check(network(lambda m: dense(m, m.input((3, 40), 0.1, -5), 20)), device, tmp_path)


def test_blocks_that_are_not_full_may_be_shorter(device: Path, tmp_path: Path) -> None:
    before = "np.zeros((CHANNELS, inputs), np.int8)"
    edit(device, "lowering.py", before, "np.zeros((outputs, inputs), np.int8)")
    edit(device, "lowering.py", "reshape(CHANNELS, ", "reshape(outputs, ")
    text = (device / "my_accelerator.c").read_text("utf-8")
    text = text.replace("int32_t inputs)", "int32_t inputs, int32_t width)")
    text = text.replace("k / 4 * 32", "k / 4 * 4 * width")
    text = text.replace(
        "job->inputs);\n",
        "job->inputs,\n                           job->outputs - output / 8 * 8 < 8 "
        "? job->outputs % 8 : 8);\n",
    )
    (device / "my_accelerator.c").write_text(text, "utf-8")
    assert loaded(device).packed_bytes(10, 1, 1, 16) == 10 * 16
    check(network(lambda m: dense(m, m.input((2, 16), 0.1, -5), 10)), device, tmp_path)


def test_pointers_have_the_names_of_the_descriptor(device: Path, tmp_path: Path) -> None:
    for name in ("device.toml", "my_accelerator.h", "my_accelerator.c"):
        text = (device / name).read_text("utf-8")
        for old, new in ("x", "operand"), ("weights", "matrix"), ("out", "sums"):
            text = text.replace(f'"{old}"', f'"{new}"').replace(f"job->{old}", f"job->{new}")
            text = re.sub(rf"\*{old};", f"*{new};", text)
            text = text.replace(f"job->{new}puts", f"job->{old}puts")
        (device / name).write_text(text.replace("job->operand_", "job->x_"), "utf-8")
    assert loaded(device).description.descriptor.pointers == ("operand", "matrix", "sums")
    check(network(lambda m: dense(m, m.input((1, 24), 0.1, -5), 5)), device, tmp_path)


def shifted(m: ModelBuilder) -> Tensor:
    """A vector that lies three bytes behind the start of its tensor."""
    x = m.max_pool2d(m.input((1, 1, 5, 3), 0.1, 0), (1, 1))
    part = m.strided_slice(x, (0, 0, 1, 0), (1, 1, 5, 3), (1, 1, 1, 1))
    return dense(m, m.reshape(part, (1, 12)), 6)


def test_operands_that_are_not_aligned_are_copied(device: Path, tmp_path: Path) -> None:
    def kernels(program: weft.Program) -> set[str]:
        return {k for p in program.manifest["programs"] for k in p["kernels"]}

    found = kernels(check(network(shifted), device, tmp_path))
    assert {"launch_my_accelerator", "weft_copy_rows"} <= found
    # The driver does without: then nothing is copied.
    edit(device, "lowering.py", "PIXELS = 1", "PIXELS = 1\nX_ALIGNMENT = 1\nINPUT_CHANNELS = 4")
    edit(device, "my_accelerator.c", "(uintptr_t)job->x | ", "")
    found = kernels(check(network(shifted), device, tmp_path))
    assert "launch_my_accelerator" in found and "weft_copy_rows" not in found


def test_pixels_that_are_not_aligned_are_refused(device: Path, tmp_path: Path) -> None:
    edit(device, "lowering.py", "if layer.channels % 4 != 0", "if False")
    program = check(network(lambda m: dense(m, m.input((2, 6), 0.1, 0), 5)), device, tmp_path)
    (row,) = program.manifest["offload"]
    assert row["on"].keys() == {"core"}
    assert row["reasons"] == ["theirs: operands 6 bytes apart are not aligned to 4"]


def test_windows_longer_than_a_job_are_refused_or_cut(device: Path, tmp_path: Path) -> None:
    edit(device, "lowering.py", "MOST_PRODUCTS = 32", "MOST_PRODUCTS = 8")
    program = check(network(lambda m: dense(m, m.input((1, 40), 0.1, 0), 5)), device, tmp_path)
    (row,) = program.manifest["offload"]
    assert row["on"].keys() == {"theirs"} and row["parts"] == 5
    edit(device, "lowering.py", "MOST_PRODUCTS = 8", "MOST_PRODUCTS = 3")
    program = check(network(lambda m: dense(m, m.input((1, 40), 0.1, 0), 5)), device, tmp_path)
    (row,) = program.manifest["offload"]
    assert row["reasons"] == ["theirs: jobs of at most 3 products are too short"]


def test_a_changed_device_is_compiled_anew(device: Path) -> None:
    model = network(lambda m: dense(m, m.input((1, 24), 0.1, 0), 5))

    def compiled() -> weft.Program:
        return weft.compile(model, "single-m4", devices=[str(device)])

    first = compiled()
    assert compiled().folder == first.folder
    assert not (device / "__pycache__").exists()
    edit(device, "lowering.py", "return None", 'return "is away"')
    second = compiled()
    assert second.folder != first.folder
    assert second.manifest["offload"][0]["reasons"] == ["theirs: is away"]


@pytest.fixture
def distribution(tmp_path: Path) -> Path:
    """An installed distribution that brings a device: a package, and what `pip` knows of it."""
    site = tmp_path / "site"
    package = site / "dot_products"
    package.mkdir(parents=True)
    shutil.copytree(EXAMPLE, package / "engine")
    (package / "__init__.py").write_text(
        "from pathlib import Path\n\nENGINE = Path(__file__).parent / 'engine'\n", "utf-8"
    )
    about = site / "dot_products-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: dot-products\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[weft.devices]\ndot = dot_products:ENGINE\n")
    return site


def test_a_distribution_brings_a_device(
    distribution: Path, digits_model: Path, tmp_path: Path
) -> None:
    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(a) for a in (Path(sys.executable).with_name("weft"), *arguments)],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            env=os.environ | {"PYTHONPATH": str(distribution)},
        )

    tested = run("device", "test", "dot")
    assert tested.returncode == 0, tested.stderr
    machine = ("--machine", "single-m4")
    done = run("compile", digits_model, *machine, "--device", "dot", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "(dense): dot, the reduction in 5 parts" in done.stdout
    results = [run("run", digits_model, *machine, *more) for more in ((), ("--device", "dot"))]
    digests = [re.findall(r"sha256 of the output (\w+)", r.stdout) for r in results]
    assert digests[0] and digests[0] == digests[1]
    unknown = run("compile", digits_model, *machine, "--device", "dott", "-o", tmp_path / "out")
    assert unknown.returncode == 2
    assert "there is no device called 'dott'; known are" in unknown.stderr
    assert ", dot; a folder is given by its path" in unknown.stderr
