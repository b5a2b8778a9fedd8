"""A real MLIR reads the text of kernels and dialects. Required in CI, elsewhere where installed."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from ir.kernels import KERNELS
from ir.text import FILES, parse, printed
from weft.kernels.module import kernel_module

TOOLS = ("mlir-opt-19", "mlir-opt", "iree-opt")


def find_tool() -> str:
    """The first tool that is installed; without one, a failure in CI and a skip elsewhere."""
    for name in TOOLS:
        path = shutil.which(name)
        if path is not None:
            return path
    reason = f"none of {', '.join(TOOLS)} is installed (Debian: apt install mlir-19-tools)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _accepts(text: str, *options: str) -> tuple[int, str]:
    command = [find_tool(), *options, "-"]
    done = subprocess.run(
        command, check=False, input=text, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stderr


def test_kernels() -> None:
    text = printed(kernel_module(KERNELS), generic=True)
    assert _accepts(text) == (0, "")


def test_dialects() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        generic = printed(parse(text), generic=True)
        assert _accepts(generic, "--allow-unregistered-dialect") == (0, ""), generic


def test_nonsense_is_not_accepted() -> None:
    status, messages = _accepts("func.func @f(%x: i32) { return %y : i32 }")
    assert status != 0 and "undeclared" in messages
    status, messages = _accepts('"pe.nothing"() : () -> ()')
    assert status != 0 and messages


def test_absent_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="mlir-19-tools"):
        find_tool()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="none of mlir-opt-19"):
        find_tool()
