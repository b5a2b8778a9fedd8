# SPDX-License-Identifier: Apache-2.0
"""Which parts of stages fire together.

Parts on one PE that hand a whole box on, or read the same box, become one firing: what lies between
them is then scratch memory with planned lifetimes instead of a slot. Firings must not wait for each
other in a circle, so two are joined only if no path leads from one to the other through others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from weft.dialects.stages import Constant, Stage
from weft.dialects.stages.box import Box, Cut, CutError
from weft.mapping.mapping import Mapping

#: A box of a tensor that somebody needs.
Need = tuple[SSAValue, Box]


@dataclass(frozen=True, eq=False)
class Part:
    """A stage's share of one PE."""

    op: Stage
    box: Box
    cut: Cut
    pe: int
    number: int  # among the shards of its stage
    label: str

    def operands(self) -> Iterator[Need]:
        """What it reads, constants included, in order."""
        for value, box in zip(self.op.operands, self.cut.operands, strict=True):
            if box is not None:
                yield value, box

    def needs(self) -> list[Need]:
        """What it reads of other stages and of inputs."""
        return [(v, b) for v, b in self.operands() if not isinstance(v.owner, Constant)]


@dataclass(eq=False)
class Firing:
    """Parts in the order in which they run."""

    pe: int
    parts: list[Part] = field(default_factory=list)

    def covers(self, need: Need) -> Part | None:
        """The part whose box contains all of ``need``."""
        value, box = need
        for part in self.parts:
            if part.op.result is value and part.box.meet(box) == box:
                return part
        return None

    def reads(self) -> list[Need]:
        """The boxes that come from elsewhere, each once."""
        return list(
            dict.fromkeys(n for p in self.parts for n in p.needs() if self.covers(n) is None)
        )


class _Joiner:
    """Firings are numbered; ``roots`` says which one a number belongs to by now. Sets of firings
    are integers, one bit a number."""

    def __init__(self) -> None:
        self.firings: list[Firing] = []
        self.roots: list[int] = []
        self.bits: list[int] = []
        self.before: list[int] = []  # whom each waits for, directly or not
        self.makers: dict[SSAValue, list[tuple[Part, int]]] = {}
        self.readers: dict[tuple[int, SSAValue, Box], int] = {}

    def root(self, number: int) -> int:
        while self.roots[number] != number:
            number = self.roots[number]
        return number

    def sources(self, need: Need) -> list[tuple[Part, int]]:
        value, box = need
        return [
            (part, self.root(number))
            for part, number in self.makers.get(value, [])
            if part.box.meet(box) is not None
        ]

    def add(self, part: Part) -> None:
        joined = self.choose(part)
        outside = 0
        for need in part.needs():
            for _, number in self.sources(need):
                if number not in joined:
                    outside |= self.before[number] | self.bits[number]
        number = self.merge(part.pe, sorted(joined))
        self.firings[number].parts.append(part)
        self.before[number] |= outside
        if joined:  # nobody waits for a new one yet
            for other, before in enumerate(self.before):
                if before & self.bits[number]:
                    self.before[other] = before | self.before[number] | self.bits[number]
        self.makers.setdefault(part.op.result, []).append((part, number))
        for value, box in part.needs():
            self.readers[part.pe, value, box] = number

    def choose(self, part: Part) -> set[int]:
        """The firings that ``part`` joins, which become one."""
        candidates: list[int] = []
        for need in part.needs():
            candidates += [n for p, n in self.sources(need) if p.pe == part.pe]
            reader = self.readers.get((part.pe, *need))
            if reader is not None:
                candidates.append(self.root(reader))
        joined: set[int] = set()
        for candidate in dict.fromkeys(candidates):
            if self.may_join(part, joined | {candidate}):
                joined.add(candidate)
        return joined

    def may_join(self, part: Part, group: set[int]) -> bool:
        members = 0
        for number in group:
            members |= self.bits[number]
        if any(self.before[number] & members for number in group):
            return False
        for need in part.needs():
            sources = self.sources(need)
            if any(n in group and p.box.meet(need[1]) == need[1] for p, n in sources):
                continue
            if any((self.before[n] | self.bits[n]) & members for _, n in sources):
                return False
        return True

    def merge(self, pe: int, numbers: Sequence[int]) -> int:
        if not numbers:
            self.firings.append(Firing(pe))
            self.roots.append(len(self.roots))
            self.bits.append(1 << len(self.bits))
            self.before.append(0)
            return len(self.firings) - 1
        first, *others = numbers
        for other in others:
            self.roots[other] = first
            self.firings[first].parts += self.firings[other].parts
            self.bits[first] |= self.bits[other]
            self.before[first] |= self.before[other]
            self.bits[other] = self.before[other] = 0
        return first


def make_parts(stages: Sequence[Stage], mapping: Mapping) -> list[Part]:
    """Every shard of every stage, in the order of the stages.

    Raises ``CutError`` if a stage cannot compute one of its boxes on its own.
    """
    parts = []
    for op in stages:
        name = op.label.data
        shards = mapping.stages[name]
        for number, shard in enumerate(shards):
            label = name if len(shards) == 1 else f"{name}[{number}]"
            try:
                cut = op.settled(op.cut(shard.box), shard.box)
            except CutError as error:
                raise CutError(f"{label}: {error}") from None
            parts.append(Part(op, shard.box, cut, shard.pe, number, label))
    return parts


def make_firings(parts: Sequence[Part]) -> list[Firing]:
    """Joins parts into firings; in the order of their first parts."""
    order = {part: i for i, part in enumerate(parts)}
    joiner = _Joiner()
    for part in parts:
        joiner.add(part)
    firings = [f for i, f in enumerate(joiner.firings) if joiner.root(i) == i]
    for firing in firings:
        firing.parts.sort(key=lambda p: order[p])
    return sorted(firings, key=lambda f: order[f.parts[0]])
