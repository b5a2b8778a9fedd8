# SPDX-License-Identifier: Apache-2.0
"""Builds a compiled program as a shared library for this machine, once.

The cache is addressed by contents: sources, compiler, flags and processor. A library appears in it
by one rename, so that two processes can build the same one, and a build that was killed leaves
nothing that another could load.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from weft.codegen.runtime_sources import device_units, runtime_hash
from weft.codegen.toolchain import C_FLAGS, Toolchain, find_host_compiler
from weft.errors import ToolchainError
from weft.paths import cache_folder
from weft.program import Program

#: How generated code and the runtime are compiled for this machine.
OPTIMISE = ("-O3", "-march=native")
_INCLUDES = ("-I", ".", "-I", "runtime/include", "-I", "runtime/port/host")
_RUNTIME = "runtime/"


def _processor() -> str:
    """What -march=native depends on."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    wanted = ("vendor_id", "model name", "flags", "Features", "CPU part")
    return "\n".join(dict.fromkeys(li for li in text.splitlines() if li.startswith(wanted)))


def _sources(program: Program) -> list[str]:
    """The C files of the host library, as paths below the program's folder."""
    names = [p["name"] for p in program.manifest["programs"]]
    files = ["host.c", "kernels.c"]
    files += [f"{name}.c" for name in names]
    for part in ("src", "kernels", "port/host"):
        folder = program.folder / "runtime" / part
        files += sorted(f"runtime/{part}/{path.name}" for path in folder.glob("*.c"))
    return [*files, *device_units(program.folder)]


def _key(program: Program, compiler: Toolchain, flags: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for part in (*compiler.compile, compiler.version, *flags, platform.machine(), _processor()):
        digest.update(part.encode() + b"\0")
    for path in sorted(program.folder.rglob("*.[ch]")):
        data = path.read_bytes()
        name = path.relative_to(program.folder).as_posix()
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:32]


def host_library(program: Program) -> Path:
    """The shared library of ``program``, from the cache or newly built.

    Raises ``ToolchainError`` if there is no C compiler, if it fails, or if the cache cannot be
    written.
    """
    return build_library(program, _sources(program), ["-fvisibility=hidden"])


def build_library(program: Program, sources: Sequence[str], extra_flags: Sequence[str]) -> Path:
    """A shared library of some of a program's C files (paths below its folder), cached."""
    compiler = find_host_compiler()
    flags = (
        *C_FLAGS,
        *OPTIMISE,
        "-fPIC",
        *extra_flags,
        f'-DWEFT_RUNTIME_HASH="{runtime_hash(program.folder / "runtime")}"',
    )
    key = _key(program, compiler, (*flags, *sources))
    target = cache_folder() / "libraries" / f"{key}.so"
    if target.is_file():
        return target
    scratch = _scratch_beside(target)
    try:
        with tempfile.TemporaryDirectory(prefix="weft-library-") as objects:
            made = _runtime_objects(program, compiler, [*flags, *_INCLUDES], sources, Path(objects))
            own = [source for source in sources if not source.startswith(_RUNTIME)]
            compiler.run(
                [*flags, "-shared", *_INCLUDES, *own, *made, "-o", scratch],
                program.folder,
                what=f"the host library of {program.folder.name}",
            )
        os.replace(scratch, target)
    except BaseException:
        forget(Path(scratch))
        raise
    return target


def _runtime_objects(
    program: Program,
    compiler: Toolchain,
    flags: Sequence[str],
    sources: Sequence[str],
    out: Path,
) -> list[str]:
    """The runtime's part of a library, in ``out``: compiled once and kept, for all programs."""
    digest = hashlib.sha256(_processor().encode())
    for path in sorted((program.folder / _RUNTIME).rglob("*.[ch]")):
        digest.update(path.relative_to(program.folder).as_posix().encode() + path.read_bytes())
    made = []
    for source in sources:
        if source.startswith(_RUNTIME):
            made.append(str(out / f"{source.replace('/', '.')}.o"))
            compiler.compile_object(
                source, Path(made[-1]), flags, program.folder, digest.hexdigest()
            )
    return made


def forget(library: Path) -> None:
    """Removes a library that is of no use, and the objects that it may be of no use for."""
    library.unlink(missing_ok=True)
    shutil.rmtree(cache_folder() / "objects", ignore_errors=True)


def _scratch_beside(target: Path) -> str:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(prefix=".build-", suffix=".so", dir=target.parent)
    except OSError as error:
        raise ToolchainError(
            f"the cache {target.parent} cannot be written ({error.strerror}); "
            "choose another with WEFT_CACHE_DIR"
        ) from None
    os.close(descriptor)
    return scratch
