# SPDX-License-Identifier: Apache-2.0
"""A device behind a wrapper that blocks: the same bytes, and the core stands still meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.engines.timed.session import TimedSession
from weft.program import Program


@pytest.fixture(scope="module")
def network(trained_file: Callable[..., Path]) -> Path:
    return trained_file("ad_int8.tflite")


@pytest.fixture(scope="module")
def program(network: Path) -> Program:
    return weft.compile(network, "single-m4-1m", devices=["blocking_npu"])


def test_dense_layers_are_on_the_device(program: Program) -> None:
    rows = program.manifest["offload"]
    assert rows
    assert all(row["on"] == {"blocking_npu": row["macs"]} for row in rows if row["macs"])


@pytest.mark.parametrize("engine", ["native", "timed"])
def test_bytes_are_those_of_the_core(network: Path, program: Program, engine: str) -> None:
    rng = np.random.default_rng(6)
    frame = rng.integers(-128, 128, program.inputs[0].shape).astype(np.int8)
    plain = weft.compile(network, "single-m4-1m")
    with program.open(engine) as session, plain.open() as reference:
        assert np.array_equal(session.run(frame), reference.run(frame))


def test_the_core_waits_for_every_job(program: Program) -> None:
    (shard,) = program.manifest["pes"][0]["shards"]
    device = sum(job["cycles"] for task in shard for job in task.get("jobs", ()))
    with program.open("timed") as session:
        assert isinstance(session, TimedSession)
        session.record()
        for _ in range(3):
            session.run(np.zeros(program.inputs[0].shape, np.int8))
        (pe,) = session.figures["pes"]
        (npu,) = session.figures["devices"]
        spans = session.spans
        assert session.figures["prediction_error"] == 0
    core = sum(span.end - span.begin for span in spans)
    assert {span.device for span in spans} == {""}
    assert pe["stalls"]["device"] == 0
    assert npu["utilisation"] * core == pytest.approx(3 * device, rel=0.01)
