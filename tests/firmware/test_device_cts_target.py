# SPDX-License-Identifier: Apache-2.0
"""The conformance suite for devices as machine code of an emulated Cortex-M4."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from support.odd_devices import FOUND_BY, odd_device
from weft.codegen import toolchain
from weft.devices import bundled_devices, load_device
from weft.testing.conformance import CORTEX_M4, REGIONS, link_image, test_device

pytest.importorskip("unicorn")

_STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror")


@pytest.mark.parametrize("name", bundled_devices())
def test_bundled_devices_pass(name: str) -> None:
    checks = test_device(load_device(name), CORTEX_M4, _STRICT)
    assert not [check for check in checks if check.has_failed], checks


def test_built_with_zig(monkeypatch: pytest.MonkeyPatch) -> None:
    zig = toolchain.zig_target_toolchain("cortex-m4")
    if zig is None:
        pytest.skip("ziglang is not installed")
    monkeypatch.setattr(toolchain, "gcc_target_toolchain", lambda _: None)
    checks = test_device(load_device("cpu"), CORTEX_M4, _STRICT)
    assert [check.verdict for check in checks] == ["ok"] * 13


@pytest.mark.parametrize(("odd", "found_by"), FOUND_BY.items())
def test_broken_devices_fail(odd: str, found_by: str) -> None:
    flags = ("-DODD=" + odd, "-DWEFT_DEVICE_CTS_PATIENCE=200000u")
    checks = test_device(odd_device(), CORTEX_M4, flags)
    assert found_by in [check.name for check in checks if check.has_failed]


def test_time_passes_in_the_emulated_core(tmp_path: Path) -> None:
    """By the core's cycle counter, which counts instructions: else no deadline would ever pass."""
    from weft.engines.cortex_m4.core import Core

    elf = tmp_path / "suite.elf"
    link_image(load_device("null"), elf, _STRICT)
    core = Core(elf, [(region.origin, region.length) for region in REGIONS])
    assert core.run(100_000_000) == "weft_image_stop"
    readings = [core.call("weft_port_clock", 0) for _ in range(5)]
    assert core.word(0xE000EDFC) & (1 << 24)  # the trace unit was switched on
    steps = [b - a for a, b in pairwise(readings)]
    assert all(0 < step < 100 for step in steps)
    assert abs(readings[-1] - core.instructions) < 100
