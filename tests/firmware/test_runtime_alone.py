# SPDX-License-Identifier: Apache-2.0
"""The runtime alone, as a static library for cores of many kinds, and the skeleton of a port."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from weft.codegen.toolchain import zig_target_toolchain
from weft.paths import runtime_folder

STRICT = ("-std=c99", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror")

GCC: Mapping[str, tuple[str, ...]] = {
    "Cortex-M0+": ("-mcpu=cortex-m0plus", "-mthumb"),
    "Cortex-M4F": ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "Cortex-M7": ("-mcpu=cortex-m7", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-d16"),
    "Cortex-M33": ("-mcpu=cortex-m33", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16"),
    "Cortex-M55": ("-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard"),
}
ZIG: Mapping[str, tuple[str, ...]] = {
    "Cortex-M0+": ("-target", "thumb-freestanding-eabi", "-mcpu=cortex_m0plus"),
    "Cortex-M4F": ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"),
    "Cortex-M7": ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m7+fp_armv8d16sp"),
    "Cortex-M33": ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m33+fp_armv8d16sp"),
    "Cortex-M55": ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m55"),
    "RV32IMC": ("-target", "riscv32-freestanding", "-mcpu=generic_rv32+m+c"),
    "RV32IMAC": ("-target", "riscv32-freestanding", "-mcpu=generic_rv32+m+a+c"),
}
CASES = [("gcc", core) for core in GCC] + [("zig", core) for core in ZIG]

# Division and 64-bit products are the compiler's own on small cores; unwinding is thrown away.
MEMORY = re.compile(r"(mem(cpy|set|move)|__aeabi_mem(cpy|move|set|clr)[48]?)$")
HELPERS = re.compile(r"(__aeabi_(u?idiv(mod)?|lmul|unwind_cpp_pr[01])|__(mul|u?div|umod)[sd]i3)$")
# What the runtime calls; a box is written by the port's own weft_port_write or otherwise.
PORT = {
    f"weft_port_{name}"
    for name in (
        "publish",
        "observe",
        "add",
        "clock",
        "write_box",
        "signal_arrival",
        "signal_credit",
    )
}


class Compiler:
    """A cross compiler for one core. CMake wants single commands, so zig gets scripts."""

    def __init__(self, kind: str, core: str, folder: Path) -> None:
        self.kind = kind
        if kind == "gcc":
            if shutil.which("arm-none-eabi-gcc") is None:
                pytest.skip("arm-none-eabi-gcc is not installed")
            self.command = "arm-none-eabi-gcc"
            self.options = []
            self.flags = (*GCC[core], "-ffreestanding", "-fbuiltin")
            self.environment = dict(os.environ)
            return
        zig = zig_target_toolchain("cortex-m4")
        if zig is None:
            pytest.skip("ziglang is not installed")
        for tool in ("cc", "ar", "ranlib"):
            script = folder / f"zig-{tool}"
            script.write_text(f'#!/bin/sh\nexec "{zig.compile[0]}" {tool} "$@"\n', encoding="utf-8")
            script.chmod(0o755)
        self.command = str(folder / "zig-cc")
        self.options = [f"-DCMAKE_{t.upper()}={folder / f'zig-{t}'}" for t in ("ar", "ranlib")]
        # Said, since to find it out CMake links, for which zig builds its libraries: 5 s a core.
        said = ("ID=Clang", "ID_RUN=1", "FORCED=1")
        self.options += [f"-DCMAKE_C_COMPILER_{fact}" for fact in said]
        self.flags = (*ZIG[core], "-fhosted")
        self.environment = {**os.environ, **zig.environment}

    def run(self, command: list[str | Path]) -> None:
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            env=self.environment,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def undefined(path: Path) -> tuple[set[str], str]:
    """What an object needs from others, and the machine that it is for."""
    with path.open("rb") as stream:
        file = ELFFile(stream)
        table = file.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = [s for s in table.iter_symbols() if s.name]
        wanted = {s.name for s in symbols if s["st_shndx"] == "SHN_UNDEF"}
        return wanted, file["e_machine"]


def defined(path: Path) -> set[str]:
    with path.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        return {s.name for s in table.iter_symbols() if s["st_shndx"] != "SHN_UNDEF"}


@pytest.mark.parametrize(("kind", "core"), CASES)
@pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed")
def test_the_library_needs_a_port_and_no_more(kind: str, core: str, tmp_path: Path) -> None:
    compiler = Compiler(kind, core, tmp_path)
    build = tmp_path / "build"
    compiler.run(
        [
            *("cmake", "-S", runtime_folder(), "-B", build, *compiler.options),
            *("-DCMAKE_SYSTEM_NAME=Generic", "-DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY"),
            f"-DCMAKE_C_COMPILER={compiler.command}",
            f"-DCMAKE_C_FLAGS={' '.join((*compiler.flags, *STRICT, '-O2'))}",
        ]
    )
    compiler.run(["cmake", "--build", build])
    assert (build / "libweft_runtime.a").is_file()
    objects = sorted(build.rglob("*.obj")) + sorted(build.rglob("src/*.o"))
    names = {path.name.split(".")[0] for path in objects}
    assert names == {path.stem for path in (runtime_folder() / "src").glob("*.c")}
    needs = [undefined(path) for path in objects]
    assert {machine for _, machine in needs} == {"EM_RISCV" if core.startswith("RV") else "EM_ARM"}
    own = set().union(*(defined(path) for path in objects))
    wanted = set().union(*(names for names, _ in needs)) - own
    others = {n for n in wanted if not MEMORY.match(n) and not HELPERS.match(n)}
    assert others == PORT


@pytest.mark.parametrize(("kind", "core"), CASES)
def test_the_skeleton_is_a_whole_port(kind: str, core: str, tmp_path: Path) -> None:
    """No library's atomics either, which small cores would have to bring."""
    compiler = Compiler(kind, core, tmp_path)
    runtime, made = runtime_folder(), tmp_path / "port.o"
    includes = ["-I", runtime / "include"]
    source = runtime / "port" / "skeleton" / "port.c"
    flags = [*compiler.flags, *STRICT, "-O2", *includes]
    compiler.run([compiler.command, *flags, "-c", source, "-o", made])
    assert defined(made) >= PORT | {"weft_port_write"}
    assert not {name for name in undefined(made)[0] if not HELPERS.match(name)}
