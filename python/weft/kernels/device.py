# SPDX-License-Identifier: Apache-2.0
"""What tables call where devices are used: launches, which hand a job over, and awaits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from weft.kernels.base import Kernel, KernelCall, ScheduleFunction

if TYPE_CHECKING:
    from xdsl.dialects.func import FuncOp


@dataclass(frozen=True)
class DeviceLaunch(Kernel):
    """Fills a descriptor and submits it. ``kind`` is the device's; the descriptor is a C struct
    ``descriptor`` of ``header`` with these members. Behind its numbers a row of arguments has the
    job's label, the device and the state word of the ticket."""

    kind: str
    descriptor: str
    header: str
    pointers: tuple[str, ...]  # type: ignore[misc]  # of the instance: a device says what it has
    numbers: tuple[str, ...]  # type: ignore[misc]
    outputs: tuple[str, ...]  # type: ignore[misc]
    family = "launch"
    is_function = False
    #: How many of them a shard may have launched and not yet awaited.
    jobs_under_way = 2

    @property
    def name(self) -> str:
        return f"launch_{self.kind}"

    @property
    def summary(self) -> str:
        return f"Hands a job to the device {self.kind}."

    def function(self, override: ScheduleFunction | None = None) -> FuncOp:
        """None: the program's own C file has it."""
        raise AssertionError(f"{self.name} is no function of kernels.c")


@dataclass(frozen=True, kw_only=True)
class DramLoad(DeviceLaunch):
    """Copies ``bytes`` bytes from DRAM. ``from`` is an offset there, and no pointer of the PE's."""

    pointers: tuple[str, ...] = ("to", "from")  # type: ignore[misc]
    numbers: tuple[str, ...] = ("bytes",)  # type: ignore[misc]
    outputs: tuple[str, ...] = ("to",)  # type: ignore[misc]
    jobs_under_way = 1  # more would need room for the weights of a third stage

    @property
    def name(self) -> str:
        return f"load_{self.kind}"

    @property
    def summary(self) -> str:
        return f"Lets the device {self.kind} copy from DRAM."


@dataclass(frozen=True)
class _Await(Kernel):
    pointers = ()
    numbers = ()
    outputs = ()
    family = "await"
    is_function = False
    name = "await"
    summary = "Waits for a job."

    def function(self, override: ScheduleFunction | None = None) -> FuncOp:
        raise AssertionError("the executive waits by itself")


#: What every program with devices has in its table, once.
AWAIT = _Await()


@dataclass(frozen=True)
class Launch:
    """A job: its descriptor, which of the PE's devices takes it, how many of its clock's cycles it
    takes there, and what it is called in errors."""

    call: KernelCall
    device: int
    cycles: int
    label: str


@dataclass(frozen=True, eq=False)
class Await:
    """Waits for a job that was launched before."""

    launch: Launch = field(repr=False)
