# SPDX-License-Identifier: Apache-2.0
"""Pipelines written by hand: what every firing takes is the test's to choose."""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from pathlib import Path
from typing import Any

from native.tiny import (
    CONSTANTS,
    FRAME_BYTES,
    INPUT_BYTES,
    ROW_BYTES,
    ROW_STRIDE,
    ROWS,
    channel_row,
    write_program,
)
from weft.codegen.tables import (
    IN_CONSTANTS,
    Call,
    ChannelRow,
    LaneRow,
    PeTables,
    ReturnRow,
    SendRow,
    ShardRow,
    SlotRow,
    slot_word,
)
from weft.mapping.marked_graph import Channel, MarkedGraph, Transition
from weft.program import Program

#: The producer of what comes from outside.
OUTSIDE = -1


@dataclass(frozen=True)
class Read:
    """A slot: the number of the shard that fills it, and for how many frames it has room."""

    producer: int
    depth: int


@dataclass(frozen=True)
class Shard:
    """``start``, ``tasks`` and ``sends`` are cycles of its PE. It adds the constants to what its
    first read gives."""

    pe: int
    reads: tuple[Read, ...]
    tasks: tuple[int, ...]
    start: int = 0
    sends: int = 0

    @property
    def cycles(self) -> int:
        return self.start + sum(self.tasks) + self.sends


