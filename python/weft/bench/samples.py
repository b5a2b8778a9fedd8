# SPDX-License-Identifier: Apache-2.0
"""What cost data are fitted to: counted cycles of stages, and of what a PE does around them."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from weft.bench.counting import Work, stage_of
from weft.codegen.manifest import MAPPING
from weft.dialects.stages.box import Box
from weft.engines.cortex_m4.counts import Count
from weft.exported_graph import Graph, GraphStage, cost
from weft.machines.model import PeClass
from weft.program import Program

# docs/formats/tables.md: where the head names sends and returns, and their rows.
_SENDS_AT, _SEND_WORDS, _RUNS = 10, 15, slice(7, 10)
_RETURNS_AT, _RETURN_WORDS = 12, 2
_ANY_CLASS = PeClass("any", "", 1, 0, ())


@dataclass(frozen=True)
class StageSample:
    """One box of a stage, and the ``cycles`` of its kernels for a frame. ``inner`` are its MACs, or
    the elements that it looks at if it has none; ``channels`` of its ``elements`` are of a pixel.
    """

    name: str
    kind: str
    has_macs: bool
    inner: int
    elements: int
    channels: int
    cycles: int


@dataclass(frozen=True)
class FiringSample:
    """One PE, the ``firings`` of a frame there and their ``tasks``, the ``bytes`` that they send,
    also to the PE itself, their ``messages`` to others, and the ``cycles`` for a frame that are no
    stage's: within firings, and between them, where messages are taken in."""

    name: str
    firings: int
    tasks: int
    messages: int
    bytes: int
    cycles: int


def stage_samples(program: Program, found: Graph, work: Work) -> Iterator[StageSample]:
    """Of a program and the stage graph of its model. What a mapping file can ask of a stage beside
    boxes, a cut over input channels, makes stages that the graph has not: these are left out."""
    mapping = json.loads((program.folder / MAPPING).read_text(encoding="utf-8"))
    stages = {stage.name: stage for stage in found.stages}
    for (pe, shard, number), count in work.tasks.items():
        task = program.manifest["pes"][pe]["shards"][shard][number] if number >= 0 else None
        if task is None:
            continue
        label, box = stage_of(task["name"], stages)
        stage = stages.get(label)
        if stage is not None and stage.kind == task["stage"]:
            yield _stage_sample(program, stage, mapping["stages"][label][box], task, count)


def _stage_sample(
    program: Program, stage: GraphStage, box: dict[str, Any], task: dict[str, Any], count: Count
) -> StageSample:
    size = Box(tuple(box["begin"]), tuple(box["shape"])).size
    macs = cost(stage, (box["begin"], box["shape"]), _ANY_CLASS).macs
    assert macs == task["macs"], (program.folder, task)
    return StageSample(
        f"{program.manifest['model']['name']} {task['name']} on {program.manifest['machine']}",
        stage.kind,
        macs > 0,
        macs or size * stage.op.taps(),
        size,
        (box["shape"] or [1])[-1],
        count.cycles,
    )


def firing_samples(program: Program, work: Work) -> Iterator[FiringSample]:
    """Of every PE that fires."""
    tables = (program.folder / "tables.bin").read_bytes()
    for pe, row in enumerate(program.manifest["pes"]):
        if row["program"] is None or not row["shards"]:
            continue
        cycles = sum(c.cycles for (at, _, task), c in work.tasks.items() if at == pe and task < 0)
        own = tables[row["tables_at"] :][: row["tables_bytes"]]
        yield FiringSample(
            f"PE {row['name']} of {program.manifest['model']['name']} on "
            f"{program.manifest['machine']}",
            len(row["shards"]),
            sum(len(tasks) for tasks in row["shards"]),
            *_sent(own, pe),
            cycles,
        )


def _sent(tables: bytes, pe: int) -> tuple[int, int]:
    """Messages of PE number ``pe`` to others for a frame, each a box, an arrival or a credit, and
    bytes to anybody."""
    words = struct.unpack(f"<{len(tables) // 4}I", tables)

    def rows(at: int, size: int) -> list[tuple[int, ...]]:
        count, first = words[at : at + 2]
        return [words[first + size * i :][:size] for i in range(count)]

    messages = sum(to != pe for to, _ in rows(_RETURNS_AT, _RETURN_WORDS))
    sent = 0
    for row in rows(_SENDS_AT, _SEND_WORDS):
        outer, inner, size = row[_RUNS]
        sent += outer * inner * size
        if row[0] != pe:
            messages += 2 if size else 1
    return messages, sent
