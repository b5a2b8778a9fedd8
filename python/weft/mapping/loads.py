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
        busy: dict[int, float] = {}
        whole = 0.0
        for stage in self.stages:
            label = stage.label.data
            everything = Box.whole(shape_of(stage.result))
            for shard, (messages, size) in zip(chosen.get(label, ()), sent[label], strict=False):
                pe_class = self.classes[shard.pe]
                data = pe_class.cost
                if shard.pe not in busy:
                    busy[shard.pe] = data.firing
                    whole = whole or data.firing
                busy[shard.pe] += self.costs.work(stage, shard.box, pe_class)
                busy[shard.pe] += messages * data.message + size * data.byte
                share = shard.box.size / everything.size
                whole += self.costs.work(stage, everything, pe_class) * share
        seconds = (cycles / self.classes[pe].clock_hz for pe, cycles in busy.items())
        return Load(float(max(seconds, default=0.0)), float(sum(busy.values())), whole)

    def sent(self, placed: Placed) -> dict[str, _Array]:
        """By stage, for each of its shards: messages to other PEs, and bytes of boxes for them."""
        sent = {label: np.zeros((len(shards), 2)) for label, shards in placed.items()}
        writers = {stage.result: stage.label.data for stage in self.stages}
        slots: set[tuple[SSAValue, int, Box]] = set()
        inputs: dict[SSAValue, list[tuple[str, int, Box]]] = {}
        for stage in self.stages:
            label = stage.label.data
            reads: dict[SSAValue, list[tuple[int, Box]]] = {}
            for number, shard in enumerate(placed[label]):
                for operand, box in self.costs.of(stage, shard.box, self.any_class).inputs:
                    value = stage.operands[operand]
                    if (value, shard.pe, box) in slots:
                        continue  # who reads the same box on one PE shares a slot
                    slots.add((value, shard.pe, box))
                    if value in writers:
                        reads.setdefault(value, []).append((number, box))
                    else:
                        inputs.setdefault(value, []).append((label, number, box))
            for value, found in reads.items():
                item = ITEM_BYTES[dtype_of(value.type)]
                _count(sent, placed, (writers[value], label), found, item)
        for readers in inputs.values():
            # The host scatters what several PEs read.
            if len({placed[label][number].pe for label, number, _ in readers}) > 1:
                for label, number, _ in readers:
                    sent[label][number, 0] += MESSAGES_TO_RETURN
        for stage in self.stages:
            # And gathers what several compute.
            shards = placed[stage.label.data]
            is_output = any(not isinstance(use.operation, Stage) for use in stage.result.uses)
            if is_output and len({shard.pe for shard in shards}) > 1:
                sent[stage.label.data][:, 0] += MESSAGES_TO_SEND
        return sent


def _count(
    sent: dict[str, _Array],
    placed: Placed,
    labels: tuple[str, str],
    reads: Sequence[tuple[int, Box]],
    item_bytes: int,
) -> None:
    """Adds what one stage sends to another, of whose shards some read boxes of its result."""
    writer, reader = labels
    shards = placed[writer]
    numbers, boxes = [number for number, _ in reads], [box for _, box in reads]
    elements = _common(boxes, [shard.box for shard in shards])
    pes = [placed[reader][number].pe for number in numbers]
    elements[np.equal.outer(pes, [shard.pe for shard in shards])] = 0
    sent[writer][:, 0] += MESSAGES_TO_SEND * np.count_nonzero(elements, axis=0)
    sent[writer][:, 1] += item_bytes * elements.sum(axis=0)
    returns = MESSAGES_TO_RETURN * np.count_nonzero(elements, axis=1)
    np.add.at(sent[reader][:, 0], numbers, returns)


def _common(rows: Sequence[Box], columns: Sequence[Box]) -> _Array:
    """How many elements each of some boxes of a tensor has in common with each of others."""
    first = np.maximum(_edges(rows, False)[:, None], _edges(columns, False)[None])
    last = np.minimum(_edges(rows, True)[:, None], _edges(columns, True)[None])
    return np.prod(np.maximum(last - first, 0), axis=2)


def _edges(boxes: Sequence[Box], is_end: bool) -> _Array:
    return np.array([box.end if is_end else box.begin for box in boxes], np.int64)