@dataclass(frozen=True)
class Pipeline:
    """Shard 0 reads the input, the last one gives the output. ``clocks`` in Hz, ``nodes`` by PE;
    ``network`` as in a manifest, but for the ticks. With ``lane_shards``, that many shards of a PE
    make a lane, and others may fire while they do."""

    shards: tuple[Shard, ...]
    clocks: tuple[int, ...]
    nodes: tuple[tuple[int, int], ...]
    network: dict[str, Any]
    output_depth: int = 2
    link: str | None = None
    link_ticks: tuple[int, int] = (0, 0)
    lane_shards: int = 0

    @property
    def tick_hz(self) -> int:
        return lcm(self.network["clock_hz"], *self.clocks)

    def graph(self) -> MarkedGraph:
        """As in mapping/timing.py: without the network."""
        names = ["input", *(f"s{i}" for i in range(len(self.shards))), "output"]
        ticks = [self.tick_hz // self.clocks[s.pe] * s.cycles for s in self.shards]
        transitions = [
            Transition("input", self.link_ticks[0], self.link or "input"),
            Transition("output", self.link_ticks[1], self.link or "output"),
            *(
                Transition(f"s{i}", ticks[i], f"pe{shard.pe}")
                for i, shard in enumerate(self.shards)
            ),
        ]
        channels = [
            Channel(names[read.producer + 1], f"s{i}", read.depth)
            for i, shard in enumerate(self.shards)
            for read in shard.reads
        ]
        channels.append(Channel(names[-2], "output", self.output_depth))
        return MarkedGraph(tuple(transitions), tuple(channels))

    def additions(self) -> int:
        """How often the constants are added on the way of a frame."""
        count, at = 0, len(self.shards) - 1
        while at != OUTSIDE:
            count, at = count + 1, self.shards[at].reads[0].producer
        return count


def build(pipeline: Pipeline, folder: Path, predicted_fps: float = 0.0) -> Program:
    tables = _tables(pipeline)
    rows = [_row(pipeline, pe) for pe in range(len(pipeline.clocks))]
    last = pipeline.shards[-1].pe
    number = len(tables[last].channels) - 1
    channels = [channel_row("in", pipeline.shards[0].pe, 0), channel_row("out", last, number)]
    for channel, ticks in zip(channels, pipeline.link_ticks, strict=True):
        channel |= {"link": pipeline.link, "link_ticks": ticks}
    manifest = {
        "pe_classes": {f"c{hz}": {"clock_hz": hz} for hz in pipeline.clocks},
        "network": {**pipeline.network, "tick_hz": pipeline.tick_hz},
        "timing": {"predicted_fps": predicted_fps},
        "channels": channels,
    }
    return write_program(folder, [t.to_bytes() for t in tables], rows, manifest)


def _row(pipeline: Pipeline, pe: int) -> dict[str, object]:
    here = [(i, shard) for i, shard in enumerate(pipeline.shards) if shard.pe == pe]
    task = {"stage": "binary", "macs": 0, "kernels": ["tiny"]}
    return {
        "name": f"PE{pe}",
        "program": "p0",
        "pe_class": f"c{pipeline.clocks[pe]}",
        "node": list(pipeline.nodes[pe]),
        "shards": [
            [{**task, "name": f"s{i}", "core_cycles": cycles} for cycles in shard.tasks]
            for i, shard in here
        ],
        "firings": [{"start_cycles": shard.start, "send_cycles": shard.sends} for _, shard in here],
    }


def _tables(pipeline: Pipeline) -> list[PeTables]:
    """Results of firings lie first in an arena, one for each shard, then come the slots."""
    counts = [
        sum(shard.pe == pe for shard in pipeline.shards) for pe in range(len(pipeline.clocks))
    ]
    tables = [PeTables(count * FRAME_BYTES, len(CONSTANTS)) for count in counts]
    slots: dict[tuple[int, int], tuple[int, SlotRow]] = {}  # by shard and read
    for number, shard in enumerate(pipeline.shards):
        here = tables[shard.pe]
        first = len(here.slots)
        for index, read in enumerate(shard.reads):
            size = INPUT_BYTES if read.producer == OUTSIDE else FRAME_BYTES
            slots[number, index] = (len(here.slots), _add_slot(here, size, read.depth))
        words = (
            *(slot_word(first, 0), _result_at(here), IN_CONSTANTS, ROWS, ROW_BYTES),
            here.slots[first].frame_bytes // ROWS,
        )
        here.shards.append(
            ShardRow(first, len(shard.reads), len(here.tasks), len(shard.tasks), 0, 0)
        )
        calls: list[list[Call]] = [[Call(0, words)], *([] for _ in shard.tasks[1:])]
        here.tasks += [(f"s{number}", made) for made in calls]
    last = len(pipeline.shards)
    end = tables[pipeline.shards[-1].pe]
    slots[last, 0] = (len(end.slots), _add_slot(end, FRAME_BYTES, pipeline.output_depth))
    tables[pipeline.shards[0].pe].channels.append(
        ChannelRow(0, slots[0, 0][0], 0, ROWS, ROW_BYTES, ROW_STRIDE)
    )
    end.channels.append(ChannelRow(1, slots[last, 0][0], 0, 1, FRAME_BYTES, FRAME_BYTES))
    _add_sends(pipeline, tables, slots)
    for here in tables if pipeline.lane_shards else ():
        count = len(here.shards)
        for first in range(0, count, pipeline.lane_shards):
            here.lanes.append(LaneRow(first, min(pipeline.lane_shards, count - first)))
    return tables


def _result_at(tables: PeTables) -> int:
    """Of the shard that is added next."""
    return len(tables.shards) * FRAME_BYTES


def _add_slot(tables: PeTables, size: int, depth: int) -> SlotRow:
    slot = SlotRow(tables.arena_bytes, size, depth, 1)
    tables.slots.append(slot)
    tables.arena_bytes += depth * size
    return slot


def _add_sends(
    pipeline: Pipeline,
    tables: list[PeTables],
    slots: dict[tuple[int, int], tuple[int, SlotRow]],
) -> None:
    seen = [0] * len(tables)
    outside = Read(len(pipeline.shards) - 1, pipeline.output_depth)
    readers = [*((s.pe, s.reads) for s in pipeline.shards), (pipeline.shards[-1].pe, (outside,))]
    for number, shard in enumerate(pipeline.shards):
        here = tables[shard.pe]
        row = here.shards[seen[shard.pe]]
        result = seen[shard.pe] * FRAME_BYTES
        seen[shard.pe] += 1
        row.first_send = len(here.sends)
        for reader, (pe, reads) in enumerate(readers):
            for index, read in enumerate(reads):
                if read.producer != number:
                    continue
                at, slot = slots[reader, index]
                slot.first_return, slot.return_count = len(tables[pe].returns), 1
                tables[pe].returns.append(ReturnRow(shard.pe, len(here.sends)))
                here.sends.append(
                    SendRow(
                        *(pe, at, 0, slot.depth, result, slot.offset, slot.frame_bytes),
                        byte_count=FRAME_BYTES,
                    )
                )
        row.send_count = len(here.sends) - row.first_send
