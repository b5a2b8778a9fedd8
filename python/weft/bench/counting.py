# SPDX-License-Identifier: Apache-2.0
"""Counts the frames of a compiled program as machine code, by layer, kernel and PE."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weft.compiler import compile_model
from weft.engines.cortex_m4.counts import Count, Counts, Place
from weft.engines.cortex_m4.session import MachineCodeSession
from weft.errors import DoesNotFitError
from weft.frames import random_frame
from weft.program import Program

#: One PE: the first of these that a model fits.
SINGLE_MACHINES = ("single-m4", "single-m4-1m")
FRAMES = 3
_SEED = 0
_SHARD_NUMBER = re.compile(r"(.*)\[(\d+)\]")
_INVOKE = "invoke_"


#: Number of the PE, the shard there, and the task of that, as in the manifest.
TaskPlace = tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """A stage of the network, or what prepares for one (``border``, ``copy``), on all of its PEs:
    kernels and what they call. ``count`` is of a frame."""

    label: str
    kind: str
    macs: int
    count: Count


@dataclass(frozen=True)
class Work:
    """What the PEs of a program do for a frame, the mean over all frames that were counted.

    ``tasks`` are kernels, what they call included, by where they ran; task -1 is what else is run
    while a shard fires. ``total`` is what is run between the begin and the end of firings:
    ``kernels`` and ``executive``, which is the rest of it, messages included. ``waiting`` is what
    is run outside of them. ``by_frame`` is the total of every single frame.
    """

    layers: tuple[Layer, ...]
    tasks: Mapping[TaskPlace, Count]
    functions: Mapping[str, Count]
    by_pe: Mapping[str, Count]
    total: Count
    kernels: Count
    executive: Count
    waiting: Count
    by_frame: tuple[Count, ...]


def compile_single(path: Path) -> Program:
    """For the first machine of one PE that the model fits. Raises what ``compile_model`` does."""
    for machine in SINGLE_MACHINES[:-1]:
        try:
            return compile_model(path, machine)
        except DoesNotFitError:
            continue
    return compile_model(path, SINGLE_MACHINES[-1])


def count_frames(program: Program) -> Work:
    """Runs seeded random frames, one after the other. Raises ``EngineError`` or
    ``ToolchainError``."""
    rng = np.random.default_rng(_SEED)
    frames = [random_frame(program.inputs, rng) for _ in range(FRAMES)]
    counted = []
    with program.open("cortex-m4") as session:
        assert isinstance(session, MachineCodeSession)
        session.settle()
        before = session.counts()
        for frame in frames:
            session.run(frame)
            session.settle()
            after = session.counts()
            counted.append(after.since(before))
            before = after
    return _work(program, counted)


def stage_of(task: str, stages: Container[str]) -> tuple[str, int]:
    """The stage that a task is named for, and the number of its shard."""
    found = None if task in stages else _SHARD_NUMBER.fullmatch(task)
    return (found[1], int(found[2])) if found else (task, 0)


def _work(program: Program, counted: list[Counts]) -> Work:
    whole = Counts({})
    for counts in counted:
        whole += counts

    def mean(count: Count) -> Count:
        return Count(round(count.instructions / FRAMES), round(count.cycles / FRAMES))

    def firing(place: Place) -> bool:
        return place.is_firing

    functions: dict[str, Count] = {}
    by_pe: dict[str, Count] = {}
    for place, count in whole.by_place.items():
        if place.is_firing:
            name = program.manifest["pes"][place.pe]["name"]
            by_pe[name] = by_pe.get(name, Count()) + count
        if place.is_kernel:
            name = place.function.removeprefix(_INVOKE)
            functions[name] = functions.get(name, Count()) + count
    tasks: dict[TaskPlace, Count] = {}
    for place, count in whole.by_place.items():
        at = (place.pe, place.shard, place.task)
        tasks[at] = tasks.get(at, Count()) + count
    kernels = whole.total(lambda place: place.is_kernel)
    total = whole.total(firing)
    return Work(
        tuple(
            Layer(label, kind, macs, mean(count))
            for (label, kind), (macs, count) in _layers(program, tasks).items()
        ),
        {at: mean(count) for at, count in tasks.items()},
        {name: mean(count) for name, count in functions.items()},
        {name: mean(count) for name, count in by_pe.items()},
        mean(total),
        mean(kernels),
        mean(total - kernels),
        mean(whole.total() - total),
        tuple(counts.total(firing) for counts in counted),
    )


def _layers(
    program: Program, counted: Mapping[TaskPlace, Count]
) -> dict[tuple[str, str], tuple[int, Count]]:
    """MACs of a frame and counts of all frames, by label and kind."""
    stages = {label: number for number, label in enumerate(program.stages)}
    layers: dict[tuple[str, str], tuple[int, Count]] = {}
    for pe, row in enumerate(program.manifest["pes"]):
        for shard, tasks in enumerate(row["shards"]):
            for number, task in enumerate(tasks):
                label, _ = stage_of(task["name"], stages)
                macs, count = layers.get((label, task["stage"]), (0, Count()))
                added = counted.get((pe, shard, number), Count())
                layers[label, task["stage"]] = (macs + task["macs"], count + added)
    # In the order of the network, with what prepares for it first.
    return dict(sorted(layers.items(), key=lambda item: stages.get(item[0][0], -1)))
