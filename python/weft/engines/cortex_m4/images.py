# SPDX-License-Identifier: Apache-2.0
"""The images of a program's PEs, each linked once.

The cache is addressed by contents: what is compiled, the data of the PE, its memory, the compiler
and how images are made. An image appears in it by one rename.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.codegen import images as linking
from weft.codegen.images import build_image, program_stacks
from weft.codegen.stack import StackUse
from weft.codegen.toolchain import C_FLAGS, Toolchain, find_target_toolchain
from weft.errors import EngineError, ProgramError, ToolchainError
from weft.machines.model import MemoryRegion
from weft.paths import cache_folder
from weft.program import Program

_CORES = ("cortex-m4", "cortex-m4f")
# Of files, what the cache depends on beside the data of single PEs.
_PATTERNS = ("*.[chS]", "runtime/**/*.[ch]")


@dataclass(frozen=True)
class LinkedPe:
    """The image of one PE, in the file ``elf``, and the memory that it was linked for."""

    elf: Path
    sha256: str
    memory: tuple[MemoryRegion, ...]


def linked_pes(program: Program, numbers: Sequence[int]) -> dict[int, LinkedPe]:
    """The images of PEs by number, from the cache or newly linked.

    Raises ``EngineError`` if a PE has another core, ``ToolchainError`` if there is no compiler for
    PEs or if it fails, ``DoesNotFitError`` if a memory region is too small.
    """
    rows = program.manifest["pes"]
    kinds = {rows[number]["pe_class"]: rows[number]["name"] for number in numbers}
    classes = {name: _Class.of(program, name, pe) for name, pe in kinds.items()}
    shared = _hash_of_sources(program.folder)
    data = {n: (program.folder / n).read_bytes() for n in ("tables.bin", "constants.bin")}

    targets = {}
    for number in numbers:
        row = rows[number]
        own = [
            data[f"{part}.bin"][row[f"{part}_at"] :][: row[f"{part}_bytes"]]
            for part in ("tables", "constants")
        ]
        key = classes[row["pe_class"]].key(row["program"], number, shared, own)
        targets[number] = cache_folder() / "images" / f"{key}.elf"
    missing = [number for number in numbers if not targets[number].is_file()]
    stacks: dict[str, Mapping[str, StackUse]] = {}
    for name in sorted({rows[number]["pe_class"] for number in missing}):
        programs = {rows[n]["program"] for n in missing if rows[n]["pe_class"] == name}
        stacks[name] = program_stacks(program.folder, sorted(programs), classes[name].toolchain)

    def link_one(number: int) -> None:
        name, runs = rows[number]["pe_class"], rows[number]["program"]
        classes[name].link(program, runs, number, stacks[name][runs], targets[number])

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(link_one, missing))
    return {
        number: LinkedPe(
            target,
            hashlib.sha256(target.read_bytes()).hexdigest(),
            classes[rows[number]["pe_class"]].memory,
        )
        for number, target in targets.items()
    }


@dataclass(frozen=True)
class _Class:
    """PEs of one kind: how their images are made."""

    memory: tuple[MemoryRegion, ...]
    stack_bytes: int | None
    toolchain: Toolchain

    @staticmethod
    def of(program: Program, name: str, pe: str) -> _Class:
        """The manifest's class ``name``; ``pe`` is one of it, for messages."""
        try:
            facts: Mapping[str, Any] = program.manifest["pe_classes"][name]
        except KeyError:
            raise ProgramError(
                f"{program.folder} does not say what memory its PEs have; compile it again"
            ) from None
        if facts["core"].lower() not in _CORES:
            raise EngineError(f"PE {pe} is a {facts['core']}; the engine cortex-m4 runs no such")
        toolchain = find_target_toolchain(facts["core"])
        if toolchain is None:
            raise ToolchainError(
                "there is no compiler for PEs: install arm-none-eabi-gcc, "
                "or pip install weft[embedded]"
            )
        regions = [
            MemoryRegion(r["name"], r["origin"], r["length"], tuple(r["holds"]))
            for r in facts["memory"]
        ]
        return _Class(tuple(regions), facts["stack_bytes"], toolchain)

    def link(self, program: Program, name: str, number: int, stack: StackUse, target: Path) -> None:
        """The image of PE ``number``, which runs the program ``name``, into the cache."""
        with _scratch_beside(target) as scratch:
            out = Path(scratch) / "image.elf"
            build_image(
                program.folder,
                name,
                pe=number,
                memory=self.memory,
                stack_bytes=self.stack_bytes,
                toolchain=self.toolchain,
                out=out,
                runtime_hash=program.manifest["runtime_sha256"],
                stack=stack,
            )
            os.replace(out, target)

    def key(self, name: str, number: int, shared: str, own: Sequence[bytes]) -> str:
        """Differs whenever the image of PE ``number`` does, which has ``own`` data."""
        facts = (
            *(name, number, shared, self.stack_bytes, repr(self.memory), *C_FLAGS),
            *(self.toolchain.version, *self.toolchain.compile),
            *(hashlib.sha256(part).hexdigest() for part in own),
        )
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _hash_of_sources(folder: Path) -> str:
    """Of all that is compiled, and of what says how."""
    digest = hashlib.sha256()
    for path in sorted(Path(linking.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    for path in sorted(path for pattern in _PATTERNS for path in folder.glob(pattern)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _scratch_beside(target: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent)
    except OSError as error:
        raise ToolchainError(
            f"the cache {target.parent} cannot be written ({error.strerror}); "
            "choose another with WEFT_CACHE_DIR"
        ) from None
