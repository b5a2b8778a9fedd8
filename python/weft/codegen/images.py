# SPDX-License-Identifier: Apache-2.0
"""PE images: a program of a compiled folder, linked for the memory of one PE.

The linker decides whether an image fits. If it does not, the same objects are linked once more
into memory without end, so that the error can say what each part needs.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from weft.codegen.elf import ElfFile, Section, object_sections
from weft.codegen.linked import check_linked
from weft.codegen.linker_script import ENTRY, linker_script
from weft.codegen.runtime_sources import FOR_DEVICES, device_units
from weft.codegen.stack import StackUse, worst_stacks
from weft.codegen.toolchain import C_FLAGS, Toolchain, messages
from weft.errors import DoesNotFitError, ToolchainError
from weft.machines.model import PURPOSES, MemoryRegion

_PARALLEL = 2
_SECTION_FLAGS = (
    "-g0",
    "-ffunction-sections",
    "-fdata-sections",
    "-fno-common",
    "-fomit-frame-pointer",
    "-fno-unwind-tables",
    "-fno-asynchronous-unwind-tables",
    # Whoever follows the stack through the code would have to guess where a table of jumps ends.
    "-fno-jump-tables",
)
# Relative to the program's folder, in which the compiler runs: objects do not depend on its path.
_INCLUDE_FLAGS = (
    "-I",
    ".",
    "-I",
    "runtime/include",
    "-isystem",
    "runtime/port/cortex_m/libc",
)
_ANY_HASH = "0" * 64
_ANY_STACK = 4096
_PES = re.compile(r"#elif WEFT_PE == (\d+).*\n#define WEFT_PE_PROGRAM (\w+)_program")

# Folders of the runtime, the prefix of their objects, and what these count for.
_RUNTIME_PARTS = (
    ("runtime/src", "runtime", "runtime"),
    ("runtime/kernels", "kernel", "kernels"),
    ("runtime/port/cortex_m", "port", "runtime"),
)

# Which key of Image.sections each section of the linked file counts for.
_KEYS: Mapping[str, str] = {
    ".text": "text",
    ".rodata": "text",
    ".tables": "tables",
    ".constants": "constants",
    ".data": "data",
    ".arena": "arena",
    ".bss": "bss",
    ".stack": "stack",
}
# The counters of channels, slots and sends, which are zeroed variables too.
_CHANNEL_STATE = "weft_image_state"


@dataclass(frozen=True)
class Image:
    """A linked image.

    ``sections`` gives bytes: ``text`` (code with its own read-only data), ``constants`` (weights),
    ``tables``, ``data``, ``arena``, ``channels`` (their state), ``bss`` (other zeroed variables),
    ``stack``, and ``total``, the bytes taken from the regions, which includes padding between the
    others. ``stack`` is what it takes of its stack at worst.
    """

    elf: Path
    sections: Mapping[str, int]
    symbols: Mapping[str, int] = field(repr=False)
    stack: StackUse = field(repr=False)

    def symbol(self, name: str) -> int:
        """The address of a global symbol; bit 0 is set for functions. KeyError if not linked."""
        return self.symbols[name]


@dataclass(frozen=True)
class _Source:
    """One translation unit. ``group`` is its key in ``object_sizes``."""

    path: str
    object_name: str
    group: str

    @property
    def is_main(self) -> bool:
        """Whether it has the storage of the PE, and so differs from PE to PE."""
        return self.path.endswith("/main.c")

    @property
    def is_of_one_pe(self) -> bool:
        """Whether it is compiled anew for every PE: for its data, or the sizes of its storage."""
        return self.group == "pe" or self.is_main

    @property
    def is_by_hand(self) -> bool:
        """Whether it holds hand-written kernels, of which an image has those that it calls."""
        return self.path.startswith("runtime/kernels/")

    @property
    def is_small(self) -> bool:
        """Whether it is to be small rather than fast: the check of tables, and the executive, which
        takes few of a frame's instructions."""
        return self.path in ("runtime/src/program.c", "runtime/src/pe.c")

    @property
    def is_hash(self) -> bool:
        """Whether it holds the hash of the runtime."""
        return self.path == "runtime/src/hash.c"


