# SPDX-License-Identifier: Apache-2.0
"""Which compiler is found, and what is said if there is none."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from weft.codegen.toolchain import find_host_compiler, find_target_toolchain, messages
from weft.errors import ToolchainError


def fake_compiler(folder: Path, name: str, body: str = "echo version 1") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which commands are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    return tmp_path


@pytest.fixture
def without_zig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def test_the_host_compiler_is_that_of_cc(only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_compiler(only, "cc")
    mine = fake_compiler(only, "mine", "echo mine 3.2")
    monkeypatch.setenv("CC", "mine -m32")
    found = find_host_compiler()
    assert (found.name, found.compile, found.version) == ("mine", (str(mine), "-m32"), "mine 3.2")


def test_a_wrong_cc_is_an_error(only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_compiler(only, "cc")
    monkeypatch.setenv("CC", "nowhere")
    with pytest.raises(ToolchainError, match="CC names nowhere"):
        find_host_compiler()


def test_the_host_compiler_is_looked_for_in_order(only: Path) -> None:
    for name in ("clang", "gcc", "cc"):
        fake_compiler(only, name)
        assert find_host_compiler().name == name


def test_no_host_compiler_is_an_error(only: Path, without_zig: None) -> None:
    with pytest.raises(ToolchainError, match=r"there is no C compiler.*pip install ziglang"):
        find_host_compiler()


def test_the_target_toolchain_is_gcc_where_it_is_installed(only: Path) -> None:
    fake_compiler(only, "arm-none-eabi-gcc")
    found = find_target_toolchain("cortex-m4")
    assert found is not None
    assert found.name == "arm-none-eabi-gcc"


def test_without_a_target_toolchain_there_is_none(only: Path, without_zig: None) -> None:
    assert find_target_toolchain("cortex-m4") is None


def test_a_compiler_that_does_not_work_is_an_error(only: Path) -> None:
    fake_compiler(only, "arm-none-eabi-gcc", "echo 'error: broken' >&2; exit 3")
    with pytest.raises(ToolchainError, match="does not work: error: broken"):
        find_target_toolchain("cortex-m4")


def test_messages_are_the_first_errors_in_one_line(only: Path) -> None:
    lines = "; ".join(f"echo 'a.c:{n}: error: bad {n}'; echo context" for n in range(5))
    fake_compiler(only, "cc", f'[ "$1" = --version ] && {{ echo cc 1; exit 0; }}; {lines}; exit 1')
    text = messages(find_host_compiler().try_run(["-c", "a.c"]))
    assert text == "a.c:0: error: bad 0; a.c:1: error: bad 1; a.c:2: error: bad 2; and 2 more"
