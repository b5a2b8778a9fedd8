# SPDX-License-Identifier: Apache-2.0
"""The stack that a linked image takes at worst: the deepest chain of calls from the reset on, an
exception there, and the guard. Calls through a pointer are known in one place, where the executive
calls the kernels of a program's table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from weft.codegen.bodies import Bodies, Call, refuse_recursion
from weft.codegen.elf import ElfFile
from weft.errors import ImageError

#: Below the stack, never used: an overflow is seen there. The smallest region that an MPU protects.
GUARD_BYTES = 32
# What an exception pushes when the FPU is in use: 26 words, and one to align them.
_EXCEPTION_FRAME_BYTES = 27 * 4
_ALIGNMENT = 8

_RESET, _EXCEPTION = "weft_image_reset", "weft_image_exception"
# Where the executive calls a kernel: compilers put the second one into the first, or not.
_CALL_KERNELS = ("weft_pe_step", "run_task")
# In weft_program_t; bytes of a weft_kernel_t.
_PROGRAM_KERNELS, _PROGRAM_COUNT, _KERNEL_BYTES = 4, 8, 12

_Chain = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class StackUse:
    """Bytes at worst, a multiple of 8, and what they are made of: functions in the order of their
    calls, an exception's frame and its handler, and the guard."""

    bytes: int
    chain: _Chain

    def __str__(self) -> str:
        return " > ".join(f"{name} {size}" for name, size in self.chain if size)


def worst_stacks(elf: ElfFile, programs: Sequence[str]) -> dict[str, StackUse]:
    """The worst case of the image ``elf`` with the kernels of each program that is linked into it.

    Raises ``ImageError`` for recursion, and where the stack cannot be followed.
    """
    bodies = Bodies(elf)
    return {program: _worst_stack(bodies, program) for program in programs}


def _worst_stack(bodies: Bodies, program: str) -> StackUse:
    calls = _Calls(bodies, _kernels(bodies.elf, program))
    chain = (
        *calls.worst(_entry(bodies.elf, _RESET)),
        ("an exception", _EXCEPTION_FRAME_BYTES),
        *calls.worst(_entry(bodies.elf, _EXCEPTION)),
        ("the guard", GUARD_BYTES),
    )
    return StackUse(-(-_bytes(chain) // _ALIGNMENT) * _ALIGNMENT, chain)


def _bytes(chain: _Chain) -> int:
    return sum(size for _, size in chain)


def _entry(elf: ElfFile, name: str) -> int:
    if name not in elf.addresses:
        raise ImageError(f"{elf.path} is no image: it has no {name}")
    return elf.addresses[name] & ~1


def _kernels(elf: ElfFile, program: str) -> list[int]:
    """What the executive calls."""
    at = _entry(elf, f"{program}_program")
    table, count = elf.word(at + _PROGRAM_KERNELS), elf.word(at + _PROGRAM_COUNT)
    return [elf.word(table + _KERNEL_BYTES * i) & ~1 for i in range(count)]


class _Calls:
    """Chains of calls with these kernels."""

    def __init__(self, bodies: Bodies, kernels: Sequence[int]) -> None:
        self._bodies = bodies
        self._kernels = kernels
        self._known: dict[int, _Chain] = {}
        self._active: list[int] = []

    def worst(self, entry: int) -> _Chain:
        """The chain from the function at ``entry`` that takes most. Raises ``ImageError``."""
        if entry not in self._known:
            if entry in self._active:
                names = [self._bodies.name(e) for e in self._active]
                refuse_recursion(names, self._bodies.name(entry))
            self._active.append(entry)
            body = self._bodies.body(entry)
            chains: list[_Chain] = [((body.name, body.taken),)]
            for call in body.calls:
                for callee in self._targets(body.name, call):
                    chains.append(((body.name, call.taken), *self.worst(callee)))
            self._known[entry] = max(chains, key=_bytes)
            self._active.pop()
        return self._known[entry]

    def _targets(self, name: str, call: Call) -> Sequence[int]:
        if call.callee is not None:
            return (call.callee,)
        if name.partition(".")[0] not in _CALL_KERNELS:  # compilers name copies NAME.suffix
            raise ImageError(
                f"{name} calls through a pointer at {call.at:#x}, and nothing says what: "
                "call functions by their names"
            )
        return self._kernels
