# SPDX-License-Identifier: Apache-2.0
"""Compiled networks under the clock: bytes of the engine native, rates of the marked graph."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weft
from support.meshes import build, random_mapping, stage_graph
from weft.dialects.fabric import MeshOp
from weft.engines.timed.session import TimedSession
from weft.machines import load_machine
from weft.mapping.marked_graph import loads
from weft.mapping.timing import marked_graph
from weft.placing import Placing
from weft.program import Program
from weft.transforms.to_mesh import to_mesh

GRID = [[x, y, 0] for y in range(4) for x in range(4)]
#: Machine, PEs at most, and how far the rate may be off. All but the first have a firing a PE.
MAPPINGS = [
    ("single-m4", None, 0.005),
    ("grid-4x4", 4, 0.005),
    ("grid-4x4", 16, 0.005),
    ("biglittle-4x4", 7, 0.005),
    ("spinn2-chip", 40, 0.005),
]


def random_frames(program: Program, count: int) -> list[np.ndarray]:
    (info,) = program.inputs
    rng = np.random.default_rng(0)
    return list(rng.integers(-128, 128, (count, *info.shape)).astype(info.dtype))


def measured(program: Program, count: int) -> dict[str, Any]:
    """The figures of a stream whose bytes are those of the engine native."""
    frames = random_frames(program, count)
    with program.open() as session:
        wanted = list(session.stream(frames))
    with program.open("timed") as session:
        assert isinstance(session, TimedSession)
        for result, other in zip(session.stream(frames), wanted, strict=True):
            np.testing.assert_array_equal(result, other)
        return session.figures


@pytest.mark.parametrize(("machine", "pes", "tolerance"), MAPPINGS)
def test_digits_by_rule(
    digits_model: Path, machine: str, pes: int | None, tolerance: float
) -> None:
    program = weft.compile(digits_model, machine, pes=pes)
    figures = measured(program, 120)
    assert figures["is_steady"]
    assert figures["measured_fps"] == pytest.approx(program.predicted_fps, rel=tolerance)
    assert figures["prediction_error"] == pytest.approx(0, abs=tolerance)
    busiest = max(pe["utilisation"] for pe in figures["pes"])
    assert busiest > 0.9
    for row in figures["pes"]:
        assert 0 <= row["utilisation"] + sum(row["stalls"].values()) <= 1.001


def test_digits_with_several_firings_a_pe(digits_model: Path) -> None:
    """Every stage on the PE after the next, three PEs in turn."""
    labels = weft.load(weft.compile(digits_model, "grid-4x4").folder).stages
    stages = {label: {"pes": [GRID[i % 3]]} for i, label in enumerate(labels)}
    mapping = {"format": 1, "stages": stages}
    program = weft.compile(digits_model, "grid-4x4", mapping=mapping)
    assert any(len(pe["shards"]) > 1 for pe in program.pes)
    figures = measured(program, 120)
    assert figures["measured_fps"] == pytest.approx(program.predicted_fps, rel=0.03)


@pytest.mark.parametrize(("machine", "pes"), [("grid-4x4", 3), ("biglittle-4x4", 16)])
def test_kws(trained_file: Callable[..., Path], machine: str, pes: int) -> None:
    program = weft.compile(trained_file("kws_int8.tflite"), machine, pes=pes)
    figures = measured(program, 60)
    assert figures["is_steady"]
    assert figures["measured_fps"] == pytest.approx(program.predicted_fps, rel=0.005)


def test_the_host_scatters_and_gathers(trained_file: Callable[..., Path]) -> None:
    """Inputs that many PEs read, over a whole chip."""
    program = weft.compile(trained_file("kws_int8.tflite"), "spinn2-chip")
    assert program.manifest["pes"][-1]["name"] == "host"
    figures = measured(program, 60)
    assert figures["measured_fps"] == pytest.approx(program.predicted_fps, rel=0.005)
    assert [link["link"] for link in figures["links"]] == ["host link"]


def test_the_manifest_says_what_the_marked_graph_says(digits_model: Path, tmp_path: Path) -> None:
    """To the tick, for PEs of two clocks, with boxes, depths and sources by chance."""
    machine = load_machine("biglittle-4x4")
    stages = stage_graph(digits_model.read_bytes())
    for seed in range(3):
        data = random_mapping(stages, machine, 8, 3, np.random.default_rng(seed))
        placing = Placing(stages, machine, data)
        usable = machine.usable()
        mesh = to_mesh(placing.compilation, placing.fixed, len(usable)).module.ops.first
        assert isinstance(mesh, MeshOp)
        load = loads(marked_graph(mesh, machine, placing.fixed.source).transitions)
        manifest = build(stages, machine, data, tmp_path / f"{seed}").manifest
        for row in manifest["pes"]:
            cycles = sum(
                firing["start_cycles"]
                + firing["send_cycles"]
                + sum(task["core_cycles"] for task in tasks)
                for firing, tasks in zip(row["firings"], row["shards"], strict=True)
            )
            if row["program"] is None:
                assert cycles == 0
                continue
            clock_hz = manifest["pe_classes"][row["pe_class"]]["clock_hz"]
            assert cycles * machine.tick_hz // clock_hz == load[f"PE {row['name']}"]


def test_bytes_of_random_mappings(digits_model: Path, tmp_path: Path) -> None:
    machine = load_machine("biglittle-4x4")
    stages = stage_graph(digits_model.read_bytes())
    for seed in (10, 11):
        data = random_mapping(stages, machine, 16, 4, np.random.default_rng(seed))
        program = build(stages, machine, data, tmp_path / f"{seed}")
        figures = measured(program, 24)
        assert figures["measured_fps"] <= program.predicted_fps * 1.03


def test_the_same_numbers_whatever_the_hash_seed(digits_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "program"
    weft.compile(digits_model, "grid-4x4", output=folder)
    script = (
        "import json, sys, numpy as np, weft\n"
        "program = weft.load(sys.argv[1])\n"
        "(info,) = program.inputs\n"
        "frames = [np.full(info.shape, i, info.dtype) for i in range(30)]\n"
        "with program.open('timed') as session:\n"
        "    list(session.stream(frames))\n"
        "    print(json.dumps(session.figures, sort_keys=True))\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script, folder],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    (one,) = printed
    assert json.loads(one)["measured_fps"] > 0
