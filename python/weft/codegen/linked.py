# SPDX-License-Identifier: Apache-2.0
"""What a linked image must not have: functions that are missing, memory from a heap, and floating
point in software where there is none to compute."""

from __future__ import annotations

import re

from weft.codegen.elf import ElfFile
from weft.errors import ImageError

_ALLOCATOR = re.compile(r"_*(malloc|free|calloc|realloc|aligned_alloc|sbrk)(_r)?")
# Run-time ABI for the ARM Architecture, 4.1.2, and the names that compilers' libraries have.
_SOFTWARE_FLOAT = re.compile(
    r"__aeabi_(c?[dfh]|[iu]?l?2[dfh])\w*|__\w+[shdtx]f[23]?|__fix\w+|__float\w+"
)


def undefined(elf: ElfFile) -> list[str]:
    """Symbols that nobody defines."""
    return sorted(s.name for s in elf.symbols if not s.is_defined)


def allocators(elf: ElfFile) -> list[str]:
    """Functions of a heap."""
    return _functions(elf, _ALLOCATOR)


def software_float(elf: ElfFile) -> list[str]:
    """Functions that compute or convert floating point without the FPU. An integer program has
    none."""
    return _functions(elf, _SOFTWARE_FLOAT)


def check_linked(elf: ElfFile, whose: str) -> None:
    """Raises ``ImageError`` if something is missing, or if there is a heap."""
    for names, what in ((undefined(elf), "lacks"), (allocators(elf), "allocates memory with")):
        if names:
            raise ImageError(
                f"{whose} {what} {', '.join(names)}: an image has no library and no heap"
            )


def _functions(elf: ElfFile, pattern: re.Pattern[str]) -> list[str]:
    names = {s.name for s in elf.symbols if s.is_function and s.is_defined}
    return sorted(name for name in names if pattern.fullmatch(name))
