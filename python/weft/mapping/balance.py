# SPDX-License-Identifier: Apache-2.0
"""The balanced rule: stages in a row over the PEs, so that the slowest PE is as fast as can be.

Neighbouring stages share a PE as long as it keeps up; a stage that one PE cannot compute in time,
or hold, is cut over several. The time allowed is found by bisection. It is a rule and not a search:
it looks at one chain of stages, not at routes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.ir import SSAValue

from weft.dialects.stages import Constant, Stage
from weft.dialects.stages.base import dtype_of, elements, shape_of
from weft.dialects.stages.box import Box
from weft.kernels.view import ITEM_BYTES
from weft.machines.model import PeClass
from weft.mapping.cost import ShardCost, cost, cycles_for
from weft.mapping.mapping import DEFAULT_DEPTH, HOST, Mapping, Shard
from weft.mapping.split import split

_BISECTIONS = 30


@dataclass(frozen=True)
class Worker:
    """A PE that may be used: its number, its class, the bytes that weights and data may take."""

    pe: int
    pe_class: PeClass
    capacity: int


class _Rule:
    def __init__(self, stages: Sequence[Stage], workers: Sequence[Worker]) -> None:
        self.stages = stages
        self.workers = workers
        self.costs: dict[tuple[int, Box, str], ShardCost] = {}
        self.splits: dict[tuple[int, int, str], list[Box]] = {}
        self.groups: dict[tuple[int, int], int] = {}
        number = {stage: i for i, stage in enumerate(stages)}
        self.users = [
            [number.get(use.operation, len(stages)) for use in stage.result.uses]
            for stage in stages
        ]

    def cost(self, index: int, box: Box, worker: Worker) -> ShardCost:
        key = index, box, worker.pe_class.name
        if key not in self.costs:
            self.costs[key] = cost(self.stages[index], box, worker.pe_class)
        return self.costs[key]

    def seconds(self, index: int, box: Box, worker: Worker) -> float:
        return self.cost(index, box, worker).cycles / worker.pe_class.clock_hz

    def most_elements(self, index: int, limit: float, worker: Worker) -> int:
        """The size of the largest box that takes no longer than ``limit``; 0 if there is none."""
        stage, pe_class = self.stages[index], worker.pe_class
        sizes = range(1, elements(stage.result) + 1)
        return bisect_right(
            sizes, limit, key=lambda n: cycles_for(stage, n, pe_class) / pe_class.clock_hz
        )

    def split(self, index: int, pieces: int, worker: Worker) -> list[Box]:
        key = index, pieces, worker.pe_class.name
        if key not in self.splits:
            self.splits[key] = split(self.stages[index], pieces, worker.pe_class)
        return self.splits[key]

    def group_bytes(self, first: int, last: int, worker: Worker) -> int:
        """What stages ``first`` to ``last`` (inclusive) need together on one PE: weights, slots for
        what comes from outside, and the largest sum of what is alive at one time."""
        key = first, last
        if key not in self.groups:
            self.groups[key] = self.constants(first, last, worker) + self.activations(first, last)
        return self.groups[key]

    def constants(self, first: int, last: int, worker: Worker) -> int:
        """What constants take: of weights that come from DRAM, those of one stage are there while
        those of the next are copied."""
        wholes = [Box.whole(shape_of(self.stages[i].result)) for i in range(first, last + 1)]
        costs = [self.cost(first + i, box, worker) for i, box in enumerate(wholes)]
        rooms = [cost.streamed_bytes for cost in costs if cost.streamed_bytes]
        streamed = max((sum(rooms[i : i + 2]) for i in range(len(rooms))), default=0)
        return sum(cost.constants_bytes for cost in costs) + streamed

    def activations(self, first: int, last: int) -> int:
        own = {self.stages[i].result for i in range(first, last + 1)}
        outside = {
            v
            for i in range(first, last + 1)
            for v in self.stages[i].operands
            if v not in own and not isinstance(v.owner, Constant)
        }
        peak = 0
        for now in range(first, last + 1):
            alive = 0
            for made in range(first, now + 1):
                stage = self.stages[made]
                if not stage.is_view and self.last_use(made, last) >= now:
                    alive += _bytes(stage.result)
            peak = max(peak, alive)
        return DEFAULT_DEPTH * sum(_bytes(v) for v in outside) + peak

    def last_use(self, made: int, last: int) -> int:
        """The last stage of a group that needs a result; results that leave it stay to its end."""
        users = self.users[made]
        return last if not users or max(users) > last else max(users)

    def fill(self, limit: float) -> list[list[Shard]] | None:
        """The shards of every stage, if no PE takes longer than ``limit`` seconds; else None."""
        shards: list[list[Shard]] = []
        at = 0  # the worker that is being filled, with the stages from `first` on
        first, load = 0, 0.0
        for index, stage in enumerate(self.stages):
            if at >= len(self.workers):
                return None
            worker = self.workers[at]
            whole = Box.whole(shape_of(stage.result))
            time = self.seconds(index, whole, worker)
            if load + time <= limit and self.group_bytes(first, index, worker) <= worker.capacity:
                load += time
                shards.append([Shard(whole, worker.pe)])
                continue
            if first < index:
                at += 1
                first, load = index, 0.0
            cut = None
            while cut is None:
                if at >= len(self.workers):
                    return None
                cut = self.cut(index, self.workers[at:], limit)
                if cut is None:  # others may be faster, or have more memory
                    at = self.next_class(at)
            shards.append(cut)
            if len(cut) > 1:
                at += len(cut)
                first, load = index + 1, 0.0
            else:
                load = self.seconds(index, whole, self.workers[at])
        return shards

    def next_class(self, at: int) -> int:
        """The next worker of another class than that at ``at``."""
        name = self.workers[at].pe_class.name
        while at < len(self.workers) and self.workers[at].pe_class.name == name:
            at += 1
        return at

    def cut(self, index: int, workers: Sequence[Worker], limit: float) -> list[Shard] | None:
        """The fewest boxes that fit in time and memory, on the first of ``workers``."""
        whole = Box.whole(shape_of(self.stages[index].result))
        kinds = _kinds(workers)
        most = max(self.most_elements(index, limit, worker) for worker in kinds)
        if most == 0:
            return None
        room = max(1, *(worker.capacity for worker in kinds))
        # No fewer can do: one of the pieces has at least its part of the whole.
        fewest = -(-whole.size // most)
        fewest = max(fewest, self.cost(index, whole, workers[0]).output_bytes // room)
        tried = 0
        for pieces in range(fewest, len(workers) + 1):
            boxes = self.split(index, pieces, workers[0])
            if len(boxes) <= tried:
                continue
            tried = len(boxes)
            pairs = list(zip(boxes, workers, strict=False))
            if all(
                self.seconds(index, box, worker) <= limit
                and self.cost(index, box, worker).memory_bytes <= worker.capacity
                for box, worker in pairs
            ):
                return [Shard(box, worker.pe) for box, worker in pairs]
        return None


def balanced(
    stages: Sequence[Stage],
    workers: Sequence[Worker],
    fixed: Table[str, tuple[Shard, ...]] | None = None,
    source: str | int = HOST,
) -> Mapping | None:
    """Shards for the stages that ``fixed`` does not name, on ``workers``; None if they do not fit.

    The same arguments give the same mapping.
    """
    fixed = fixed or {}
    free = [s for s in stages if s.label.data not in fixed]
    found: list[list[Shard]] | None = []
    if free:
        if not workers:
            return None
        rule = _Rule(free, workers)
        high = sum(
            max(rule.seconds(i, Box.whole(shape_of(s.result)), w) for w in _kinds(workers))
            for i, s in enumerate(free)
        )
        found = rule.fill(high)
        if found is None:
            return None
        low = 0.0
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            better = rule.fill(middle)
            if better is None:
                low = middle
            else:
                found, high = better, middle
    chosen = {s.label.data: tuple(shards) for s, shards in zip(free, found or [], strict=True)}
    return Mapping(
        {s.label.data: fixed.get(s.label.data) or chosen[s.label.data] for s in stages}, source
    )


def _bytes(value: SSAValue) -> int:
    return elements(value) * ITEM_BYTES[dtype_of(value.type)]


def _kinds(workers: Sequence[Worker]) -> list[Worker]:
    """One worker of every class."""
    return list({w.pe_class.name: w for w in workers}.values())
