# SPDX-License-Identifier: Apache-2.0
"""What a mapping asks of its PEs, without making the mesh: by stages, cheaply, messages included.

The rule compares mappings by it. The model of time (``timing``) looks at the mesh itself, and so
knows which firings share a slot and what credits hold up.
"""

from __future__ import annotations

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from weft.dialects.stages import Stage
from weft.dialects.stages.base import dtype_of, shape_of
from weft.dialects.stages.box import Box
from weft.kernels.view import ITEM_BYTES
from weft.machines.model import PeClass
from weft.mapping.cost import MESSAGES_TO_RETURN, MESSAGES_TO_SEND, Costs
from weft.mapping.mapping import Shard

Placed = Table[str, Sequence[Shard]]
_Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Load:
    """For a frame: ``seconds`` of the busiest PE, ``cycles`` of all PEs, and ``whole_cycles``, what
    they would be if no stage were cut and nothing were sent."""

    seconds: float
    cycles: float
    whole_cycles: float

    @property
    def ratio(self) -> float:
        """The work of all PEs in relation to that of one PE alone."""
        return self.cycles / self.whole_cycles if self.whole_cycles else 1.0


class Loads:
    """Loads by the stages that are not ``fixed``, on PEs of these ``classes``, by number."""

    def __init__(
        self, stages: Sequence[Stage], classes: Table[int, PeClass], fixed: Placed, costs: Costs
    ) -> None:
        self.stages = stages
        self.classes = classes
        self.fixed = fixed
        self.costs = costs
        self.any_class = next(iter(classes.values()))  # what a box reads is the same for all

    def of(self, chosen: Placed) -> Load:
        """Of shards for all that is not fixed, on PEs that have a class."""
        sent = self.sent({**self.fixed, **chosen})
        used = {shard.pe for shards in chosen.values() for shard in shards}
        busy = {pe: self.classes[pe].cost.firing for pe in sorted(used)}
        whole = next(iter(busy.values()), 0.0)
        for stage in self.stages:
            label = stage.label.data
            everything = Box.whole(shape_of(stage.result))
            for shard, (messages, size) in zip(chosen.get(label, ()), sent[label], strict=False):
                pe_class = self.classes[shard.pe]
                busy[shard.pe] += self.costs.work(stage, shard.box, pe_class)
                busy[shard.pe] += messages * pe_class.cost.message + size * pe_class.cost.byte
                share = shard.box.size / everything.size
                whole += self.costs.work(stage, everything, pe_class) * share
        seconds = (cycles / self.classes[pe].clock_hz for pe, cycles in busy.items())
        return Load(float(max(seconds, default=0.0)), float(sum(busy.values())), whole)

    def sent(self, placed: Placed) -> dict[str, _Array]:
        """By stage, for each of its shards: messages to other PEs, and bytes of boxes for them."""
        traffic = _Traffic(placed)
        writers: dict[SSAValue, str] = {s.result: s.label.data for s in self.stages}
        inputs: dict[SSAValue, list[_Read]] = {}
        slots: set[tuple[SSAValue, int, Box]] = set()
        for stage in self.stages:
            reads: dict[SSAValue, list[_Read]] = {}
            for number, shard in enumerate(placed[stage.label.data]):
                for operand, box in self.costs.of(stage, shard.box, self.any_class).inputs:
                    value = stage.operands[operand]
                    if (value, shard.pe, box) not in slots:  # else it shares one
                        slots.add((value, shard.pe, box))
                        read = _Read(stage.label.data, number, shard.pe, box)
                        (reads if value in writers else inputs).setdefault(value, []).append(read)
            for value, found in reads.items():
                traffic.add(writers[value], found, ITEM_BYTES[dtype_of(value.type)])
        for found in inputs.values():
            traffic.scatter(found)
        for stage in self.stages:
            if any(not isinstance(use.operation, Stage) for use in stage.result.uses):
                traffic.gather(stage.label.data)
        return traffic.sent


@dataclass(frozen=True)
class _Read:
    """A shard of the stage ``label``, by number, on ``pe``, reads a box."""

    label: str
    number: int
    pe: int
    box: Box


class _Traffic:
    """Messages and bytes of shards, summed up."""

    def __init__(self, placed: Placed) -> None:
        self.placed = placed
        self.sent = {label: np.zeros((len(shards), 2)) for label, shards in placed.items()}

    def add(self, writer: str, reads: Sequence[_Read], item_bytes: int) -> None:
        """Boxes of the result of ``writer``, to shards of one stage."""
        shards = self.placed[writer]
        elements = _common([read.box for read in reads], [shard.box for shard in shards])
        elements[np.equal.outer([r.pe for r in reads], [s.pe for s in shards])] = 0
        self.sent[writer][:, 0] += MESSAGES_TO_SEND * np.count_nonzero(elements, axis=0)
        self.sent[writer][:, 1] += item_bytes * elements.sum(axis=0)
        for read, writers in zip(reads, np.count_nonzero(elements, axis=1), strict=True):
            self.sent[read.label][read.number, 0] += MESSAGES_TO_RETURN * writers

    def scatter(self, reads: Sequence[_Read]) -> None:
        """An input, which the host cuts up if several PEs read it."""
        if len({read.pe for read in reads}) > 1:
            for read in reads:
                self.sent[read.label][read.number, 0] += MESSAGES_TO_RETURN

    def gather(self, writer: str) -> None:
        """An output, which the host puts together if several PEs compute it."""
        if len({shard.pe for shard in self.placed[writer]}) > 1:
            self.sent[writer][:, 0] += MESSAGES_TO_SEND


def _common(rows: Sequence[Box], columns: Sequence[Box]) -> _Array:
    """How many elements each of some boxes of a tensor has in common with each of others."""
    first = np.maximum(_edges(rows, False)[:, None], _edges(columns, False)[None])
    last = np.minimum(_edges(rows, True)[:, None], _edges(columns, True)[None])
    common: _Array = np.maximum(last - first, 0).prod(axis=2)
    return common


def _edges(boxes: Sequence[Box], is_end: bool) -> _Array:
    return np.array([box.end if is_end else box.begin for box in boxes], np.int64)