def build_image(
    folder: Path,
    program: str,
    *,
    pe: int = 0,
    memory: Sequence[MemoryRegion],
    stack_bytes: int | None,
    toolchain: Toolchain,
    out: Path,
    runtime_hash: str,
    optimise: str = "-O2",
    stack: StackUse | None = None,
) -> Image:
    """Compiles and links ``program`` of the compiled ``folder`` into the ELF file ``out``, with the
    tables and constants of PE number ``pe``.

    Its stack has ``stack_bytes`` bytes; where that is None, as many as it takes at worst. That is
    ``stack``, if it is known of the program and compiler: it saves time where PEs run one program.
    ``runtime_hash`` is what the image will report as the hash of its runtime sources. Raises
    DoesNotFitError if a region or the stack is too small, ImageError if nobody can tell what stack
    it takes, ToolchainError if the compiler or linker fails, and MachineError if the regions make
    no sense.
    """
    sources = _sources(folder, program)
    with tempfile.TemporaryDirectory(prefix="weft-image-") as scratch:
        build = _Build(folder, pe, toolchain, Path(scratch), optimise, runtime_hash)
        build.compile(sources)
        if stack_bytes is None:
            if stack is None:
                stack = build.stacks(sources, [program], _endless(memory))[program]
            stack_bytes = stack.bytes
        linked = build.scratch / "image.elf"
        error = build.link(sources, linker_script(memory, stack_bytes), linked)
        if error is not None:
            endless = build.scratch / "endless.elf"
            script = linker_script(_endless(memory), stack_bytes)
            if build.link(sources, script, endless) is None:
                _raise_if_too_big(program, ElfFile(endless), memory)
            raise ToolchainError(f"{toolchain.name} does not link program {program}: {error}")
        elf = ElfFile(linked)
        check_linked(elf, f"program {program}")
        image = replace(_image(elf, program, memory, stack), elf=out)
        check_stack(f"program {program}", image.stack, stack_bytes)
        shutil.copyfile(linked, out)
    return image


def program_stacks(
    folder: Path, programs: Sequence[str], toolchain: Toolchain, *, optimise: str = "-O2"
) -> dict[str, StackUse]:
    """What the images of each program take of their stacks at worst.

    All programs are linked into one image for that: how much a function takes is settled when it
    is compiled. Raises ImageError or ToolchainError.
    """
    sources = list(dict.fromkeys(s for name in programs for s in _sources(folder, name)))
    with tempfile.TemporaryDirectory(prefix="weft-stacks-") as scratch:
        pe = _first_pe(folder, programs)
        build = _Build(folder, pe, toolchain, Path(scratch), optimise, _ANY_HASH)
        build.compile(sources)
        return build.stacks(sources, programs, [MemoryRegion("any", 0, 1 << 28, PURPOSES)])


def check_stack(whose: str, stack: StackUse, available: int) -> None:
    """Raises DoesNotFitError if a stack of ``available`` bytes does not hold the worst case."""
    if stack.bytes > available:
        raise DoesNotFitError(
            whose,
            "the stack",
            stack.bytes,
            available,
            str(stack),
            "raise stack_bytes in the machine file, or leave it out: it is then the worst case",
        )


