# SPDX-License-Identifier: Apache-2.0
"""The balanced rule: stages in a row over the PEs, so that the slowest PE is as fast as can be.

Neighbouring stages share a PE as long as it keeps up; a stage that one PE cannot compute in time,
or hold, is cut over several. Many times allowed are tried, and of what they give is taken what is
fastest with its messages, among what takes little more work than one PE. It is a rule and not a
search: it looks at one chain of stages, not at routes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Table
from dataclasses import dataclass
from math import inf, sqrt

from xdsl.ir import SSAValue

from weft.dialects.stages import Constant, Stage
from weft.dialects.stages.base import dtype_of, elements, shape_of
from weft.dialects.stages.box import Box
from weft.kernels.view import ITEM_BYTES
from weft.machines.model import PeClass
from weft.mapping.cost import Costs, ShardCost, cycles_for
from weft.mapping.loads import Load, Loads
from weft.mapping.mapping import DEFAULT_DEPTH, HOST, Mapping, Shard
from weft.mapping.split import split

# From one time that is tried to the next, and how often the distance to the best is halved.
_STEP = 0.95
_REFINEMENTS = 10


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
        self.costs = Costs()
        self.splits: dict[tuple[int, int, str], list[Box]] = {}
        self.groups: dict[tuple[int, int], int] = {}
        number = {stage: i for i, stage in enumerate(stages)}
        self.users = [
            [number.get(use.operation, len(stages)) for use in stage.result.uses]
            for stage in stages
        ]

    def cost(self, index: int, box: Box, worker: Worker) -> ShardCost:
        return self.costs.of(self.stages[index], box, worker.pe_class)

    def seconds(self, index: int, box: Box, worker: Worker) -> float:
        return self.cost(index, box, worker).cycles / worker.pe_class.clock_hz

    def alone(self, choose: Callable[[Iterable[float]], float]) -> float:
        """The seconds of all stages, whole, each on the slowest or fastest PE; firings apart."""
        kinds = [worker.pe_class for worker in _kinds(self.workers)]
        wholes = [(stage, Box.whole(shape_of(stage.result))) for stage in self.stages]
        return sum(
            choose(self.costs.work(stage, whole, c) / c.clock_hz for c in kinds)
            for stage, whole in wholes
        )

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
            if first < index:  # it fires with what is there
                time -= worker.pe_class.cost.firing / worker.pe_class.clock_hz
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


@dataclass(frozen=True)
class _Candidate:
    """What the rule gives for a time that each PE has for computing."""

    limit: float
    shards: dict[str, tuple[Shard, ...]]
    load: Load


class _Search:
    """Tries times, and keeps the best of what they give."""

    def __init__(self, rule: _Rule, loads: Loads, most_work: float) -> None:
        self.rule = rule
        self.loads = loads
        self.most_work = most_work
        self.best: _Candidate | None = None

    def rank(self, candidate: _Candidate) -> tuple[float, float, float]:
        """The least is best: no more work than allowed, then speed, then less work."""
        load = candidate.load
        return max(load.ratio, self.most_work), load.seconds, load.cycles

    def attempt(self, limit: float) -> None:
        """What the rule finds for PEs that compute no longer than ``limit`` seconds."""
        found = self.rule.fill(limit)
        if found is None:
            return
        labels = (stage.label.data for stage in self.rule.stages)
        shards = {label: tuple(row) for label, row in zip(labels, found, strict=True)}
        if self.best is None or shards != self.best.shards:
            candidate = _Candidate(limit, shards, self.loads.of(shards))
            if self.best is None or self.rank(candidate) < self.rank(self.best):
                self.best = candidate

    def run(self) -> _Candidate | None:
        """All the time there is; from that of one PE down to an equal part for each; then close to
        the best."""
        self.attempt(inf)
        limit, least = self.rule.alone(max), self.rule.alone(min) / len(self.rule.workers)
        while limit >= least > 0:
            limit *= _STEP
            self.attempt(limit)
        step = _STEP
        for _ in range(_REFINEMENTS):
            if self.best is None:
                break
            step, around = sqrt(step), self.best.limit
            for factor in (step, 1 / step):
                self.attempt(around * factor)
        return self.best


def balanced(
    stages: Sequence[Stage],
    workers: Sequence[Worker],
    fixed: Table[str, tuple[Shard, ...]] | None = None,
    source: str | int = HOST,
    most_work: float = inf,
) -> Mapping | None:
    """Shards for the stages that ``fixed`` does not name, on ``workers``; None if they do not fit.

    The PEs work ``most_work`` times as much as one alone would at most (``Load.ratio``), or, where
    nothing that fits takes so little, as little as can be. The same arguments give the same
    mapping.
    """
    fixed = fixed or {}
    free = [s for s in stages if s.label.data not in fixed]
    chosen: Table[str, tuple[Shard, ...]] = {}
    if free:
        if not workers:
            return None
        rule = _Rule(free, workers)
        loads = Loads(stages, {w.pe: w.pe_class for w in workers}, fixed, rule.costs)
        found = _Search(rule, loads, most_work).run()
        if found is None:
            return None
        chosen = found.shards
    return Mapping(
        {s.label.data: fixed.get(s.label.data) or chosen[s.label.data] for s in stages}, source
    )


def _bytes(value: SSAValue) -> int:
    return elements(value) * ITEM_BYTES[dtype_of(value.type)]


def _kinds(workers: Sequence[Worker]) -> list[Worker]:
    """One worker of every class."""
    return list({w.pe_class.name: w for w in workers}.values())
