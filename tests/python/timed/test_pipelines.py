# SPDX-License-Identifier: Apache-2.0
"""Random pipelines under the clock, beside the bounds of the marked graph of the same pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from native.tiny import ROW_BYTES, ROWS, expected
from timed.pipelines import OUTSIDE, Pipeline, Read, Shard, build
from weft.engines.timed.session import TimedSession
from weft.mapping.marked_graph import round_robin_period, throughput_bound

FRAMES = 320
MHZ = 1_000_000
#: Messages take a tick or two, of thousands that firings take.
FAST = {"bytes_per_cycle": 1024, "hop_cycles": 0, "signal_bytes": 16, "clock_hz": 6 * MHZ}


def random_pipeline(
    random: Random, pes: int | None, depths: tuple[int, ...], skips: float
) -> Pipeline:
    """A PE for every shard, or ``pes`` of them. Every shard reads the one before, and some an
    earlier one too."""
    count = random.randint(2, 8)
    clocks = tuple(random.choice((1, 2, 3)) * MHZ for _ in range(pes or count))
    shards = []
    for number in range(count):
        reads = [Read(number - 1 if number else OUTSIDE, random.choice(depths))]
        if number > 1 and random.random() < skips:
            reads.append(Read(random.randrange(number - 1), random.choice(depths)))
        tasks = tuple(random.randint(200, 9000) for _ in range(random.randint(1, 3)))
        pe = number if pes is None else random.randrange(pes)
        start, sends = random.randint(0, 500), random.randint(0, 500)
        shards.append(Shard(pe, tuple(reads), tasks, start, sends))
    nodes = tuple((pe % 3, pe // 3) for pe in range(len(clocks)))
    link_ticks = (random.randint(0, 900), random.randint(0, 900))
    network = {**FAST, "host": [0, 0]}
    depth = random.choice(depths)
    return Pipeline(tuple(shards), clocks, nodes, network, depth, "host link", link_ticks)


def period(pipeline: Pipeline, folder: Path) -> float:
    """Ticks a frame, measured by the engine; bytes are checked."""
    bound = throughput_bound(pipeline.graph()).period_cycles
    program = build(pipeline, folder, predicted_fps=float(pipeline.tick_hz / bound))
    rng = np.random.default_rng(0)
    frames = list(rng.integers(-128, 128, (FRAMES, ROWS, ROW_BYTES)).astype(np.int8))
    with program.open("timed") as session:
        assert isinstance(session, TimedSession)
        for frame, result in zip(frames, session.stream(frames), strict=True):
            np.testing.assert_array_equal(result, expected(frame, pipeline.additions()))
        figures = session.figures
    assert figures["is_steady"]
    measured = pipeline.tick_hz / figures["measured_fps"]
    assert figures["prediction_error"] == pytest.approx(float(bound) / measured - 1, abs=2e-6)
    return measured


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_one_shard_a_pe(folder: Path, seed: int) -> None:
    """The bound is the rate."""
    pipeline = random_pipeline(Random(seed), None, (1, 2, 4), skips=0.4)
    bound = throughput_bound(pipeline.graph()).period_cycles
    assert period(pipeline, folder) == pytest.approx(float(bound), rel=0.005)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_several_shards_a_pe(folder: Path, seed: int) -> None:
    """With room for two frames, taking turns comes close to the bound."""
    pipeline = random_pipeline(Random(seed), 3, (2, 4), skips=0.0)
    bound = throughput_bound(pipeline.graph()).period_cycles
    assert period(pipeline, folder) == pytest.approx(float(bound), rel=0.03)


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_several_shards_a_pe_and_shallow_slots(folder: Path, seed: int) -> None:
    """Then nothing need come close: a PE that takes the result that arrives, and not the credit
    that comes a cycle later, may do so in every frame. The rate lies between what cannot be
    exceeded and what taking turns cannot miss."""
    pipeline = random_pipeline(Random(seed), 3, (1, 2, 4), skips=0.4)
    graph = pipeline.graph()
    measured = period(pipeline, folder)
    assert measured >= float(throughput_bound(graph).period_cycles) * 0.985
    assert measured <= float(round_robin_period(graph)) * 1.005


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 3))
def test_every_task_takes_its_time(folder: Path, seed: int, lane_shards: int) -> None:
    """Whatever the order in which shards, and tasks of several lanes, come."""
    random = Random(seed)
    pipeline = random_pipeline(random, 3, (1, 2, 4), skips=0.4)
    pipeline = replace(pipeline, lane_shards=lane_shards)
    frames = [np.full((ROWS, ROW_BYTES), number, np.int8) for number in range(12)]
    with build(pipeline, folder).open("timed") as session:
        assert isinstance(session, TimedSession)
        for frame, result in zip(frames, session.stream(frames), strict=True):
            np.testing.assert_array_equal(result, expected(frame, pipeline.additions()))
        simulation = session._simulation
        assert simulation is not None
        for number, clock_hz in enumerate(pipeline.clocks):
            cycles = sum(shard.cycles for shard in pipeline.shards if shard.pe == number)
            ticks = cycles * (pipeline.tick_hz // clock_hz)
            assert simulation.pes[number].busy == len(frames) * ticks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pipelines have the same code, so that it is compiled once."""
    return tmp_path_factory.mktemp("pipelines") / "program"
