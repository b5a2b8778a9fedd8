# SPDX-License-Identifier: Apache-2.0
"""Several frames under way on several PEs: order, back-pressure, failures, early ends."""

from __future__ import annotations

import _thread
import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import weft
from native.chain import PES, ROOMS, Arrays, check, check_a_stopped_pe, frames_of
from native.tiny import (
    ALWAYS_IDLE,
    DEPTH,
    FAILING,
    NEVER_IDLE,
    SLOW_FIRST_FRAME,
    expected,
    tiny_program,
)
from support.tflite_builder import ModelBuilder
from weft import _native
from weft.engines.native import NativeSession
from weft.errors import EngineError, InputError
from weft.program import Program

THREADS = (0, 1, 8)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return tiny_program(tmp_path_factory.mktemp("chain") / "program", pes=PES)


class Source:
    """Counts how many frames it was asked for."""

    def __init__(self, frames: Arrays) -> None:
        self.frames = frames
        self.asked = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in self.frames:
            self.asked += 1
            yield frame


def open_native(program: Program, threads: int = 0) -> NativeSession:
    session = program.open(threads=threads)
    assert isinstance(session, NativeSession)
    return session


# --- order and room ---


@pytest.mark.parametrize("threads", THREADS)
def test_results_come_in_order(chain: Program, threads: int) -> None:
    frames = frames_of(200)
    with open_native(chain, threads) as session:
        check(session.stream(frames), frames)
        check([session.run(frame) for frame in frames[:20]], frames[:20])
        check(session.stream(iter(frames[:3])), frames[:3])
        assert list(session.stream([])) == []


@pytest.mark.parametrize("threads", [-1, -8])
def test_there_are_no_fewer_threads_than_none(chain: Program, threads: int) -> None:
    with pytest.raises(EngineError, match="threads"):
        chain.open(threads=threads)


@pytest.mark.parametrize("threads", THREADS)
def test_frames_are_taken_as_there_is_room(chain: Program, threads: int) -> None:
    source = Source(frames_of(100))
    most = 0
    with open_native(chain, threads) as session:
        for done, _ in enumerate(session.stream(source)):
            # The result that is at hand is under way no more.
            most = max(most, source.asked - done - 1)
    assert source.asked == 100
    assert 1 <= most <= ROOMS


def test_no_frame_is_asked_for_without_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.engines.native.FRAME_SECONDS", 0.1)
    source = Source(frames_of(10))
    with open_native(tiny_program(tmp_path / "idle", ALWAYS_IDLE, pes=2)) as session:
        with pytest.raises(EngineError, match="frame 0 did not end") as caught:
            next(session.stream(source))
        assert source.asked == DEPTH
        assert "PE B (link 1) waits at frame 0 for a frame of PE A" in str(caught.value)


def test_a_stream_asks_for_nothing_before_it_is_read(chain: Program) -> None:
    source = Source(frames_of(3))
    with open_native(chain) as session:
        stream = session.stream(source)
        assert source.asked == 0
        next(stream)
        assert source.asked > 0


def test_an_endless_source(chain: Program) -> None:
    frame = frames_of(1)[0]

    def endless() -> Iterator[np.ndarray]:
        while True:
            yield frame

    with open_native(chain) as session:
        for count, result in enumerate(session.stream(endless())):
            np.testing.assert_array_equal(result, expected(frame, PES))
            if count == 50:
                break


# --- ends before the end ---


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("taken", [1, 5])
def test_what_was_left_under_way_is_nobodys_result(
    chain: Program, threads: int, taken: int
) -> None:
    first, second = frames_of(20), frames_of(20, seed=1)
    with open_native(chain, threads) as session:
        for _ in range(3):
            stream = session.stream(first)
            check([next(stream) for _ in range(taken)], first[:taken])
            stream.close()
            np.testing.assert_array_equal(session.run(second[0]), expected(second[0], PES))
            stream = session.stream(first)
            next(stream)
            check(session.stream(second), second)
            with pytest.raises(EngineError, match="another call"):
                next(stream)


def test_a_source_that_uses_the_session_itself(chain: Program) -> None:
    frames = frames_of(3)
    with open_native(chain) as session:

        def source() -> Iterator[np.ndarray]:
            for frame in frames:
                session.run(frame)
                yield frame

        with pytest.raises(EngineError, match="another call"):
            list(session.stream(source()))
        check(session.stream(frames), frames)


def test_a_wrong_frame_in_a_stream(chain: Program) -> None:
    good = frames_of(6)
    with open_native(chain) as session:
        with pytest.raises(InputError):
            list(session.stream([*good[:3], np.zeros((4, 9), np.int8), *good[3:]]))
        check(session.stream(good), good)


def test_a_source_that_raises(chain: Program) -> None:
    good = frames_of(6)

    def source() -> Iterator[np.ndarray]:
        yield from good[:4]
        raise KeyError("the camera")

    with open_native(chain) as session:
        with pytest.raises(KeyError, match="camera"):
            list(session.stream(source()))
        np.testing.assert_array_equal(session.run(good[5]), expected(good[5], PES))


@pytest.mark.parametrize("threads", THREADS)
def test_closed_while_frames_are_under_way(chain: Program, threads: int) -> None:
    for _ in range(10):
        session = open_native(chain, threads)
        stream = session.stream(frames_of(50))
        next(stream)
        session.close()
        with pytest.raises(EngineError, match="closed"):
            next(stream)


