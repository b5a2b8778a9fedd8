# SPDX-License-Identifier: Apache-2.0
"""An evolutionary search over the decisions about one kernel."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from weft.engines.cortex_m4.counts import Count
from weft.kernels.base import Kernel
from weft.kernels.schedule_space import Decisions, choices

# Of those that were measured, the best so many have offspring.
_PARENTS = 4
# How many of a generation are offspring, the others being drawn at random.
_OFFSPRING = 0.75


@dataclass
class Search:
    """What was found of ``kernel`` so far: ``measured`` candidates, the best first. The same
    ``seed`` and the same counts give the same candidates."""

    kernel: Kernel
    seed: int
    measured: list[tuple[Count, Decisions]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.seed} {self.kernel.name}")
        self._left = list(choices(self.kernel))

    def propose(self, count: int) -> list[Decisions]:
        """At most so many candidates that were not proposed before."""
        parents = [decisions for _, decisions in self.measured[:_PARENTS]]
        near = [c for c in self._left if any(_distance(c, p) == 1 for p in parents)]
        wanted = round(count * _OFFSPRING) if parents else 0
        chosen = self._random.sample(near, min(wanted, len(near)))
        others = [c for c in self._left if c not in chosen]
        chosen += self._random.sample(others, min(count - len(chosen), len(others)))
        self._left = [c for c in self._left if c not in chosen]
        return chosen

    def tell(self, decisions: Decisions, count: Count | None) -> None:
        """What a candidate costs; None if no image can be made with it."""
        if count is not None:
            self.measured.append((count, decisions))
            self.measured.sort(key=lambda found: (found[0].instructions, found[0].cycles))


def _distance(a: Decisions, b: Decisions) -> int:
    """In how many decisions they differ."""
    return sum(a[name] != b[name] for name in a)
