# SPDX-License-Identifier: Apache-2.0
"""A session of the engine timed: order, back-pressure, failures, early ends, several channels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import weft
from native.chain import PES, ROOMS, check, check_a_stopped_pe, frames_of
from native.tiny import ALWAYS_IDLE, FAILING, NEVER_IDLE, expected, tiny_program
from support.tflite_builder import ModelBuilder
from weft.engines.timed.session import TimedSession
from weft.errors import EngineError, InputError
from weft.program import Program, load_program


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """A firing takes 111 cycles of 1 MHz."""
    return tiny_program(tmp_path_factory.mktemp("chain") / "program", pes=PES)


def open_timed(program: Program) -> TimedSession:
    session = program.open("timed")
    assert isinstance(session, TimedSession)
    return session


# --- frames ---


def test_results_come_in_order(chain: Program) -> None:
    frames = frames_of(100)
    with open_timed(chain) as session:
        check(session.stream(frames), frames)
        check([session.run(frame) for frame in frames[:20]], frames[:20])
        check(session.stream(iter(frames[:3])), frames[:3])
        assert list(session.stream([])) == []


def test_frames_are_taken_as_there_is_room(chain: Program) -> None:
    asked = done = most = 0

    def source() -> Iterator[np.ndarray]:
        nonlocal asked, most
        for frame in frames_of(60):
            asked += 1
            most = max(most, asked - done)
            yield frame

    with open_timed(chain) as session:
        for _ in session.stream(source()):
            done += 1
        # The first frame is asked for before it is under way.
        assert most - 1 <= session.figures["frames_under_way"] <= ROOMS
    assert asked == done == 60


def test_what_was_left_under_way_is_nobodys_result(chain: Program) -> None:
    first, second = frames_of(20), frames_of(20, seed=1)
    with open_timed(chain) as session:
        for taken in (1, 5):
            stream = session.stream(first)
            check([next(stream) for _ in range(taken)], first[:taken])
            stream.close()
            np.testing.assert_array_equal(session.run(second[0]), expected(second[0], PES))
            stream = session.stream(first)
            next(stream)
            check(session.stream(second), second)
            with pytest.raises(EngineError, match="another call"):
                next(stream)


def test_a_source_that_raises_or_uses_the_session(chain: Program) -> None:
    good = frames_of(6)
    with open_timed(chain) as session:

        def raising() -> Iterator[np.ndarray]:
            yield from good[:4]
            raise KeyError("the camera")

        def using() -> Iterator[np.ndarray]:
            for frame in good:
                session.run(frame)
                yield frame

        with pytest.raises(KeyError, match="camera"):
            list(session.stream(raising()))
        with pytest.raises(EngineError, match="another call"):
            list(session.stream(using()))
        with pytest.raises(InputError):
            list(session.stream([*good[:3], np.zeros((4, 9), np.int8)]))
        check(session.stream(good), good)


@pytest.fixture(scope="module")
def two_by_two(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """Two inputs, and two outputs that are computed on two PEs, one long after the other."""
    builder = ModelBuilder("two inputs, two outputs")
    a = builder.input((1, 3, 5, 2), 0.5, 3)
    b = builder.input((1, 3, 5, 2), 0.25, -7)
    total = builder.add(a, b, scale=0.75, zero_point=1)
    builder.output(total, builder.sub(total, b, scale=0.5, zero_point=0))
    folder = tmp_path_factory.mktemp("two") / "program"
    return weft.compile(builder.build(), "grid-4x4", output=folder)


def test_several_inputs_and_outputs(two_by_two: Program) -> None:
    rng = np.random.default_rng(1)
    frames = [
        [rng.integers(-128, 128, i.shape).astype(np.int8) for i in two_by_two.inputs]
        for _ in range(40)
    ]
    with two_by_two.open() as session:
        wanted = list(session.stream(frames))
    with open_timed(two_by_two) as session:
        stream = session.stream(frames)
        for _ in range(3):
            next(stream)
        found = list(session.stream(frames))
        figures = session.figures
    assert all(len(result) == 2 for result in found)
    for result, other in zip(found, wanted, strict=True):
        for a, b in zip(result, other, strict=True):
            np.testing.assert_array_equal(a, b)
    assert figures["is_steady"]


# --- the clock ---


def test_the_clock_of_a_chain(chain: Program) -> None:
    """A frame every 111 cycles; one alone takes four times that and three messages, of 32 bytes and
    a signal: 2 + 1 cycles on each of 3 links, and 2 hops."""
    message = 2 * 5 + 2 + 1
    with open_timed(chain) as session:
        session.run(frames_of(1)[0])
        assert session.figures["latency_s"]["max"] == pytest.approx((4 * 111 + 3 * message) / 1e6)
        assert not session.figures["is_steady"]
    with open_timed(chain) as session:
        list(session.stream(frames_of(64)))
        figures = session.figures
    assert figures["is_steady"]
    # There is room for two frames, so in a round there are two firings, a message, and a credit
    # that goes behind the three cycles of the next message: 3 + 2 * 5 + 1. On the last link an
    # arrival and a credit from the other side may meet, for a cycle or two.
    rounds = 2e6 / figures["measured_fps"] - (2 * 111 + message + 14)
    assert -1e-3 < rounds < 2 + 1e-3
    assert figures == session.figures, "they stay when the session is closed"


def test_time_stands_still_between_calls(chain: Program) -> None:
    with open_timed(chain) as session:
        session.run(frames_of(1)[0])
        before = session.figures["simulated_s"]
        assert session.figures["simulated_s"] == before
        session.run(frames_of(1)[0])
        assert session.figures["simulated_s"] == pytest.approx(2 * before)


def test_pes_see_the_clock(tmp_path: Path) -> None:
    """B is idle until its frame is there, at 111 + 13: any other time then ends its work."""
    step = """\
