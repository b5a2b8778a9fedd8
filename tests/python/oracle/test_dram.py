"""Weights in DRAM: networks larger than all memory of a machine, byte for byte what TFLM computes,
on the core and on a device, in every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

import weft
from support.networks import Network
from support.oracle_count import compare
from support.tflm import run_tflm_batch
from weft.errors import DoesNotFitError
from weft.program import Program

SRAM = 128 << 10
ONE_PE = f"""\
format = 1
[pe_class.m4]
core = "cortex-m4f"
clock_mhz = 150
memory = [{{ name = "sram", origin = 0, bytes = {SRAM}, holds = ["code", "constants", "data"] }}]
[grid]
width = 1
height = 1
pe_class = "m4"
[links]
dram = 6_400_000_000
"""
DEVICES = (("dma",), ("dma", "mac_array"), ("mac_array:accumulator_bits=24", "dma"))
FRAMES = 3


@pytest.fixture
def one_pe(tmp_path: Path) -> Path:
    path = tmp_path / "one-pe.toml"
    path.write_text(ONE_PE, encoding="utf-8")
    return path


def convolutions() -> bytes:
    """Five layers whose weights are more than a PE has memory; each fits with the next."""
    n = Network(np.random.default_rng(3))
    x = n.input((1, 8, 8, 16))
    for _ in range(5):
        x = n.conv2d(x, 64, (3, 3))
    return n.build(x)


def many_kinds() -> bytes:
    """Depthwise and dense weights large enough for DRAM, a convolution whose sums need more than 24
    bits at worst, channels that fill no block, and small weights that stay with the PE."""
    n = Network(np.random.default_rng(5))
    x = n.input((1, 8, 8, 8))
    x = n.conv2d(x, 24, (1, 1))
    x = n.conv2d(x, 300, (1, 1), activation="NONE")
    x = n.depthwise_conv2d(x, (3, 3), (2, 2))
    x = n.conv2d(x, 18, (3, 3), padding="VALID")
    x = n.flatten(x)
    x = n.fully_connected(x, 500, activation="RELU6")
    x = n.fully_connected(x, 70)
    return n.build(x)


def check(program: Program, model: bytes, engine: str, label: str) -> None:
    rng = np.random.default_rng(1)
    shape = program.inputs[0].shape
    frames = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(FRAMES)]
    wanted = [y for (y,) in run_tflm_batch(model, [[x] for x in frames])]
    assert len({y.tobytes() for y in wanted}) == FRAMES
    with program.open(engine) as session:
        results = list(session.stream(frames))
    for number, (result, expected) in enumerate(zip(results, wanted, strict=True)):
        compare(result, expected, f"{label}, {engine}, frame {number}")


@pytest.mark.parametrize("network", [convolutions, many_kinds])
@pytest.mark.parametrize("devices", DEVICES)
def test_weights_come_from_dram(
    network: Callable[[], bytes], devices: Sequence[str], one_pe: Path
) -> None:
    model = network()
    program = weft.compile(model, one_pe, devices=devices, weights="dram")
    assert program.sram_bytes <= SRAM
    stored = program.manifest["dram"]
    assert (program.folder / stored["file"]).stat().st_size == stored["bytes"]
    for engine in ("native", "timed", "cortex-m4"):
        check(program, model, engine, f"{network.__name__} on {devices}")


@pytest.mark.parametrize("devices", [(), ("dma",), ("dma", "mac_array")])
def test_what_is_larger_than_all_memory_needs_dram(devices: Sequence[str], one_pe: Path) -> None:
    model = convolutions()
    with pytest.raises(DoesNotFitError) as refusal:
        weft.compile(model, one_pe, devices=devices)
    assert refusal.value.needed > refusal.value.available == SRAM
    assert str(refusal.value.needed) in str(refusal.value)


@pytest.mark.parametrize("pes", [1, 6, None])
@pytest.mark.parametrize("name", ["kws", "ic", "ad"])
def test_trained_models(
    name: str, pes: int | None, trained_file: Callable[[str], Path], one_pe: Path
) -> None:
    model = trained_file(f"{name}_int8.tflite")
    machine = one_pe if pes == 1 else "spinn2-chip"
    devices = ["dma"] if pes == 6 else ["dma", "mac_array"]
    program = weft.compile(model, machine, pes=pes, devices=devices, weights="dram")
    if pes is not None:  # cut over many PEs, weights may be too small for it
        assert program.manifest["dram"]["bytes"] > 0
    with np.load(trained_file(f"{name}_ref.npz")) as record, program.open("native") as session:
        for i in range(3):
            compare(session.run(record[f"in{i}"]), record[f"tflm{i}"], f"{name} {i}, {pes} PEs")
