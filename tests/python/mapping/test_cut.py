# SPDX-License-Identifier: Apache-2.0
"""How stages are cut never changes a byte: random networks, random boxes, against the whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import strategies as single
from support import strategies_elementwise as elementwise
from support import strategies_movement as movement
from support import strategies_networks
from weft.codegen.build import finish
from weft.dialects.stages.base import shape_of
from weft.dialects.stages.box import Box, CutError
from weft.importers import import_model
from weft.kernels.module import kernel_module
from weft.machines import load_machine
from weft.program import Program, load_program
from weft.relax.to_integer import to_integer
from weft.relax.to_stages import to_stages
from weft.transforms.compilation import Compilation
from weft.transforms.cut_stages import cut_stages, stages_of
from weft.transforms.pipeline import Dump, run_passes

MACHINE = load_machine("single-m4-1m")


@pytest.fixture(scope="module", autouse=True)
def no_target_compiler() -> Iterator[None]:
    """Sizes on the target are not looked at here, and measuring them takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.codegen.build.find_target_toolchain", lambda _: None)
        yield


def stage_graph(model: bytes) -> Compilation:
    module, unsupported = import_model(model, "model", None)
    return to_stages(to_integer(module, "model", unsupported))


def build(compilation: Compilation, folder: Path) -> Program:
    folder.mkdir()
    lowered = run_passes(compilation, Dump(None))
    kernels = kernel_module(lowered.kernels.values())
    (pe_class,) = MACHINE.classes.values()
    finish(lowered, kernels, folder, "model", None, MACHINE, pe_class)
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


def random_cuts(compilation: Compilation, rng: np.random.Generator) -> dict[str, list[Box]]:
    """Boxes for every stage that can be cut in the way that chance proposes."""
    cuts = {}
    for stage in stages_of(compilation):
        boxes = random_partition(shape_of(stage.result), int(rng.integers(1, 5)), rng)
        try:
            for box in boxes:
                stage.cut(box)
        except CutError:
            continue
        cuts[stage.label.data] = boxes
    return cuts


def check(model: bytes, inputs: list[list[np.ndarray]], seed: int) -> None:
    whole = stage_graph(model)
    cuts = random_cuts(whole, np.random.default_rng(seed))
    with tempfile.TemporaryDirectory() as name:
        programs = [
            build(whole, Path(name) / "whole"),
            build(cut_stages(whole, cuts), Path(name) / "cut"),
        ]
        for frame in inputs:
            results = []
            for program in programs:
                with program.open() as session:
                    result = session.run(frame)
                    results.append(result if isinstance(result, tuple) else (result,))
            for expected, got in zip(*results, strict=True):
                assert got.tobytes() == expected.tobytes(), f"cut as {cuts}"


@settings(max_examples=2 * settings().max_examples)
@given(strategies_networks.networks(), single.seeds)
def test_cut_networks(case: single.Case, seed: int) -> None:
    check(case.model, case.input_sets, seed)


OPERATORS = {
    "conv2d": single.conv2d(),
    "depthwise_conv2d": single.depthwise_conv2d(),
    "fully_connected": single.fully_connected(),
    "average_pool2d": single.average_pool2d(),
    "max_pool2d": single.max_pool2d(),
    "mean": single.mean(),
    "add": elementwise.add(),
    "mul": elementwise.mul(),
    "maximum": elementwise.maximum(),
    "softmax": elementwise.softmax(),
    "concatenation": movement.concatenation(),
    "padv2": movement.padv2(),
    "transpose": movement.transpose(),
    "resize_nearest_neighbor": movement.resize_nearest_neighbor(),
    "split": movement.split(),
    "strided_slice": movement.strided_slice(),
}


@pytest.mark.parametrize("operator", OPERATORS)
@settings(max_examples=1 + settings().max_examples // 4)
@given(data=st.data(), seed=single.seeds)
def test_cut_operators(operator: str, data: st.DataObject, seed: int) -> None:
    case = data.draw(single.cases(OPERATORS[operator]))
    check(case.model, case.input_sets, seed)
