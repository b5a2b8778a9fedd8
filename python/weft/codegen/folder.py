# SPDX-License-Identifier: Apache-2.0
"""A compiled program as a folder: sources, constants, runtime, manifest. See docs/formats."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.func import FuncOp

from weft.codegen.c_printer import print_declaration, print_function
from weft.codegen.cmake import cmake_lists, program_cmake
from weft.codegen.manifest import MANIFEST
from weft.codegen.program_c import (
    GENERATED,
    PeData,
    ProgramDevice,
    header_source,
    pes_header,
    pes_source,
    program_source,
)
from weft.devices.accelerator import Accelerator
from weft.dialects.fabric import MeshOp
from weft.errors import ProgramError
from weft.kernels.hand_written import HEADER
from weft.paths import runtime_folder
from weft.transforms.compilation import Compilation


@dataclass(frozen=True)
class MeshData:
    """The bytes of all PEs, and where in them each PE's are. The host has no entry in ``pes``."""

    tables: bytes
    constants: bytes
    pes: Mapping[int, PeData]


@contextmanager
def whole_folder(target: Path, *, replace: bool = True) -> Iterator[Path]:
    """A folder to fill that takes the place of ``target`` only once it is complete.

    Without ``replace``, one that another process put there in the meantime stays. A failure leaves
    nothing behind, not even parents of ``target`` that were made for it.
    """
    target = Path(os.path.abspath(target))  # `..` has no parent that its name says
    made = [p for p in (target.parent, *target.parent.parents) if not p.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise ProgramError(f"{target} cannot be made: {error.strerror}") from None
    try:
        scratch.chmod(0o755)
        yield scratch
        _put(scratch, target, replace)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        with suppress(OSError):  # somebody else may use them by now
            for parent in made:
                parent.rmdir()
        raise


def _put(scratch: Path, target: Path, replace: bool) -> None:
    if target.exists() and replace:
        old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        target.rename(old / "old")
        scratch.rename(target)
        shutil.rmtree(old)
        return
    try:
        scratch.rename(target)
    except OSError:
        if replace or not target.is_dir():
            raise
        shutil.rmtree(scratch)


def check_target(target: Path) -> None:
    """Refuses to replace what Weft did not write, and where the process is."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ProgramError(f"{target} is not a folder; give another output")
    if target.is_dir() and target.samefile(os.curdir):
        raise ProgramError(
            f"{target} is the current folder, which cannot be replaced; give another output"
        )
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise ProgramError(
            f"{target} is not empty and holds no compiled program; give another output"
        )


def write_sources(
    compilation: Compilation,
    functions: Mapping[str, FuncOp],
    folder: Path,
    data: MeshData,
    devices: Mapping[str, Sequence[ProgramDevice]],
) -> None:
    """Writes all but mapping and manifest into the empty ``folder``. ``devices`` are those of each
    program."""
    # What builds and tests the runtime alone stays behind, and devices that nobody uses.
    shutil.copytree(
        runtime_folder(),
        folder / "runtime",
        ignore=shutil.ignore_patterns("CMakeLists.txt", "cts", "devices"),
    )
    for used in {d.device.description.name: d for all_ in devices.values() for d in all_}.values():
        _copy_device(used.device, folder)
    _write(folder / "kernels.h", _kernels_header(functions))
    _write(folder / "kernels.c", _kernels_source(compilation, functions))
    (mesh,) = compilation.module.ops
    assert isinstance(mesh, MeshOp)
    names = [program.sym_name.data for program in mesh.programs]
    for program in mesh.programs:
        name = program.sym_name.data
        own = devices.get(name, ())
        _write(folder / f"{name}.h", header_source(name, own))
        source = program_source(name, program, functions, compilation.kernels, own)
        _write(folder / f"{name}.c", source)
    _write(folder / "pes.h", pes_header(data.pes))
    _write(folder / "pes.S", pes_source())
    (folder / "tables.bin").write_bytes(data.tables)
    (folder / "constants.bin").write_bytes(data.constants)
    _write(folder / "host.c", _host_source(names))
    _write(folder / "CMakeLists.txt", cmake_lists())
    _write(folder / "program.cmake", program_cmake(folder, names, list(data.pes)))


def _copy_device(device: Accelerator, folder: Path) -> None:
    """The C of a device: its sources, and all headers that lie beside them."""
    about = device.description
    target = folder / "devices" / about.name
    target.mkdir(parents=True)
    for path in {*about.sources, *about.folder.glob("*.h")}:
        shutil.copyfile(path, target / path.name)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _kernels_header(functions: Mapping[str, FuncOp]) -> str:
    generated = [f for f in functions.values() if not f.is_declaration]
    declarations = "\n".join(print_declaration(f) for f in generated)
    by_hand = f'#include "{HEADER}"\n\n' if len(generated) < len(functions) else ""
    return (
        GENERATED
        + "#ifndef WEFT_KERNELS_H\n#define WEFT_KERNELS_H\n\n#include <stdint.h>\n\n"
        + by_hand
        + declarations
        + "\n#endif /* WEFT_KERNELS_H */\n"
    )


def _kernels_source(compilation: Compilation, functions: Mapping[str, FuncOp]) -> str:
    parts = [GENERATED, '#include "kernels.h"\n\n#include <stdbool.h>\n\n#include "weft/arith.h"\n']
    for name, function in functions.items():
        if function.is_declaration:  # written by hand: it is in the runtime
            continue
        summary = compilation.kernels[name].summary
        parts.append(f"\n/* {summary} */\n{print_function(function)}")
    return "".join(parts)


def _host_source(names: list[str]) -> str:
    includes = "".join(f'#include "{name}.h"\n' for name in names)
    rows = "".join(f"    &{name}_program,\n" for name in names)
    return (
        GENERATED
        + f"""{includes}#include "library.h"

static const weft_program_t *const programs[] = {{
{rows}}};

#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const weft_host_library_t weft_host_library = WEFT_HOST_LIBRARY(programs, {len(names)}u);
"""
    )
