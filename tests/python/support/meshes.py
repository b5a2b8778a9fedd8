# SPDX-License-Identifier: Apache-2.0
"""Networks on random places: mappings by chance, and programs built from them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from weft.codegen.build import finish
from weft.dialects.stages.base import shape_of, variables
from weft.dialects.stages.box import Box, CutError
from weft.importers import import_model
from weft.kernels.module import kernel_module
from weft.machines import load_machine
from weft.machines.model import Machine
from weft.placing import Placing
from weft.program import Program, load_program
from weft.relax.to_integer import to_integer
from weft.relax.to_stages import to_stages
from weft.transforms.compilation import Compilation, stages_of
from weft.transforms.split_inputs import input_channels, split_inputs
from weft.transforms.to_mesh import unique_labels


def stage_graph(model: bytes) -> Compilation:
    module, unsupported = import_model(model, "model", None)
    return unique_labels(to_stages(to_integer(module, "model", unsupported)))


def roomy_machine(folder: Path) -> Machine:
    """16 PEs of 1 MiB, for tests of other things than memory. Its file goes to ``folder``."""
    path = folder / "roomy.toml"
    path.write_text(
        "format = 1\n[pe_class.m4]\ncore = 'cortex-m4f'\nclock_mhz = 150\nstack_bytes = 4096\n"
        "memory = [{ name = 'sram', origin = 0, bytes = 1048576, "
        "holds = ['code', 'constants', 'data'] }]\n"
        "[grid]\nwidth = 4\nheight = 4\npe_class = 'm4'\n",
        encoding="ascii",
    )
    return load_machine(path)


def build(
    stages: Compilation,
    machine: Machine,
    mapping: Any,
    folder: Path,
    generated: Collection[str] = (),
) -> Program:
    """``mapping`` is what a mapping file holds; kernels of the families ``generated`` are not
    hand-written."""
    folder.mkdir()
    placing = Placing(stages, machine, mapping, generated=generated)
    placed = placing.search(placing.place)
    kernels = kernel_module(placed.compilation.kernels.values())
    finish(placed, kernels, folder, "model", None)
    return load_program(folder)


def random_partition(shape: tuple[int, ...], pieces: int, rng: np.random.Generator) -> list[Box]:
    """Boxes that make up a tensor, by splitting one of them at a random place again and again."""
    boxes = [Box.whole(shape)]
    for _ in range(pieces - 1):
        splittable = [i for i, b in enumerate(boxes) if b.size > 1]
        if not splittable:
            break
        box = boxes.pop(int(rng.choice(splittable)))
        axis = int(rng.choice([a for a, n in enumerate(box.shape) if n > 1]))
        at = int(rng.integers(1, box.shape[axis]))
        for begin, count in ((0, at), (at, box.shape[axis] - at)):
            first, extents = list(box.begin), list(box.shape)
            first[axis] += begin
            extents[axis] = count
            boxes.append(Box(tuple(first), tuple(extents)))
    return boxes


def random_mapping(
    stages: Compilation, machine: Machine, pes: int, most_pieces: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Random boxes, PEs out of the first ``pes``, depths and source, as a mapping file has them."""
    usable = [[pe.x, pe.y, pe.index] for pe in machine.usable()][:pes]
    splits = {
        stage.label.data: int(rng.integers(2, min(4, input_channels(stage)) + 1))
        for stage in stages_of(stages)
        if input_channels(stage) > 1 and rng.random() < 0.3
    }
    stages = split_inputs(stages, splits)

    def shard(stage: Any, box: Box) -> dict[str, Any]:
        row = {
            "pe": usable[int(rng.integers(len(usable)))],
            "begin": list(box.begin),
            "shape": list(box.shape),
        }
        if rng.random() < 0.5:
            operands = sum(1 for _ in variables(stage))
            row["depth"] = [int(2 ** rng.integers(3)) for _ in range(operands)]
        return row

    found = {}
    for stage in stages_of(stages):
        boxes = random_partition(shape_of(stage.result), int(rng.integers(1, most_pieces + 1)), rng)
        try:
            for box in boxes:
                stage.cut(box)
        except CutError:
            boxes = [Box.whole(shape_of(stage.result))]
        found[stage.label.data] = [shard(stage, box) for box in boxes]
    mapping: dict[str, Any] = {
        "format": 1,
        "depth": int(2 ** rng.integers(3)),
        "split_inputs": splits,
        "stages": found,
    }
    if rng.random() < 0.5:
        mapping["source"] = usable[int(rng.integers(len(usable)))]
    return mapping


def simplest_mapping(stages: Compilation, machine: Machine) -> dict[str, Any]:
    """Everything on the first PE."""
    (first, *_) = machine.usable()
    return {
        "format": 1,
        "stages": {
            s.label.data: [
                {
                    "pe": [first.x, first.y, first.index],
                    "begin": [0] * len(shape_of(s.result)),
                    "shape": list(shape_of(s.result)),
                }
            ]
            for s in stages_of(stages)
        },
    }
