# SPDX-License-Identifier: Apache-2.0
"""Trained models over many PEs, byte for byte what TFLM recorded, one frame or many under way;
where the weights alone are more than the PEs hold, a refusal with byte counts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import weft
from support.oracle_count import compare
from weft.errors import DoesNotFitError
from weft.program import Program

MODELS = ("kws", "ic", "ad")
COUNTS = (1, 2, 3, 4, 8, 16, 64, 148)
#: In the quick profile: too few, a few, all; every count is tried on the roomy machine.
QUICK_COUNTS = (1, 3, 16, 148)
FRAMES = (1, 32)
#: What weights and code leave no room for.
TOO_SMALL = {
    *(("grid-4x4", "ic", n) for n in (1,)),
    *(("grid-4x4", "ad", n) for n in (1, 2)),
    ("biglittle-4x4", "ad", 1),
    ("spinn2-chip", "ic", 1),
    *(("spinn2-chip", "ad", n) for n in (1, 2, 3)),
}
BUNDLED = {"grid-4x4": 16, "biglittle-4x4": 16, "spinn2-chip": 148}
CASES = [
    (machine, name, pes)
    for machine, most in BUNDLED.items()
    for name in MODELS
    for pes in (COUNTS if settings().max_examples > 3 else QUICK_COUNTS)
    if pes <= most
]

ROOMY = """\
format = 1
[pe_class.m4]
core = "cortex-m4f"
clock_mhz = 150
stack_bytes = 4096
memory = [{ name = "sram", origin = 0, bytes = 1048576, holds = ["code", "constants", "data"] }]
[grid]
width = 12
height = 13
pe_class = "m4"
"""

Trained = Callable[..., Path]


def check_stream(program: Program, name: str, trained_file: Trained) -> None:
    with np.load(trained_file(f"{name}_ref.npz")) as record:
        cases = [(record[f"in{i}"], record[f"tflm{i}"]) for i in range(3)]
    for count in FRAMES:
        under_way = [case for case, _ in zip(itertools.cycle(cases), range(count), strict=False)]
        with program.open() as session:
            results = list(session.stream(frame for frame, _ in under_way))
        assert len(results) == count
        for number, (result, (_, expected)) in enumerate(zip(results, under_way, strict=True)):
            compare(result.reshape(expected.shape), expected, f"{name} frame {number} of {count}")


@pytest.mark.parametrize(("machine", "name", "pes"), CASES)
def test_bundled_machines(machine: str, name: str, pes: int, trained_file: Trained) -> None:
    model = trained_file(f"{name}_int8.tflite")
    if (machine, name, pes) in TOO_SMALL:
        with pytest.raises(DoesNotFitError, match=r"needs \d+ bytes, \d+ are there"):
            weft.compile(model, machine, pes=pes)
        return
    program = weft.compile(model, machine, pes=pes)
    assert len(program.pes) <= pes
    if pes <= 4:
        assert len(program.pes) == pes
    check_stream(program, name, trained_file)


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """156 PEs of 1 MiB, their code not measured: how a network is cut is what is tried."""
    path = tmp_path_factory.mktemp("machine") / "roomy.toml"
    path.write_text(ROOMY, encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.codegen.build.find_target_toolchain", lambda _: None)
        yield path


@pytest.mark.parametrize("pes", COUNTS)
@pytest.mark.parametrize("name", MODELS)
def test_any_number_of_pes(name: str, pes: int, roomy: Path, trained_file: Trained) -> None:
    program = weft.compile(trained_file(f"{name}_int8.tflite"), roomy, pes=pes)
    assert len(program.pes) <= pes
    check_stream(program, name, trained_file)
