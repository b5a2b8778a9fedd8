# SPDX-License-Identifier: Apache-2.0
"""What a firing takes of its PE, part by part, in whole cycles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from weft.dialects.fabric import TemplateOp
from weft.dialects.stages import Stage
from weft.dialects.stages.base import elements, shape_of
from weft.machines.model import CostData
from weft.mapping.cost import work_cycles


@dataclass(frozen=True)
class FiringCycles:
    """In cycles of the PE's clock: ``start``, the firing as such, before its first task; those of
    the template's stages, by their labels there, in order (of tasks, where devices are used);
    ``sends``, what it says to others and gives back, after its last task. ``waits`` is how long it
    waits for devices if nobody else has them."""

    start: int
    stages: tuple[tuple[str, int], ...]
    sends: int
    waits: int = 0

    @property
    def total(self) -> int:
        """Of the core, without waiting."""
        return self.start + sum(cycles for _, cycles in self.stages) + self.sends


@dataclass(frozen=True)
class StageWork:
    """What one stage of a template takes, before anything is rounded."""

    label: str
    cycles: float


def stage_work(template: TemplateOp, cost: CostData | None) -> list[StageWork]:
    """In the order of the template; no cycles where there is no ``cost``: on the host."""
    return [
        StageWork(op.label.data, 0.0 if cost is None else _cycles(op, cost))
        for op in template.graph.body.block.ops
        if isinstance(op, Stage)
    ]


def _cycles(op: Stage, cost: CostData) -> float:
    return work_cycles(op, elements(op.result), [1, *shape_of(op.result)][-1], cost)


def firing_cycles(
    work: Sequence[StageWork], start: float, sending: float, waits: int = 0
) -> FiringCycles:
    """``start`` is what a firing as such takes, ``sending`` what sends and credits do. No part is
    rounded by itself: the total is that of the exact sum, rounded up, and so is the sum of the
    parts up to each of them."""
    first, *parts, last = _whole([start, *(stage.cycles for stage in work), sending])
    rows = [(stage.label, part) for stage, part in zip(work, parts, strict=True)]
    return FiringCycles(first, tuple(rows), last, waits)


def _whole(parts: Sequence[float]) -> list[int]:
    """Whole numbers with the same sums from the first on, rounded up."""
    found, total, before = [], 0.0, 0
    for part in parts:
        total += part
        found.append(ceil(total) - before)
        before = ceil(total)
    return found