def object_sizes(
    folder: Path,
    programs: Mapping[str, Sequence[str]],
    toolchain: Toolchain,
    *,
    sources_of: Mapping[str, Sequence[str]],
    optimise: str = "-O2",
) -> dict[str, dict[str, int]]:
    """Bytes of the target objects of each program, without a link; ``programs`` names the kernels
    of each, ``sources_of`` the files of ``runtime/kernels`` that a kernel consists of.

    Keys: ``kernels`` (those that the program calls), ``program`` and ``runtime`` (with its port)
    for code and its read-only data, ``data`` and ``bss`` for variables. An upper bound for the
    image but for padding, tables, weights, arena, state and stack. Raises ToolchainError.
    """
    sources = {s.path: s for name in programs for s in _sources(folder, name) if s.group != "pe"}
    with tempfile.TemporaryDirectory(prefix="weft-sizes-") as scratch:
        pe = _first_pe(folder, programs)
        build = _Build(folder, pe, toolchain, Path(scratch), optimise, _ANY_HASH)
        build.compile(list(sources.values()))
        sections = {
            s.path: object_sections(build.scratch / s.object_name) for s in sources.values()
        }
    every = {name for kernels in programs.values() for name in kernels}
    found = {}
    for name, kernels in programs.items():
        sizes = dict.fromkeys(("kernels", "program", "runtime", "data", "bss"), 0)
        by_hand = {file for kernel in kernels for file in sources_of.get(kernel, ())}
        for source in _sources(folder, name):
            if source.is_by_hand and Path(source.path).name not in by_hand:
                continue
            for section in sections.get(source.path, ()):
                if not _is_left_out(section, every - set(kernels)):
                    words = -(-section.size // 4)  # what follows may be aligned to one
                    sizes[_object_key(section, source.group)] += 4 * words
        found[name] = sizes
    return found


def _is_left_out(section: Section, others: set[str]) -> bool:
    """Other programs' kernels, and storage that is counted by what it holds."""
    stem = section.name.removeprefix(".text.").removeprefix(".rodata.")
    return stem in others or section.name in (".bss.weft_arena", ".bss.weft_image_state")


def _first_pe(folder: Path, programs: Collection[str]) -> int:
    """The number of some PE that runs one of these, by pes.h."""
    text = (folder / "pes.h").read_text(encoding="utf-8")
    for number, program in _PES.findall(text):
        if program in programs:
            return int(number)
    return 0


@dataclass(frozen=True)
class _Build:
    """The compiler's work for one image; everything but the image goes to ``scratch``."""

    folder: Path
    pe: int
    toolchain: Toolchain
    scratch: Path
    optimise: str
    runtime_hash: str

    def compile(self, sources: Sequence[_Source]) -> None:
        """Objects that PEs share are kept: a mesh links them many times, and every program the
        runtime."""
        toolchain = self.toolchain.with_scratch(self.scratch)
        runtime = _hash_of(self.folder, "runtime/**/*")
        code = _hash_of(self.folder, "*.[ch]") + _hash_of(self.folder, "devices/**/*") + runtime

        def compile_one(source: _Source) -> None:
            out = self.scratch / source.object_name
            key = runtime if source.path.startswith("runtime/") else code
            key = "" if source.is_of_one_pe else key
            toolchain.compile_object(source.path, out, self._flags(source), self.folder, key)

        with ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(compile_one, sources))

    def _flags(self, source: _Source) -> list[str]:
        flags = list(_INCLUDE_FLAGS)
        if not source.path.endswith(".S"):
            optimise = "-Os" if source.is_small else self.optimise
            flags = [*C_FLAGS, *_SECTION_FLAGS, *_INCLUDE_FLAGS, "-DWEFT_TRACE=0", optimise]
        if source.is_hash:
            flags.append(f'-DWEFT_RUNTIME_HASH="{self.runtime_hash}"')
        if source.is_of_one_pe:
            flags.append(f"-DWEFT_PE={self.pe}")
        return flags

    def stacks(
        self, sources: Sequence[_Source], programs: Sequence[str], memory: Sequence[MemoryRegion]
    ) -> dict[str, StackUse]:
        """Of each program, in an image of all of them that is linked for endless ``memory``."""
        linked = self.scratch / "stacks.elf"
        script = linker_script(memory, _ANY_STACK, [f"{name}_program" for name in programs])
        error = self.link(sources, script, linked)
        if error is not None:
            names = " ".join(programs)
            raise ToolchainError(f"{self.toolchain.name} does not link program {names}: {error}")
        return worst_stacks(ElfFile(linked), programs)

    def link(self, sources: Sequence[_Source], script: str, out: Path) -> str | None:
        """Links; what the linker says if it fails.

        Offers the compiler's helpers only when something is undefined: zig builds them first.
        """
        toolchain = self.toolchain.with_scratch(self.scratch)
        path = self.scratch / "image.ld"
        path.write_text(script, encoding="ascii")
        arguments = [
            "-Wl,--gc-sections",
            # zig ignores ENTRY and would drop everything as unused.
            f"-Wl,-e,{ENTRY}",
            "-Wl,-z,max-page-size=16",
            *("-T", path.name),
            *(source.object_name for source in sources),
            *("-o", str(out)),
        ]
        done = toolchain.try_run([*arguments, *toolchain.link], self.scratch)
        if done.returncode != 0 and "undefined" in done.stderr:
            done = toolchain.try_run([*arguments, *toolchain.link_helpers], self.scratch)
        return None if done.returncode == 0 else messages(done)