extern uint32_t weft_port_clock(const weft_pe_t *pe);
    const weft_status_t status = weft_pe_step(pe);
    if (pe->number == 0u || status != WEFT_OK) return status;
    return weft_port_clock(pe) == 124u ? status : WEFT_E_DEADLINE;"""
    frame = frames_of(1)[0]
    with open_timed(tiny_program(tmp_path / "clock", step, pes=2)) as session:
        np.testing.assert_array_equal(session.run(frame), expected(frame, 2))
        with pytest.raises(EngineError, match=r"frame 2: PE B \(link 1\): deadline passed"):
            session.run(frame)


# --- failures ---


@pytest.mark.parametrize("victim", range(PES))
def test_the_error_names_frame_pe_and_stage(chain: Program, victim: int) -> None:
    with open_timed(chain) as session:
        check_a_stopped_pe(session, victim)


def test_a_pe_that_fails_at_once(tmp_path: Path) -> None:
    with open_timed(tiny_program(tmp_path / "failing", FAILING, pes=3)) as session:
        for _ in range(2):
            with pytest.raises(EngineError, match=r"frame 0: PE A \(link 0\): malformed"):
                list(session.stream(frames_of(3)))


def test_who_waits_for_whom_when_nothing_moves(tmp_path: Path) -> None:
    with open_timed(tiny_program(tmp_path / "idle", ALWAYS_IDLE, pes=2)) as session:
        with pytest.raises(EngineError, match="frame 0 does not end") as caught:
            session.run(frames_of(1)[0])
        assert "PE B (link 1) waits at frame 0 for a frame of PE A" in str(caught.value)


def test_a_frame_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.engines.timed.session.FRAME_SECONDS", 0.1)
    never = pytest.raises(EngineError, match="frame 0 did not end within 0 s")
    with open_timed(tiny_program(tmp_path / "busy", NEVER_IDLE)) as session, never:
        session.run(frames_of(1)[0])


def test_an_interrupt_ends_the_session(chain: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_timed(chain) as session:
        list(session.stream(frames_of(5)))
        with monkeypatch.context() as patch:

            def interrupt() -> bool:
                raise KeyboardInterrupt

            patch.setattr(session._simulation, "turn", interrupt)
            with pytest.raises(KeyboardInterrupt):
                session.run(frames_of(1)[0])
        with pytest.raises(EngineError, match="interrupted"):
            session.run(frames_of(1)[0])


def test_a_closed_session(chain: Program) -> None:
    session = open_timed(chain)
    stream = session.stream(frames_of(50))
    next(stream)
    session.close()
    session.close()
    with pytest.raises(EngineError, match="closed"):
        next(stream)
    with pytest.raises(EngineError, match="closed"):
        session.run(frames_of(1)[0])


def test_it_takes_no_threads(chain: Program) -> None:
    with pytest.raises(EngineError, match="the engine timed takes no threads"):
        chain.open("timed", threads=2)


def test_a_program_from_before(tmp_path: Path) -> None:
    program = tiny_program(tmp_path / "old")
    path = program.folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="ascii"))
    del manifest["network"]
    path.write_text(json.dumps(manifest), encoding="ascii")
    with pytest.raises(EngineError, match="compile it again"):
        load_program(program.folder).open("timed")
