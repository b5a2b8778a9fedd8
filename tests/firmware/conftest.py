# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weft.codegen.toolchain import Toolchain, gcc_target_toolchain, zig_target_toolchain

CPU = "cortex-m4"


@pytest.fixture(scope="module", params=["zig", "arm-none-eabi-gcc"])
def toolchain(request: pytest.FixtureRequest) -> Toolchain:
    """Each compiler for PEs in turn."""
    is_zig = request.param == "zig"
    found = zig_target_toolchain(CPU) if is_zig else gcc_target_toolchain(CPU)
    if found is None:
        missing = "the Python package ziglang" if is_zig else request.param
        pytest.skip(f"{missing} is not installed")
    return found


@pytest.fixture
def build(toolchain: Toolchain, tmp_path: Path) -> Any:
    """Builds images of the hand-written program, each time anew."""
    from emulation.building import builder  # needs the emulator, as do tests that build

    return builder(toolchain, tmp_path)
