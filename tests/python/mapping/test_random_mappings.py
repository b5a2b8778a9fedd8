# SPDX-License-Identifier: Apache-2.0
"""Where and how stages are computed never changes a byte: random networks on random places, several
frames under way, against the same network on one PE."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import strategies as single
from support import strategies_elementwise as elementwise
from support import strategies_movement as movement
from support import strategies_networks
from support.meshes import build, random_mapping, roomy_machine, simplest_mapping, stage_graph
from support.onnx_networks import random_network
from weft.machines import DeviceUse, Machine
from weft.program import Program


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return roomy_machine(tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module", autouse=True)
def no_target_compiler() -> Iterator[None]:
    """Sizes on the target are not looked at here, and measuring them takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.codegen.build.find_target_toolchain", lambda _: None)
        yield


def stream(program: Program, frames: list[Any], threads: int | None) -> list[tuple[Any, ...]]:
    with program.open(threads=threads) as session:
        results = session.stream(frames)
        return [r if isinstance(r, tuple) else (r,) for r in results]


def with_random_devices(machine: Machine, rng: np.random.Generator) -> Machine:
    """A third of the PEs has an array, a third another one behind a device of no use, and a third
    has none."""
    (usual,) = machine.classes.values()
    arrays = []
    for name in ("first", "second"):
        options = {
            "accumulator_bits": int(rng.choice((24, 29, 32))),
            "overflow": str(rng.choice(("wrap", "saturate"))),
            "subtracts_zero_points": bool(rng.integers(2)),
        }
        arrays.append(DeviceUse(name, "mac_array", tuple(options.items())))
    devices = {"one": arrays[:1], "two": [DeviceUse("idle", "null"), arrays[1]]}
    others = {n: replace(usual, name=n, devices=tuple(used)) for n, used in devices.items()}
    kinds = [usual.name, *others]
    exceptions = {pe: str(rng.choice(kinds)) for pe in machine.usable()}
    return replace(machine, classes=machine.classes | others, exceptions=exceptions)


def check(
    model: bytes, inputs: list[Any], machine: Machine, seed: int, *, devices: bool = False
) -> None:
    rng = np.random.default_rng(seed)
    target = with_random_devices(machine, rng) if devices else machine
    stages = stage_graph(model)
    mapping = random_mapping(stages, machine, int(rng.integers(1, 17)), 5, rng)
    frames = [inputs[i % len(inputs)] for i in range(max(len(inputs), int(rng.integers(1, 33))))]
    with tempfile.TemporaryDirectory() as name:
        whole = build(stages, machine, simplest_mapping(stages, machine), Path(name) / "whole")
        mapped = build(stages, target, mapping, Path(name) / "mapped")
        assert len(whole.pes) == 1
        assert devices or not mapped.manifest["offload"]
        expected = stream(whole, inputs, None)
        got = stream(mapped, frames, int(rng.integers(0, 5)))
    assert len(got) == len(frames)
    for number, result in enumerate(got):
        for want, have in zip(expected[number % len(inputs)], result, strict=True):
            assert have.tobytes() == want.tobytes(), f"frame {number}: {json.dumps(mapping)}"


@settings(max_examples=1 + settings().max_examples)
@given(case=strategies_networks.networks(), seed=single.seeds)
def test_networks(machine: Machine, case: single.Case, seed: int) -> None:
    check(case.model, case.input_sets, machine, seed)


@settings(max_examples=1 + settings().max_examples)
@given(case=strategies_networks.networks(), seed=single.seeds)
def test_networks_on_devices(machine: Machine, case: single.Case, seed: int) -> None:
    check(case.model, case.input_sets, machine, seed, devices=True)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@settings(max_examples=1 + settings().max_examples // 2)
@given(seed=single.seeds)
def test_onnx_networks(machine: Machine, dtype: str, seed: int) -> None:
    made = random_network(seed, dtype)
    check(made.model, made.input_sets, machine, seed)


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
def test_operators(machine: Machine, operator: str, data: st.DataObject, seed: int) -> None:
    case = data.draw(single.cases(OPERATORS[operator]))
    check(case.model, case.input_sets, machine, seed)
