# SPDX-License-Identifier: Apache-2.0
"""Hand-written kernels never change a byte of a network: the same models with generated kernels
alone on one PE, and with hand-written ones on random places."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weft
from support import strategies as single
from support import strategies_elementwise as elementwise
from support import strategies_networks
from support.meshes import build, random_mapping, roomy_machine, simplest_mapping, stage_graph
from support.networks import Network
from weft.machines import Machine
from weft.program import Program
from weft.transforms.choose_kernels import FAMILIES


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return roomy_machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module", autouse=True)
def no_target_compiler() -> Iterator[None]:
    """Sizes on the target are not looked at here, and measuring them takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.codegen.build.find_target_toolchain", lambda _: None)
        yield


def results(program: Program, frames: list[Any]) -> list[bytes]:
    found = []
    with program.open() as session:
        for result in session.stream(frames):
            parts = result if isinstance(result, tuple) else (result,)
            found.append(b"".join(part.tobytes() for part in parts))
    return found


def check(model: bytes, frames: list[Any], machine: Machine, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stages = stage_graph(model)
    mapping = simplest_mapping(stages, machine)
    if rng.random() < 0.7:
        mapping = random_mapping(stages, machine, int(rng.integers(1, 17)), 5, rng)
    with tempfile.TemporaryDirectory() as name:
        simplest = simplest_mapping(stages, machine)
        generated = build(stages, machine, simplest, Path(name) / "generated", FAMILIES)
        by_hand = build(stages, machine, mapping, Path(name) / "by_hand")
        assert generated.manifest["hand_written"] == []
        assert results(by_hand, frames) == results(generated, frames), json.dumps(mapping)


@settings(max_examples=1 + settings().max_examples // 4)
@given(case=strategies_networks.networks(), seed=single.seeds)
def test_networks(machine: Machine, case: single.Case, seed: int) -> None:
    check(case.model, case.input_sets, machine, seed)


OPERATORS = {
    "conv2d": single.conv2d(),
    "depthwise_conv2d": single.depthwise_conv2d(),
    "fully_connected": single.fully_connected(),
    "add": elementwise.add(),
}


@settings(max_examples=1 + 2 * (settings().max_examples // 4))
@given(data=st.data(), operator=st.sampled_from(sorted(OPERATORS)), seed=single.seeds)
def test_operators(machine: Machine, data: st.DataObject, operator: str, seed: int) -> None:
    case = data.draw(single.cases(OPERATORS[operator]))
    check(case.model, case.input_sets, machine, seed)


#: What the network below calls.
BY_HAND = {
    "weft_conv2d_packed_s8",
    "weft_depthwise_packed_s8",
    "weft_depthwise_3x3_s8",
    "weft_add_s8",
}


def network_of_all(seed: int) -> bytes:
    """Every hand-written kernel, with channels that are no multiples of four."""
    n = Network(np.random.default_rng(seed))
    x = n.conv2d(n.input((1, 9, 7, 3)), 7, (3, 3))
    y = n.depthwise_conv2d(x, (3, 3))
    y = n.conv2d(y, 7, (1, 1), activation="NONE")
    x = n.add(x, y)
    x = n.depthwise_conv2d(x, (2, 3), (2, 2))
    return n.build(n.fully_connected(n.flatten(x), 5))


def test_compiled_with_and_without(tmp_path: Path) -> None:
    model = tmp_path / "all.tflite"
    model.write_bytes(network_of_all(3))
    frames = [np.random.default_rng(i).integers(-128, 128, (1, 9, 7, 3), np.int8) for i in range(9)]
    whole = weft.compile(model, "single-m4", output=tmp_path / "whole")
    mesh = weft.compile(model, "grid-4x4", output=tmp_path / "mesh")
    generated = weft.compile(model, "single-m4", output=tmp_path / "generated", hand_written=False)
    assert kernels_of(whole) >= BY_HAND
    assert BY_HAND & kernels_of(mesh)
    assert not BY_HAND & kernels_of(generated)
    labels = [set(p.manifest["hand_written"]) for p in (whole, mesh, generated)]
    assert len(labels[0]) == 6  # all but the flattening
    assert labels[1] and not labels[2]
    outputs = results(generated, frames)
    assert len(set(outputs)) == len(frames)
    assert results(whole, frames) == outputs
    assert results(mesh, frames) == outputs


def kernels_of(program: Program) -> set[str]:
    return {name for p in program.manifest["programs"] for name in p["kernels"]}
