# SPDX-License-Identifier: Apache-2.0
"""The model of the array as machine code of a Cortex-M4: the same bits as everywhere."""

from __future__ import annotations

import struct

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from pathlib import Path

from emulation.functions import Array as Memory
from emulation.functions import FunctionCore, link_functions
from hypothesis import given, settings

from devices.mac_array_cases import cases
from devices.mac_array_jobs import FILL, job_of
from devices.mac_array_reference import ARRAYS, Array, Case, result
from weft.codegen.toolchain import gcc_target_toolchain, zig_target_toolchain
from weft.devices import load_device

FOLDER = load_device("mac_array").folder
CALL = Path(__file__).parent / "emulation" / "mac_array_call.c"


@pytest.fixture(scope="module", params=[gcc_target_toolchain, zig_target_toolchain])
def core(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FunctionCore:
    toolchain = request.param("cortex-m4")
    if toolchain is None:
        pytest.skip("the compiler is not installed")
    folder = tmp_path_factory.mktemp("mac_array") / "linked"
    sources = [CALL, FOLDER / "mac_array_model.c"]
    return FunctionCore(
        link_functions(toolchain, folder, sources, "call_mac_array", "-I", str(FOLDER))
    )


def run(core: FunctionCore, case: Case, array: Array) -> np.ndarray:
    job = job_of(case)
    numbers = list(job.numbers.values())
    descriptor = struct.pack(f"<3I{len(numbers)}i", 0, 0, 0, *numbers)
    options = struct.pack(
        "<3I", array.accumulator_bits, array.saturates, array.subtracts_zero_points
    )
    out = Memory(bytes([FILL]) * job.out_bytes, is_written=True)
    core.call(
        "call_mac_array",
        Memory(descriptor),
        Memory(options),
        Memory(job.x),
        Memory(job.weights),
        out,
    )
    return job.result(np.frombuffer(out.data, np.uint8))


def is_small(case: Case) -> bool:
    """Whether the core has done it before the emulator loses patience."""
    blocks = -(-case.weights.shape[0] // 16)
    pixels = case.out_shape[0] * -(-case.out_shape[1] // 4) * 4
    return blocks * 16 * pixels * case.weights[0].size < 50_000


@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_random_jobs(core: FunctionCore, array: Array) -> None:
    @settings(max_examples=8 * settings().max_examples)
    @given(cases(array).filter(is_small))
    def check(case: Case) -> None:
        np.testing.assert_array_equal(run(core, case, array), result(case, array))

    check()


@pytest.mark.parametrize("saturates", [False, True])
def test_sums_that_leave_24_bits(core: FunctionCore, saturates: bool) -> None:
    taps = 700
    x = np.full((1, 2, taps), 127, np.int8)
    weights = np.full((3, 1, 1, taps), 127, np.int8)
    weights[:, :, :, 600:] = -128
    case, array = Case(x=x, weights=weights), Array(24, saturates)
    expected = result(case, array)
    assert (expected != taps_exact(case)).any() == saturates
    np.testing.assert_array_equal(run(core, case, array), expected)


def taps_exact(case: Case) -> np.ndarray:
    return case.x.astype(np.int64) @ case.weights[:, 0, 0].astype(np.int64).T