def _object_key(section: Section, group: str) -> str:
    if section.is_zeroed:
        return "bss"
    return "data" if section.is_writable else group


def _sources(folder: Path, program: str) -> list[_Source]:
    """All translation units of an image."""
    sources = [
        _Source("kernels.c", "kernels.o", "kernels"),
        _Source(f"{program}.c", f"{program}.o", "program"),
        _Source("pes.S", "pes.o", "pe"),
    ]
    devices = device_units(folder)
    for part, prefix, group in _RUNTIME_PARTS:
        for path in sorted((folder / part).glob("*.c")):
            if devices or path.name not in FOR_DEVICES:
                sources.append(_Source(f"{part}/{path.name}", f"{prefix}.{path.stem}.o", group))
    for unit in devices:
        name = unit.removesuffix(".c").replace("/", ".")
        sources.append(_Source(unit, f"{name}.o", "runtime"))
    return sources


def _hash_of(folder: Path, pattern: str) -> str:
    """Over names and contents of the files of ``folder`` that match."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.glob(pattern) if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _endless(memory: Sequence[MemoryRegion]) -> list[MemoryRegion]:
    """The same regions, 256 MiB apart, so that nothing overflows or overlaps."""
    size = 1 << 28
    return [
        replace(region, origin=index * size, length=size) for index, region in enumerate(memory)
    ]


def _raise_if_too_big(program: str, elf: ElfFile, memory: Sequence[MemoryRegion]) -> None:
    endless = _endless(memory)
    taken = _taken(elf, endless)
    sizes = _section_sizes(elf)
    for region in memory:
        if taken[region.name] > region.length:
            detail = ", ".join(f"{key} {size}" for key, size in sizes.items() if size)
            raise DoesNotFitError(
                f"program {program}",
                f"memory region {region.name}",
                taken[region.name],
                region.length,
                detail,
                "cut the network over more PEs, or give the PE a larger region",
            )


def read_image(
    path: Path, program: str, memory: Sequence[MemoryRegion], stack: StackUse | None = None
) -> Image:
    """What the linked file says: the image of ``program`` at ``path``, for ``memory``; ``stack`` is
    its worst case if that is known from another PE.

    Raises ``ImageError`` if its stack cannot be followed, ``ToolchainError`` if it is no image.
    """
    return _image(ElfFile(path), program, memory, stack)


def _image(
    elf: ElfFile, program: str, memory: Sequence[MemoryRegion], stack: StackUse | None
) -> Image:
    sections = _section_sizes(elf)
    sections["total"] = sum(_taken(elf, memory).values())
    stack = stack or worst_stacks(elf, [program])[program]
    return Image(elf.path, sections, elf.addresses, stack)


def _section_sizes(elf: ElfFile) -> dict[str, int]:
    sizes = dict.fromkeys(_KEYS.values(), 0)
    for section in elf.sections:
        if section.name not in _KEYS:
            raise ToolchainError(f"{elf.path}: the linker placed an unknown section {section.name}")
        sizes[_KEYS[section.name]] += section.size
    sizes["channels"] = elf.size_of(_CHANNEL_STATE)
    sizes["bss"] -= sizes["channels"]
    return sizes


def _taken(elf: ElfFile, memory: Sequence[MemoryRegion]) -> dict[str, int]:
    """Bytes from each region's origin to the end of the last section in it."""
    ends = {region.name: region.origin for region in memory}
    for address, size in (*((s.address, s.size) for s in elf.sections), *elf.loaded):
        for region in memory:
            if region.origin <= address < region.origin + region.length:
                ends[region.name] = max(ends[region.name], address + size)
    return {region.name: ends[region.name] - region.origin for region in memory}
