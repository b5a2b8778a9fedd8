# SPDX-License-Identifier: Apache-2.0
"""The conformance suite passes bundled devices and finds every broken one, on the host.

As machine code: tests/firmware/test_device_cts_target.py.
"""

from __future__ import annotations

import pytest

from native.c_compilers import SANITIZE, STRICT, require_flags
from support.odd_devices import FOUND_BY, listed, odd_device
from weft.devices import bundled_devices, load_device
from weft.testing.conformance import Check, test_device

_SKIPPED = {("blocking_npu", "stops a job that is under way")}


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if check.has_failed]


@pytest.mark.parametrize(("compiler", "flags"), [("gcc", ()), ("clang", ()), ("gcc", SANITIZE)])
@pytest.mark.parametrize("name", bundled_devices())
def test_bundled_devices_pass(
    name: str, compiler: str, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", require_flags(compiler, *flags))
    checks = test_device(load_device(name), flags=(*STRICT, "-Wshadow", *flags))
    assert not failed(checks), checks
    skipped = {(name, check.name) for check in checks if check.verdict == "skipped"}
    assert skipped <= _SKIPPED
    assert len(checks) == 13


def test_without_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", require_flags("gcc"))
    assert not failed(test_device(load_device("null"), flags=(*STRICT, "-DWEFT_TRACE=0")))


def test_all_broken_devices_are_tried() -> None:
    assert listed() == set(FOUND_BY)


def test_the_sound_twin_of_broken_devices_passes() -> None:
    checks = test_device(odd_device(), flags=(*STRICT, "-DODD=SOUND"))
    assert [check.verdict for check in checks] == ["ok"] * 13


@pytest.mark.parametrize(("odd", "found_by"), FOUND_BY.items())
def test_broken_devices_fail(odd: str, found_by: str) -> None:
    assert found_by in failed(test_device(odd_device(), flags=(*STRICT, f"-DODD={odd}")))
