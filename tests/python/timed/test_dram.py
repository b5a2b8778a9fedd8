"""DRAM under the clock: all PEs share its rate, and the prediction knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import weft
from support.networks import Network
from weft.engines.timed.devices import Dram
from weft.machines import DeviceUse, Machine, load_machine
from weft.program import Program

FRAMES = 60


def dense_layers() -> bytes:
    n = Network(np.random.default_rng(3))
    x = n.input((1, 128))
    for units in (256, 256, 256, 10):
        x = n.fully_connected(x, units)
    return n.build(x)


def machine(rate: int) -> Machine:
    found = load_machine("grid-4x4").with_devices([DeviceUse("dma", "dma")])
    return replace(found, links={"dram": rate})


def figures(program: Program) -> dict:
    frame = np.zeros(program.inputs[0].shape, np.int8)
    with program.open("timed") as session:
        list(session.stream([frame] * FRAMES))
        return session.figures


def test_jobs_take_turns() -> None:
    dram = Dram()
    assert dram.take(at=10, ticks=5) == 15
    assert dram.take(at=12, ticks=5) == 20  # behind the first
    assert dram.take(at=100, ticks=1) == 101
    assert dram.held == 11


def test_what_dram_limits_is_as_fast_as_predicted() -> None:
    program = weft.compile(dense_layers(), machine(4_000_000), pes=6, weights="dram")
    assert program.limited_by == "DRAM" and len(program.pes) > 2
    found = figures(program)
    assert found["prediction_error"] == pytest.approx(0, abs=1e-3)
    (link,) = (link for link in found["links"] if link["link"] == "weights from DRAM")
    assert link["utilisation"] > 0.98


def test_what_dram_does_not_limit_is_as_fast_as_predicted() -> None:
    program = weft.compile(dense_layers(), machine(1 << 40), pes=4, weights="dram")
    assert program.limited_by != "DRAM"
    assert figures(program)["prediction_error"] == pytest.approx(0, abs=0.02)


def test_a_slower_dram_takes_longer() -> None:
    rates = (1_000_000, 2_000_000)
    found = [figures(weft.compile(dense_layers(), machine(r), weights="dram")) for r in rates]
    assert found[1]["measured_fps"] / found[0]["measured_fps"] == pytest.approx(2, rel=0.05)
