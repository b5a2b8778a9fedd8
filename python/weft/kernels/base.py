# SPDX-License-Identifier: Apache-2.0
"""What a kernel is: a C function for one operator on one box, from TensorIR or written by hand.

A kernel's fields are its compile-time constants (filter, stride, channels to reduce over). Extents,
strides, zero points and pointers are arguments, so that every layer with the same constants calls
the same code. All buffers are addressed by strides in elements.

Importing this package does not import TVM: only ``tensor_ir`` does.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from tvm import tirx
    from tvm.s_tir import Schedule
    from xdsl.dialects.func import FuncOp

# Changes the schedule of every kernel of a family: (kernel, schedule) -> None.
ScheduleFunction = Callable[["Kernel", "Schedule"], None]


@dataclass(frozen=True)
class Kernel(ABC):
    """A kernel with its constants filled in. Equal kernels are the same C function."""

    # The C parameters in order: pointers first, then 32-bit numbers.
    pointers: ClassVar[tuple[str, ...]]
    numbers: ClassVar[tuple[str, ...]]
    # Those of the pointers that are written.
    outputs: ClassVar[tuple[str, ...]]
    # Whether kernels.c or the runtime has a function for it.
    is_function: ClassVar[bool] = True

    @property
    @abstractmethod
    def family(self) -> str:
        """The operator, for instance ``conv2d``: what a schedule is chosen by."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The C identifier: family and constants."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """One line for the comment above the C function."""

    @abstractmethod
    def function(self, override: ScheduleFunction | None = None) -> FuncOp:
        """The kernel in ``func``/``scf``/``memref``/``arith``, or only its declaration if it is
        written in C. ``override`` replaces the default schedule, where there is one."""


class TensorKernel(Kernel):
    """A kernel made from TensorIR."""

    @abstractmethod
    def tensor_ir(self) -> tirx.PrimFunc:
        """The computation, not yet scheduled."""

    def schedule(self, sch: Schedule) -> None:
        """The default schedule: as written."""

    def function(self, override: ScheduleFunction | None = None) -> FuncOp:
        """Schedules and lowers the kernel; of the default schedule once in a process."""
        return self.lowered(override) if override is not None else _as_scheduled(self).clone()

    def lowered(self, schedule: Callable[[Any, Schedule], None]) -> FuncOp:
        """The kernel with this schedule."""
        import tvm
        from tvm.s_tir import Schedule

        from weft.adapter.lowering import lower
        from weft.adapter.to_mlir import to_mlir

        sch = Schedule(tvm.IRModule({"main": self.tensor_ir()}))
        schedule(self, sch)
        lowered = lower(sch.mod["main"])
        given = tuple(p.name for p in lowered.params)
        if given != self.pointers + self.numbers:
            raise AssertionError(f"{self.name}: parameters {given} are not those declared")
        return to_mlir(self.name, lowered, self.outputs)


# More than a large network has; one takes some 100 KiB.
@functools.lru_cache(maxsize=256)
def _as_scheduled(kernel: TensorKernel) -> FuncOp:
    return kernel.lowered(type(kernel).schedule)


@dataclass(frozen=True)
class KernelCall:
    """One call: a kernel and its arguments by name.

    Pointer arguments are objects of the level that makes the call (buffers, constants); numbers
    are Python integers that fit in 32 bits.
    """

    kernel: Kernel
    pointers: Mapping[str, Any]
    numbers: Mapping[str, int]
    #: How many bytes the call touches from each pointer on, where that is known.
    spans: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        if set(self.pointers) != set(self.kernel.pointers):
            raise AssertionError(f"{self.kernel.name}: pointers {sorted(self.pointers)}")
        if set(self.numbers) != set(self.kernel.numbers):
            raise AssertionError(f"{self.kernel.name}: numbers {sorted(self.numbers)}")