def test_forgotten_while_frames_are_under_way(chain: Program) -> None:
    for _ in range(10):
        stream = chain.open(threads=2).stream(frames_of(50))
        next(stream)
        del stream
    gc.collect()


@pytest.mark.parametrize("threads", [0, 2])
def test_an_interrupt_from_the_keyboard_anywhere(
    chain: Program, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft.engines.native.FRAME_SECONDS", 10.0)
    frames = frames_of(40)
    rng = np.random.default_rng(0)
    with open_native(chain, threads) as session:
        for round_ in range(150):
            timer = threading.Timer(rng.uniform(0, 2e-3), _thread.interrupt_main)
            try:
                timer.start()
                # Python drops an interrupt while it frees a generator: do not wait for it.
                end = time.monotonic() + 0.5
                while time.monotonic() < end:
                    check(session.stream(frames), frames)
            except KeyboardInterrupt:
                timer.join()
            frame = frames[round_ % len(frames)]
            np.testing.assert_array_equal(session.run(frame), expected(frame, PES))


@pytest.mark.parametrize("threads", THREADS)
def test_closed_by_another_thread_while_it_waits(tmp_path: Path, threads: int) -> None:
    session = open_native(tiny_program(tmp_path / "idle", ALWAYS_IDLE, pes=2), threads)
    closing = threading.Timer(0.1, session.close)
    closing.start()
    with pytest.raises(EngineError, match="closed"):
        session.run(frames_of(1)[0])
    closing.join()


# --- failures ---


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("victim", range(PES))
def test_the_error_names_frame_pe_and_stage(chain: Program, victim: int, threads: int) -> None:
    with open_native(chain, threads) as session:
        check_a_stopped_pe(session, victim)


def test_there_is_no_such_pe_to_stop(chain: Program) -> None:
    with open_native(chain) as session, pytest.raises((EngineError, IndexError)):
        session.stop_pe(PES)


def test_a_pe_that_fails_at_once(tmp_path: Path) -> None:
    with open_native(tiny_program(tmp_path / "failing", FAILING, pes=3), 2) as session:
        for _ in range(2):
            with pytest.raises(EngineError, match=r"frame 0: PE [ABC] \(link [012]\): malformed"):
                list(session.stream(frames_of(3)))


# --- several sessions ---


@pytest.mark.parametrize("threads", THREADS)
def test_two_sessions_at_once(chain: Program, threads: int) -> None:
    first, second = frames_of(60), frames_of(60, seed=1)
    with open_native(chain, threads) as a, open_native(chain, threads) as b:
        both = zip(a.stream(first), b.stream(second), strict=True)
        pairs = zip(first, second, strict=True)
        check([y for pair in both for y in pair], [frame for pair in pairs for frame in pair])


def test_two_sessions_in_two_threads(chain: Program) -> None:
    wrong: list[BaseException] = []

    def work(seed: int) -> None:
        frames = frames_of(100, seed)
        try:
            with open_native(chain, 2) as session:
                check(session.stream(frames), frames)
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_sessions_that_share_workers(chain: Program, tmp_path: Path) -> None:
    workers = _native.Workers(2)
    frames = frames_of(30)
    busy = tiny_program(tmp_path / "busy", NEVER_IDLE)
    sessions = [NativeSession(program, workers=workers) for program in (chain, busy, chain)]
    streams = [sessions[0].stream(frames), sessions[2].stream(frames)]
    check(streams[0], frames)
    sessions[0].close()
    check(streams[1], frames)
    for session in sessions:
        session.close()


def test_others_come_and_go_beside_a_busy_session(chain: Program, tmp_path: Path) -> None:
    workers = _native.Workers(2)
    # Threads that always work, and take their time: there is no moment at which all are idle.
    slow = "(void)pe; for (volatile int i = 0; i < 1000000; ++i) {} return WEFT_OK;"
    busy = NativeSession(tiny_program(tmp_path / "busy", slow, pes=4), workers=workers)

    def come_and_go() -> None:
        for _ in range(5):
            NativeSession(chain, workers=workers).close()

    others = threading.Thread(target=come_and_go, daemon=True)
    others.start()
    others.join(30)
    assert not others.is_alive()
    busy.close()


def test_a_slow_first_frame(tmp_path: Path) -> None:
    program = tiny_program(tmp_path / "slow", SLOW_FIRST_FRAME)
    frames = frames_of(5)
    with open_native(program) as session:
        for result, frame in zip(session.stream(frames), frames, strict=True):
            np.testing.assert_array_equal(result, expected(frame))


# --- inputs and outputs that have nothing to do with each other ---


@pytest.mark.parametrize("threads", [0, 2])
def test_an_input_that_nobody_reads(tmp_path: Path, threads: int) -> None:
    builder = ModelBuilder()
    x, _ = builder.input((1, 4), 0.5, 0), builder.input((1, 3), 0.5, 0)
    builder.output(builder.relu6(x))
    program = weft.compile(builder.build(), "single-m4-1m", output=tmp_path / "program")
    frames = [
        [np.full(info.shape, number, np.int8) for info in program.inputs] for number in range(20)
    ]
    wanted = [np.clip(frame[0], 0, 12) for frame in frames]
    with open_native(program, threads) as session:
        for frame, result in zip(frames, wanted, strict=True):
            np.testing.assert_array_equal(session.run(frame), result)
        for got, result in zip(session.stream(frames), wanted, strict=True):
            np.testing.assert_array_equal(got, result)
