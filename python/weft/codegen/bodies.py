# SPDX-License-Identifier: Apache-2.0
"""What each function of a linked image takes from the stack by itself, and what it calls.

Every way through it is followed, in its machine code: what the compiler made, what was written in
assembler, and helpers out of libraries are all the same here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from weft.codegen.elf import ElfFile
from weft.codegen.thumb import Step, UnknownInstructionError, steps
from weft.errors import ImageError

# They take a good stack pointer in place of a bad one, so that none deeper than theirs is used.
_SETS_STACK = ("weft_image_reset", "weft_image_exception")


@dataclass(frozen=True)
class Call:
    """A call, or a jump that ends the function: the bytes taken before it, and the address of what
    is called; None through a pointer, which happens ``at`` that address."""

    taken: int
    callee: int | None
    at: int


@dataclass(frozen=True)
class Body:
    """A function: its bytes at worst without those of its callees, and whether it ever returns."""

    name: str
    taken: int
    calls: tuple[Call, ...]
    returns: bool


class Bodies:
    """The functions of ``elf`` by address, each followed once."""

    def __init__(self, elf: ElfFile) -> None:
        self.elf = elf
        self._known: dict[int, Body] = {}
        self._active: list[int] = []

    def body(self, entry: int) -> Body:
        """Of the function at ``entry``. Raises ``ImageError`` if its stack cannot be followed, and
        for recursion: whether a call comes back is known of what was called only."""
        if entry not in self._known:
            if entry in self._active:
                refuse_recursion([self.name(e) for e in self._active], self.name(entry))
            self._active.append(entry)
            self._known[entry] = _Walk(self, entry).follow()
            self._active.pop()
        return self._known[entry]

    def name(self, entry: int) -> str:
        """Of the function at ``entry``."""
        return self.elf.functions.get(entry, f"{entry:#x}")

    def is_entry(self, address: int) -> bool:
        """Whether a function begins there, and not a part that a compiler has put elsewhere."""
        return ".cold" not in self.elf.functions.get(address, ".cold")


def refuse_recursion(active: list[str], name: str) -> NoReturn:
    """Raises ``ImageError``: of the functions that are ``active``, the last calls ``name``."""
    circle = " > ".join([*active[active.index(name) :], name])
    raise ImageError(f"{circle} is recursion, whose stack has no bound: write a loop")


class _Walk:
    """Through one function: how deep the stack is before each instruction, on every way there."""

    def __init__(self, bodies: Bodies, entry: int) -> None:
        self._bodies = bodies
        self._name = bodies.name(entry)
        self._depths: dict[int, int] = {}
        self._open = [(entry, 0)]
        self._taken = 0
        self._places: set[int] = set()  # in code, whose addresses it has taken
        self._calls: list[Call] = []
        self._returns = False

    def follow(self) -> Body:
        """Raises ``ImageError``."""
        while self._open:
            self._follow_from(*self._open.pop())
        return Body(self._name, self._taken, tuple(self._calls), self._returns)

    def _follow_from(self, address: int, depth: int) -> None:
        """Until the flow ends or joins what is known."""
        at = address
        try:
            code = self._bodies.elf.code_from(address)
            for here, step in steps(code, address):
                if not self._is_new(here, depth):
                    return
                at = here + step.size
                depth = self._after(step, here, depth)
                if not self._goes_on(step, here, depth):
                    return
        except UnknownInstructionError as error:
            self._refuse(at, f"nothing is known of what {error} does to it")
        self._refuse(at, "there is no instruction")

    def _is_new(self, address: int, depth: int) -> bool:
        if address not in self._depths:
            self._depths[address] = depth
            return True
        if self._depths[address] != depth:
            self._refuse(address, f"{self._depths[address]} or {depth} bytes are taken there")
        return False

    def _after(self, step: Step, here: int, depth: int) -> int:
        """The depth after an instruction."""
        if step.sets_stack and self._name not in _SETS_STACK:
            self._refuse(here, f"{step.text} sets it")
        after = depth + step.grows
        if after < 0 or (step.is_return and after):
            self._refuse(here, f"{step.text} leaves {after} bytes")
        self._taken = max(self._taken, after)
        return depth if step.is_return else after  # a return that is skipped pops nothing

    def _goes_on(self, step: Step, here: int, depth: int) -> bool:
        """Notes calls and jumps. Whether the next instruction may follow."""
        if step.is_return:
            self._returns = True
        if step.points_to is not None:
            self._places.add(here + step.points_to)
        if step.is_computed:
            self._jump_into_run(step, here, depth)
        elif step.is_indirect:
            self._calls.append(Call(depth, None, here))
            self._returns |= not step.goes_on  # of a jump, in place of this function
        elif step.calls is not None:
            return self._call(here, here + step.calls, depth)
        elif step.jumps is not None:
            to = here + step.jumps
            if self._bodies.is_entry(to) and to not in self._depths:
                self._returns |= self._call(here, to, depth)
            else:
                self._open.append((to, depth))
        return step.goes_on

    def _jump_into_run(self, step: Step, here: int, depth: int) -> None:
        """A jump into instructions that follow a place, so far in as a number asks for. Which of
        them it is makes no difference: none before the next jump may touch the stack."""
        elf = self._bodies.elf
        runs = [p for p in sorted(self._places) if elf.function_at(p) == self._name]
        if not runs:
            self._refuse(here, f"{step.text} jumps, and nothing says where to")
        for run in runs:
            for _, inside in steps(elf.code_from(run), run):
                if inside.grows or inside.sets_stack:
                    self._refuse(here, f"{step.text} may jump past {inside.text}")
                if not inside.goes_on or inside.jumps is not None or inside.is_return:
                    break
            self._open.append((run, depth))

    def _call(self, here: int, callee: int, depth: int) -> bool:
        """Whether it comes back."""
        self._calls.append(Call(depth, callee, here))
        return self._bodies.body(callee).returns

    def _refuse(self, address: int, why: str) -> NoReturn:
        raise ImageError(f"the stack of {self._name} cannot be followed at {address:#x}: {why}")
