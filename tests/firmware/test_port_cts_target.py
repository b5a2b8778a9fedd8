# SPDX-License-Identifier: Apache-2.0
"""The conformance test for ports on an emulated Cortex-M4, with interrupts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from weft.codegen.toolchain import C_FLAGS, gcc_target_toolchain
from weft.paths import runtime_folder

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "embedded"
RUNTIME = runtime_folder()
CORTEX_M = [RUNTIME / "port" / "cortex_m" / name for name in ("port.c", "clock.c", "mail.c")]
SKELETON = [RUNTIME / "port" / "skeleton" / "port.c"]

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="qemu-system-arm and arm-none-eabi-gcc are not both installed",
)


def run_firmware(folder: Path, port: list[Path], *options: str) -> tuple[int, str]:
    """Builds the test with a port, runs it; the emulator's exit status and what was printed."""
    toolchain = gcc_target_toolchain("cortex-m4")
    assert toolchain is not None
    includes = [
        f"-I{RUNTIME / 'include'}",
        f"-I{RUNTIME / 'cts' / 'port'}",
        f"-I{RUNTIME / 'port' / 'cortex_m'}",
    ]
    libc = ["-isystem", str(RUNTIME / "port" / "cortex_m" / "libc")]
    sources = [
        Path(__file__).parent / "port_cts" / "main.c",
        EXAMPLE / "semihosting.c",
        RUNTIME / "port" / "cortex_m" / "string.c",
        *port,
        *sorted((RUNTIME / "cts" / "port").glob("*.c")),
        *sorted((RUNTIME / "src").glob("*.c")),
    ]
    link = ["-T", str(EXAMPLE / "mps2-an386.ld"), "-Wl,--gc-sections"]
    flags = [*C_FLAGS, "-O2", "-ffunction-sections", '-DWEFT_RUNTIME_HASH=""', *includes, *libc]
    out = folder / "firmware.elf"
    toolchain.run(
        [*flags, *options, *map(str, sources), *link, "-o", str(out), *toolchain.link_helpers]
    )
    done = subprocess.run(
        [
            *("qemu-system-arm", "-M", "mps2-an386", "-kernel", out),
            *("-display", "none", "-monitor", "none", "-serial", "none"),
            *("-chardev", "stdio,id=host"),
            *("-semihosting-config", "enable=on,target=native,chardev=host"),
        ],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout


def test_the_port_of_cortex_m_passes(tmp_path: Path) -> None:
    """Two PEs whose mail is served by an interrupt, which finds what it cannot deliver later."""
    status, printed = run_firmware(tmp_path, CORTEX_M, "-DPES=2")
    assert (status, printed) == (0, "13 run, 0 failed, 0 skipped, first 0 at line 0\n")


def test_the_skeleton_passes_alone(tmp_path: Path) -> None:
    status, printed = run_firmware(tmp_path, SKELETON, "-DPES=1")
    assert (status, printed) == (0, "8 run, 0 failed, 5 skipped, first 0 at line 0\n")


def test_the_skeleton_is_no_port_for_two(tmp_path: Path) -> None:
    status, printed = run_firmware(
        tmp_path, [*SKELETON, *CORTEX_M[1:]], "-DPES=2", "-DWEFT_PORT_CTS_PATIENCE=20000u"
    )
    assert status == 1
    assert "first 5 at line" in printed


def test_a_noc_that_takes_writes_early_is_found(tmp_path: Path) -> None:
    patience = "-DWEFT_PORT_CTS_PATIENCE=20000u"
    status, printed = run_firmware(tmp_path, CORTEX_M, "-DPES=2", "-DTAKES_EARLY", patience)
    assert status == 1
    assert "1 failed, 0 skipped, first 6 at line" in printed
