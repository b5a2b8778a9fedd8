# SPDX-License-Identifier: Apache-2.0
"""What machine code has run: instructions and modelled cycles, by PE, task and function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    """Executed instructions, and the cycles that they take of a Cortex-M4 by
    docs/design/cycle-model.md."""

    instructions: int = 0
    cycles: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.instructions + other.instructions, self.cycles + other.cycles)

    def __sub__(self, other: Count) -> Count:
        return Count(self.instructions - other.instructions, self.cycles - other.cycles)


@dataclass(frozen=True)
class Place:
    """What was run: ``function`` of the PE of number ``pe``, while the shard of that number fired
    and the kernels of its task of that number ran; -1 where none did. Kernels have a task, the
    executive within a firing a shard, and what is done between firings neither."""

    pe: int
    shard: int
    task: int
    function: str

    @property
    def is_firing(self) -> bool:
        """Whether it counts for a frame, not for looks and messages in between."""
        return self.shard >= 0

    @property
    def is_kernel(self) -> bool:
        """Whether it is a kernel's own work, or that of what a kernel calls."""
        return self.task >= 0


@dataclass(frozen=True)
class Counts:
    """Counts by place."""

    by_place: Mapping[Place, Count]

    def __add__(self, other: Counts) -> Counts:
        places = dict.fromkeys((*self.by_place, *other.by_place))
        return Counts({place: self._at(place) + other._at(place) for place in places})

    def since(self, earlier: Counts) -> Counts:
        """What was run after ``earlier`` was read, of the same session."""
        later = {place: count - earlier._at(place) for place, count in self.by_place.items()}
        return Counts({place: count for place, count in later.items() if count.instructions})

    def total(self, wanted: Callable[[Place], bool] = lambda _: True) -> Count:
        """The sum over the places that are ``wanted``."""
        return sum((c for place, c in self.by_place.items() if wanted(place)), Count())

    def _at(self, place: Place) -> Count:
        return self.by_place.get(place, Count())
