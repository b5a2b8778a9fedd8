# SPDX-License-Identifier: Apache-2.0
"""A mesh of three PEs, worked out by hand to the cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from native.tiny import ROW_BYTES, ROWS, expected
from timed.pipelines import OUTSIDE, Pipeline, Read, Shard, build
from weft.engines.timed.session import TimedSession

NETWORK = {
    "bytes_per_cycle": 1,
    "hop_cycles": 5,
    "signal_bytes": 4,
    "clock_hz": 1_000_000,
    "host": [0, 0],
}


def test_two_messages_cross_one_link(tmp_path: Path) -> None:
    """A on (0,0), B on (1,0), C on (2,0), in a row; boxes have 32 bytes, arrivals and credits 4,
    and a link takes a byte a cycle. A's result goes to B and C, B's to C.

    0      A has the input and computes for 3 + 10 + 2 cycles.
    15     A says: m1, the box to B; m2, its arrival; m3, the box to C; m4, its arrival.
           A's own link has m1 from 15 to 47, m2 to 51, m3 to 83, m4 to 87.
           (0,0) to (1,0) has m1 from 20 to 52, m2 to 56, m3 to 88, m4 to 92.
           (1,0) to B has m1 from 25 to 57, m2 to 61.
    61     m2 is there. B computes for 20 cycles.
    81     B says: m5, the box to C; m6, its arrival; m7, the credit to A.
           B's own link has m5 from 81 to 113, m6 to 117, m7 to 121.
           (1,0) to (2,0) has m3 from 61 to 93. m5 is ready for it at 86, m4 at 93, m6 at 118: it
           has m5 from 93 to 125, m4 to 129, m6 to 133.
           (2,0) to C has m3 from 66 to 98, m5 to 130, m4 to 134, m6 to 138.
    138    C has both. It computes for 7 cycles.
    145    The result is there. C says two credits, which go on their way.
    """
    shards = (
        Shard(0, (Read(OUTSIDE, 1),), (10,), start=3, sends=2),
        Shard(1, (Read(0, 1),), (20,)),
        Shard(2, (Read(1, 1), Read(0, 1)), (7,)),
    )
    nodes = ((0, 0), (1, 0), (2, 0))
    pipeline = Pipeline(shards, (1_000_000,) * 3, nodes, NETWORK)
    program = build(pipeline, tmp_path / "program", predicted_fps=1e6 / 145)
    frame = np.arange(ROWS * ROW_BYTES, dtype=np.int8).reshape(ROWS, ROW_BYTES)
    with program.open("timed") as session:
        assert isinstance(session, TimedSession)
        np.testing.assert_array_equal(session.run(frame), expected(frame, 3))
        found = session.figures
    assert found["latency_s"] == {"mean": 145e-6, "max": 145e-6}
    assert found["measured_fps"] == pytest.approx(1e6 / 145, rel=1e-6)
    assert found["prediction_error"] == 0
    assert found["network"]["messages"] == 9
    assert found["network"]["bytes"] == 3 * 32 + 3 * 4 + 3 * 4
    # B and C wait for m2 and m6, which set out at 15 and at 81.
    cycles = {
        "A": (15, {"input": 0, "credit": 0, "device": 0, "network": 0}),
        "B": (20, {"input": 15, "credit": 0, "device": 0, "network": 46}),
        "C": (7, {"input": 81, "credit": 0, "device": 0, "network": 57}),
    }
    for row, (busy, stalls) in zip(found["pes"], cycles.values(), strict=True):
        assert row["utilisation"] == round(busy / 145, 4)
        assert row["stalls"] == {cause: round(n / 145, 4) for cause, n in stalls.items()}


def test_credits_and_links_to_the_outside(tmp_path: Path) -> None:
    """One PE with room for one frame: in 30 cycles in, 100 there, 20 out, one after the other, but
    that the next frame comes in while the last one goes out, by the same link.

    0      Frame 0 comes in.
    30     It is there; the PE computes.
    130    Done: the slot is free, the result waits. The link takes turns: first out, then in.
    150    Frame 0 is out. Frame 1 comes in.
    180    The PE computes: a frame every 150 cycles from here on.
    """
    shards = (Shard(0, (Read(OUTSIDE, 1),), (100,)),)
    pipeline = Pipeline(
        shards, (1_000_000,), ((0, 0),), NETWORK, output_depth=1, link="l", link_ticks=(30, 20)
    )
    program = build(pipeline, tmp_path / "program", predicted_fps=1e6 / 130)
    frames = [np.full((ROWS, ROW_BYTES), i, np.int8) for i in range(12)]
    with program.open("timed") as session:
        assert isinstance(session, TimedSession)
        for frame, result in zip(frames, session.stream(frames), strict=True):
            np.testing.assert_array_equal(result, expected(frame))
        found = session.figures
    assert found["simulated_s"] == pytest.approx(12 * 150e-6)
    assert found["measured_fps"] == pytest.approx(1e6 / 150, rel=1e-6)
    assert found["links"] == [{"link": "l", "utilisation": round(50 / 150, 4)}]
    assert found["pes"][0]["utilisation"] == round(100 / 150, 4)
    # After its last firing the PE waits for nothing any more.
    assert found["pes"][0]["stalls"]["input"] == round((12 * 30 + 11 * 20) / (12 * 150), 4)
    assert found["frames_under_way"] == 1
    assert found["prediction_error"] == pytest.approx(130 / 150 - 1, abs=1e-5)


def test_a_link_of_the_network_limits(tmp_path: Path) -> None:
    """Two PEs that compute for 5 cycles, with room for eight frames: a box of 32 bytes and its
    arrival of 4 keep every link from A to B for 36 cycles a frame."""
    shards = (Shard(0, (Read(OUTSIDE, 8),), (5,)), Shard(1, (Read(0, 8),), (5,)))
    pipeline = Pipeline(shards, (1_000_000,) * 2, ((0, 0), (1, 0)), NETWORK)
    program = build(pipeline, tmp_path / "program", predicted_fps=1e6 / 5)
    frames = [np.full((ROWS, ROW_BYTES), i, np.int8) for i in range(60)]
    with program.open("timed") as session:
        for frame, result in zip(frames, session.stream(frames), strict=True):
            np.testing.assert_array_equal(result, expected(frame, 2))
        found = session.figures
    assert found["measured_fps"] == pytest.approx(1e6 / 36, rel=1e-6)
    assert found["prediction_error"] == pytest.approx(5 / 36 - 1, abs=1e-5)
    assert found["network"]["utilisation"] > 0.95
    a, b = found["pes"]
    # A is done eight frames before B: in 52 of 60 rounds it waits for 31 of 36 cycles.
    assert 0.7 < a["stalls"]["network"] + a["stalls"]["credit"] < 52 / 60 * 31 / 36
    assert 0.75 < b["stalls"]["network"] < 31 / 36
