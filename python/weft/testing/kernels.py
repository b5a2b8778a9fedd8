# SPDX-License-Identifier: Apache-2.0
"""Generated kernels as Python functions, through cffi reading the generated header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from cffi import FFI

from weft.engines.library import build_library
from weft.kernels.hand_written import HEADER
from weft.program import Program

_C_TYPES = {
    np.dtype(np.int8): "int8_t *",
    np.dtype(np.int32): "int32_t *",
    np.dtype(np.float32): "float *",
}


class KernelLibrary:
    """The kernels of one program. ``library.names`` lists them; ``library.call(name, ...)`` calls
    one with arrays for pointers and integers for numbers, in the order of its C declaration."""

    def __init__(self, program: Program) -> None:
        header = (program.folder / "kernels.h").read_text(encoding="utf-8")
        by_hand = program.folder / "runtime" / "kernels"
        if f'#include "{HEADER}"' in header:
            header += (program.folder / "runtime/include" / HEADER).read_text(encoding="utf-8")
        self._ffi = FFI()
        self._ffi.cdef(_declarations(header))
        sources = ["kernels.c", *sorted(f"runtime/kernels/{p.name}" for p in by_hand.glob("*.c"))]
        path = build_library(program, sources, ["-fvisibility=default"])
        self._library = self._ffi.dlopen(str(path))
        self.names: Sequence[str] = tuple(sorted(re.findall(r"^void (\w+)\(", header, re.M)))

    def call(self, name: str, *arguments: Any) -> None:
        """Calls kernel ``name``. Arrays must be contiguous and are written in place; an array that
        starts inside of another (a view) is a pointer to its first element.

        Raises ``KeyError`` if there is no such kernel, ``TypeError`` for an array of another
        dtype.
        """
        if name not in self.names:
            raise KeyError(f"no kernel '{name}'; there are {', '.join(self.names)}")
        getattr(self._library, name)(*(self._argument(a) for a in arguments))

    def _argument(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return int(value)
        if value.dtype not in _C_TYPES:
            raise TypeError(f"no kernel takes an array of {value.dtype}")
        return self._ffi.cast(_C_TYPES[value.dtype], value.ctypes.data)


def _declarations(header: str) -> str:
    """What cffi's parser takes: no preprocessor lines, no comments, no ``restrict``."""
    without_comments = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    lines = [line for line in without_comments.splitlines() if not line.startswith("#")]
    return "\n".join(lines).replace("restrict ", "")


def load_kernels(program: Program) -> KernelLibrary:
    """Compiles the kernels of ``program`` for this machine (once) and loads them.

    Raises ``ToolchainError`` if there is no C compiler.
    """
    return KernelLibrary(program)
