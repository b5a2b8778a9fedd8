# SPDX-License-Identifier: Apache-2.0
"""DRAM that a core reaches by address, and a firmware that has none."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("unicorn", reason="the Python package unicorn is not installed")

from emulation.functions import Array, FunctionCore, link_functions

from weft.codegen.toolchain import zig_target_toolchain
from weft.paths import runtime_folder

PORT = runtime_folder() / "port" / "cortex_m"
WINDOW = Path(__file__).parent / "emulation" / "dram_window.c"
OK, REFUSED = 0, 4


def core_with(folder: Path, *more: Path) -> FunctionCore:
    toolchain = zig_target_toolchain("cortex-m4")
    if toolchain is None:
        pytest.skip("the compiler is not installed")
    sources = [PORT / "dram.c", *more]
    elf = link_functions(toolchain, folder / "elf", sources, "weft_port_dram_read", "-I", str(PORT))
    return FunctionCore(elf)


def move(core: FunctionCore, way: str, offset: int, here: Array, bytes_: int, dram: Array) -> int:
    # The fifth argument only makes the core map DRAM: the function does not know of it.
    return core.call(f"weft_port_dram_{way}", 0, offset, here, bytes_, dram)


def window() -> Array:
    return Array(bytes(256), is_written=True, is_first=True)


def test_bytes_go_there_and_back(tmp_path: Path) -> None:
    core = core_with(tmp_path, WINDOW)
    data = bytes(range(1, 33))
    for offset in (0, 16, 224):
        dram = window()
        assert move(core, "write", offset, Array(data), 32, dram) == OK
        assert dram.data == bytes(offset) + data + bytes(256 - 32 - offset)
        back = Array(bytes(32), is_written=True)
        assert move(core, "read", offset, back, 32, dram) == OK
        assert back.data == data


@pytest.mark.parametrize(("offset", "count"), [(240, 32), (256, 1), (0, 257), (0xFFFFFFF0, 32)])
def test_what_leaves_it_is_refused(tmp_path: Path, offset: int, count: int) -> None:
    core = core_with(tmp_path, WINDOW)
    dram = window()
    assert move(core, "write", offset, Array(bytes([1]) * count), count, dram) == REFUSED
    here = Array(bytes(count), is_written=True)
    assert move(core, "read", offset, here, count, dram) == REFUSED
    assert dram.data == bytes(256)


def test_without_a_window_there_is_no_dram(tmp_path: Path) -> None:
    core = core_with(tmp_path)
    for way in ("read", "write"):
        assert move(core, way, 0, Array(bytes(16)), 16, window()) == REFUSED
