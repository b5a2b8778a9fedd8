# SPDX-License-Identifier: Apache-2.0
"""The conformance suite for devices as machine code of an emulated Cortex-M4."""

from __future__ import annotations

import pytest

from support.odd_devices import FOUND_BY, odd_device
from weft.codegen import toolchain
from weft.devices import bundled_devices, load_device
from weft.testing.conformance import CORTEX_M4, test_device

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
