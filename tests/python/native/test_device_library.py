# SPDX-License-Identifier: Apache-2.0
"""Devices called from Python: wrapper functions, jobs, and comparison with a reference."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from weft.devices import bundled_devices, load_device
from weft.errors import DeviceError
from weft.testing import DeviceLibrary, DeviceMismatchError, compare_device, compare_job

pytest_plugins = ["weft.testing.fixtures"]


@st.composite
def products(draw: st.DrawFn) -> dict[str, object]:
    rows, columns, depth = (draw(st.integers(1, 9)) for _ in range(3))
    return {
        "x": draw(hnp.arrays(np.int8, (rows, depth))),
        "weights": draw(hnp.arrays(np.int8, (columns, depth))),
        "out": np.full((rows, columns), -1, np.int32),
        "rows": rows,
        "columns": columns,
        "depth": depth,
    }


def multiply(job: dict) -> None:
    job["out"][...] = job["x"].astype(np.int32) @ job["weights"].T.astype(np.int32)


def one_product(rows: int = 2, columns: int = 3, depth: int = 5) -> dict:
    rng = np.random.default_rng(1)
    return {
        "x": rng.integers(-128, 128, (rows, depth), np.int8),
        "weights": rng.integers(-128, 128, (columns, depth), np.int8),
        "out": np.zeros((rows, columns), np.int32),
        "rows": rows,
        "columns": columns,
        "depth": depth,
    }


@pytest.fixture(scope="module")
def npu() -> DeviceLibrary:
    return DeviceLibrary("blocking_npu")


def test_agrees_with_the_reference(compare_with_reference) -> None:
    compare_with_reference("blocking_npu", products(), multiply)


def test_the_wrapper_is_called_with_arrays(npu: DeviceLibrary) -> None:
    job, expected = one_product(), one_product()
    multiply(expected)
    assert npu.call("blocking_npu_matmul", npu.descriptor(**job)) == 0
    np.testing.assert_array_equal(job["out"], expected["out"])
    assert npu.call("blocking_npu_matmul", npu.descriptor(**{**job, "rows": 0})) == 1
    assert npu.call("blocking_npu_matmul", npu.descriptor(**{**job, "x": None})) == 2


def test_jobs_end_in_order_each_with_its_state(npu: DeviceLibrary) -> None:
    good, bad, last = one_product(), {**one_product(), "depth": 0}, one_product(4, 1, 2)
    assert npu.run(good, bad, last) == ["ok", "bad argument", "ok"]
    assert good["out"].any() and not bad["out"].any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((2, 5), np.uint8)}, "an array of uint8 is given, int8_t is wanted"),
        ({"more": 1}, r"has not the fields \['more'\]"),
        ({"x": np.zeros((5, 2), np.int8).T[:2]}, "contiguous"),
    ],
)
def test_wrong_jobs_are_told(npu: DeviceLibrary, change: dict, message: str) -> None:
    job = {**one_product(), **change}
    with pytest.raises(TypeError, match=message):
        npu.descriptor(**job)


def test_a_wrong_reference_is_shown_with_the_smallest_job(npu: DeviceLibrary) -> None:
    def wrong(job: dict) -> None:
        multiply(job)
        job["out"][job["out"] > 100] = 100

    with pytest.raises(DeviceMismatchError) as caught:
        compare_device(npu, products(), wrong)
    job = caught.value.job
    assert (job["rows"], job["columns"], job["depth"]) == (1, 1, 1)
    assert int(job["x"][0, 0]) * int(job["weights"][0, 0]) == 101 or abs(job["x"]).max() <= 11
    assert "not 100; job: x=int8[1, 1]" in str(caught.value)


def broken_copy(folder: Path, before: str, after: str) -> DeviceLibrary:
    copy = folder / "npu"
    shutil.copytree(load_device("blocking_npu").folder, copy)
    model = copy / "blocking_npu_model.c"
    text = model.read_text(encoding="utf-8")
    assert before in text
    model.write_text(text.replace(before, after), encoding="utf-8")
    return DeviceLibrary(copy)


def test_an_overrun_is_told(tmp_path: Path) -> None:
    broken = broken_copy(tmp_path, "    return 0;\n}", "    job->out[-1] = 1;\n    return 0;\n}")
    with pytest.raises(DeviceError, match="writes outside of 'out'"):
        broken.run(one_product())
    with pytest.raises(DeviceMismatchError, match="writes outside of 'out'; job: x="):
        compare_job(broken, one_product(), multiply)


def test_a_write_to_an_input_is_told(tmp_path: Path) -> None:
    spoil = "    *(int8_t *)(uintptr_t)job->x ^= 1;\n    return 0;\n}"
    broken = broken_copy(tmp_path, "    return 0;\n}", spoil)
    with pytest.raises(DeviceError, match="writes to 'x', which is not `written`"):
        broken.run(one_product())


def test_a_job_that_fails_is_a_mismatch(tmp_path: Path) -> None:
    broken = broken_copy(tmp_path, "    return 0;\n}", "    return job->rows > 3 ? 1 : 0;\n}")
    with pytest.raises(DeviceMismatchError, match="reports 'bad argument'") as caught:
        compare_device(broken, products(), multiply)
    assert caught.value.job["rows"] == 4


def test_a_header_that_is_not_c_is_told(tmp_path: Path) -> None:
    copy = tmp_path / "npu"
    shutil.copytree(load_device("blocking_npu").folder, copy)
    header = copy / "blocking_npu.h"
    header.write_text("int f(;\n", encoding="utf-8")
    with pytest.raises(DeviceError, match=r"device blocking_npu: blocking_npu.h: "):
        DeviceLibrary(copy)


@pytest.mark.parametrize("name", bundled_devices())
def test_drivers_say_what_their_folders_say(name: str) -> None:
    DeviceLibrary(name)


def test_facts_that_differ_are_told(tmp_path: Path) -> None:
    copy = tmp_path / "npu"
    shutil.copytree(load_device("blocking_npu").folder, copy)
    file = copy / "device.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("alignment = 4", "alignment = 2"), encoding="utf-8")
    with pytest.raises(
        DeviceError, match=r"alignment is 2 by the device.toml, and 4 by the driver"
    ):
        DeviceLibrary(copy)


def test_a_struct_with_other_fields_is_told(tmp_path: Path) -> None:
    copy = tmp_path / "npu"
    shutil.copytree(load_device("blocking_npu").folder, copy)
    file = copy / "device.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('"columns", "depth"', '"depth", "columns"'), encoding="utf-8")
    with pytest.raises(DeviceError, match=r"device.toml says x, weights, out, rows, depth"):
        DeviceLibrary(copy)
