"""Single kernels without a model: generated, compiled, called by the names of their parameters."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from xdsl.dialects.func import FuncOp

from weft.codegen.c_printer import print_declaration, print_function
from weft.kernels.base import Kernel, ScheduleFunction
from weft.kernels.hand_written import HEADER, HandWritten
from weft.kernels.module import kernel_module
from weft.paths import runtime_folder
from weft.program import Program
from weft.testing import KernelLibrary, load_kernels


def kernels_source(
    kernels: Sequence[Kernel], schedules: Mapping[str, ScheduleFunction] | None = None
) -> tuple[str, str]:
    """``kernels.h`` and ``kernels.c``."""
    module = kernel_module(kernels, schedules)
    functions = [op for op in module.ops if isinstance(op, FuncOp) and not op.is_declaration]
    by_hand = any(isinstance(kernel, HandWritten) for kernel in kernels)
    includes = ["#include <stdint.h>\n", f'#include "{HEADER}"\n' if by_hand else ""]
    header = "".join([*includes, *map(print_declaration, functions)])
    includes = '#include "kernels.h"\n#include <stdbool.h>\n#include "weft/arith.h"\n'
    return header, "".join([includes, *map(print_function, functions)])


def write_kernels(
    folder: Path,
    kernels: Sequence[Kernel],
    schedules: Mapping[str, ScheduleFunction] | None = None,
) -> Program:
    """As much of a program's folder as calling its kernels takes."""
    folder.mkdir(parents=True)
    shutil.copytree(runtime_folder(), folder / "runtime")
    header, source = kernels_source(kernels, schedules)
    (folder / "kernels.h").write_text(header, "ascii")
    (folder / "kernels.c").write_text(source, "ascii")
    return Program(folder, {"programs": []})


class Kernels:
    """Loaded kernels; ``call`` takes arguments by name."""

    def __init__(
        self,
        folder: Path,
        kernels: Sequence[Kernel],
        schedules: Mapping[str, ScheduleFunction] | None = None,
    ) -> None:
        self.library: KernelLibrary = load_kernels(write_kernels(folder, kernels, schedules))

    def call(self, kernel: Kernel, **arguments: np.ndarray | int) -> None:
        names = (*kernel.pointers, *kernel.numbers)
        if set(names) != set(arguments):
            raise AssertionError(f"arguments {sorted(arguments)}, not {sorted(names)}")
        self.library.call(kernel.name, *(arguments[name] for name in names))


class Box:
    """An array inside of a larger one, with any strides; what lies around it is random."""

    def __init__(
        self,
        rng: np.random.Generator,
        shape: Sequence[int],
        strides: Sequence[int],
        dtype: str = "int8",
    ) -> None:
        self.shape = tuple(shape)
        self.strides = tuple(strides)
        extent = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + 1
        self._start = int(rng.integers(8, 40))
        length = self._start + max(extent, 0) + int(rng.integers(8, 40))
        bits = rng.integers(-128, 128, (length, np.dtype(dtype).itemsize))
        self.memory = bits.astype(np.int8).view(dtype).ravel()
        if dtype == "float32":
            self.memory[...] = rng.normal(size=length)

    @property
    def pointer(self) -> np.ndarray:
        """The memory from the first element on."""
        return self.memory[self._start :]

    def inside(self, memory: np.ndarray) -> np.ndarray:
        """The box in its memory, or in a copy of it."""
        steps = [s * memory.itemsize for s in self.strides]
        return np.lib.stride_tricks.as_strided(memory[self._start :], self.shape, steps)

    @property
    def values(self) -> np.ndarray:
        return self.inside(self.memory)

    def with_values(self, values: np.ndarray) -> np.ndarray:
        """The whole memory as it is to be once the box holds these values and nothing else has
        changed."""
        expected = self.memory.copy()
        self.inside(expected)[...] = values
        return expected


def padded_strides(
    rng: np.random.Generator, shape: Sequence[int], inner: int = 1, most: int = 5
) -> tuple[int, ...]:
    """Strides that leave odd gaps between rows, pixels and so on; the last one is ``inner``."""
    strides = [inner]
    for extent in reversed(shape[1:]):
        strides.append(extent * strides[-1] + int(rng.integers(0, most)))
    return tuple(reversed(strides))
