# SPDX-License-Identifier: Apache-2.0
"""The native engine: frames by copy and in place, errors, threads, interrupts, the hash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import weft
from native.models import MACHINE, Compiled
from native.tiny import (
    FAILING,
    NEVER_IDLE,
    SLOW_FIRST_FRAME,
    expected,
    rewrite,
    tiny_program,
)
from support.tflite_builder import ModelBuilder
from weft import _native
from weft.engines.native import NativeSession, new_stream
from weft.errors import EngineError, InputError, ProgramError
from weft.program import Program, load_program


def open_native(program: Program) -> NativeSession:
    session = program.open(engine="native")
    assert isinstance(session, NativeSession)
    return session


@pytest.fixture
def session(digits: Compiled) -> Iterator[NativeSession]:
    with open_native(digits.program) as opened:
        yield opened


@pytest.fixture(scope="session")
def two_by_two(compiled_folder: Path) -> Program:
    """A network of two inputs and two outputs: sum and difference."""
    builder = ModelBuilder("two inputs, two outputs")
    a = builder.input((1, 3, 5, 2), 0.5, 3)
    b = builder.input((1, 3, 5, 2), 0.25, -7)
    total = builder.add(a, b, scale=0.75, zero_point=1)
    builder.output(total, builder.sub(a, b, scale=0.5, zero_point=0))
    return weft.compile(builder.build(), MACHINE, output=compiled_folder / "two_by_two")


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def byte_bounds(slot: np.ndarray) -> tuple[int, int]:
    """The addresses of the first byte and behind the last one."""
    length = sum((n - 1) * s for n, s in zip(slot.shape, slot.strides, strict=True)) + 1
    return address(slot), address(slot) + length


def write_slot(slot: np.ndarray, frame: np.ndarray) -> None:
    slot[...] = frame.view(np.uint8).reshape(slot.shape)


def read_slot(slot: np.ndarray, like: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(slot).view(like.dtype).reshape(like.shape)


# --- in place ---


def test_slots_are_views_of_the_pes_own_memory(digits: Compiled, session: NativeSession) -> None:
    (first_in,), outs = session.slots()
    assert outs == [None]
    (again_in,), _ = session.slots()
    assert address(first_in) == address(again_in)
    assert np.shares_memory(first_in, again_in)
    write_slot(first_in, digits.frames[2])
    session.run_in_place()
    _, (first_out,) = session.slots()
    _, (again_out,) = session.slots()
    assert address(first_out) == address(again_out)
    assert not np.shares_memory(first_in, first_out)
    assert first_in.dtype == first_out.dtype == np.uint8
    assert not first_in.flags.owndata
    assert first_in.flags.writeable
    (pe,) = digits.program.manifest["pes"]
    ends = [byte_bounds(slot) for slot in (first_in, first_out)]
    assert max(e[1] for e in ends) - min(e[0] for e in ends) <= pe["arena_bytes"]


def test_slots_hold_one_frame(compiled: Compiled) -> None:
    with open_native(compiled.program) as session:
        (slot_in,), _ = session.slots()
        session.run_in_place()
        _, (slot_out,) = session.slots()
    assert slot_in.ndim == slot_out.ndim == 2
    assert slot_in.size == compiled.frames[0].nbytes
    assert slot_out.size == compiled.results[0].nbytes
    assert slot_in.strides[1] == 1
    assert slot_in.strides[0] >= slot_in.shape[1]


def run_in_place(session: NativeSession, *frame: np.ndarray) -> list[np.ndarray]:
    slots, _ = session.slots()
    for slot, array in zip(slots, frame, strict=True):
        write_slot(slot, array)
    session.run_in_place()
    return session.slots()[1]


def test_in_place_gives_the_results_of_run(compiled: Compiled) -> None:
    with open_native(compiled.program) as session:
        for frame, result in zip(compiled.frames, compiled.results, strict=True):
            (slot,) = run_in_place(session, frame)
            np.testing.assert_array_equal(read_slot(slot, result), result)


def test_a_frame_in_place_is_not_copied(digits: Compiled, session: NativeSession) -> None:
    """Views of a slot's rooms, taken before, show what is computed later: rooms take turns."""
    views = [run_in_place(session, digits.frames[2])[0] for _ in range(2)]
    assert address(views[0]) != address(views[1])
    for index in (3, 4):
        session.run(digits.frames[0])
        run_in_place(session, digits.frames[index])
        result = digits.results[index]
        assert any(np.array_equal(read_slot(view, result), result) for view in views)


def test_outputs_in_place_last_until_the_next_call(digits: Compiled) -> None:
    with open_native(digits.program) as session:
        run_in_place(session, digits.frames[2])
        session.run(digits.frames[3])
        assert session.slots()[1] == [None]


def test_in_place_with_several_channels(two_by_two: Program) -> None:
    rng = np.random.default_rng(1)
    frame = [rng.integers(-128, 128, i.shape).astype(np.int8) for i in two_by_two.inputs]
    with open_native(two_by_two) as session:
        wanted = session.run(frame)
        assert isinstance(wanted, tuple)
        slots_out = run_in_place(session, *frame)
        assert len(slots_out) == 2
        for slot, array in zip(slots_out, wanted, strict=True):
            np.testing.assert_array_equal(read_slot(slot, array), array)


def test_in_place_between_runs(digits: Compiled, session: NativeSession) -> None:
    for first, second in ((2, 3), (3, 4), (4, 2)):
        np.testing.assert_array_equal(session.run(digits.frames[first]), digits.results[first])
        (slot,) = run_in_place(session, digits.frames[second])
        result = digits.results[second]
        np.testing.assert_array_equal(read_slot(slot, result), result)
    results = list(session.stream(digits.frames))
    np.testing.assert_array_equal(results, digits.results)


def test_slots_outlive_their_session(digits: Compiled) -> None:
    with open_native(digits.program) as session:
        (slot_in,), _ = session.slots()
        (slot_out,) = run_in_place(session, digits.frames[2])
    del session
    np.testing.assert_array_equal(read_slot(slot_out, digits.results[2]), digits.results[2])
    write_slot(slot_in, digits.frames[3])


# --- frames ---


def test_results_are_the_callers(digits: Compiled, session: NativeSession) -> None:
    first = session.run(digits.frames[2])
    kept = first.copy()
    session.run(digits.frames[3])
    np.testing.assert_array_equal(first, kept)
    assert first.flags.owndata
    assert first.flags.writeable


def test_frames_need_not_be_contiguous(digits: Compiled, session: NativeSession) -> None:
    frame = digits.frames[2]
    wide = np.zeros((*frame.shape[:-1], 2 * frame.shape[-1]), np.int8)
    wide[..., ::2] = frame
    np.testing.assert_array_equal(session.run(wide[..., ::2]), digits.results[2])
    backwards = np.ascontiguousarray(frame[:, ::-1])[:, ::-1]
    np.testing.assert_array_equal(session.run(backwards), digits.results[2])


def test_read_only_frames_are_read(digits: Compiled, session: NativeSession) -> None:
    frame = digits.frames[2].copy()
    frame.flags.writeable = False
    np.testing.assert_array_equal(session.run(frame), digits.results[2])


def test_stream_gives_results_in_order(digits: Compiled, session: NativeSession) -> None:
    results = list(session.stream(iter(digits.frames)))
    np.testing.assert_array_equal(results, digits.results)


# --- wrong frames ---


def one_line(error: BaseException) -> str:
    message = str(error)
    assert message and "\n" not in message
    return message


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.bool_, ">i2"])
def test_wrong_dtype(digits: Compiled, session: NativeSession, dtype: object) -> None:
    (info,) = digits.program.inputs
    with pytest.raises(InputError) as caught:
        session.run(np.zeros(info.shape, dtype))
    message = one_line(caught.value)
    assert info.name in message
    assert str(np.dtype(dtype)) in message
    assert info.dtype in message


@pytest.mark.parametrize("shape", [(8, 8, 1), (1, 8, 8), (1, 8, 8, 2), (2, 8, 8, 1), (64,), ()])
def test_wrong_shape(digits: Compiled, session: NativeSession, shape: tuple[int, ...]) -> None:
    (info,) = digits.program.inputs
    with pytest.raises(InputError) as caught:
        session.run(np.zeros(shape, np.int8))
    message = one_line(caught.value)
    assert info.name in message
    assert str(shape) in message
    assert str(info.shape) in message


@pytest.mark.parametrize("count", [0, 1, 3])
def test_wrong_number_of_arrays(two_by_two: Program, count: int) -> None:
    with open_native(two_by_two) as session:
        with pytest.raises(InputError) as caught:
            session.run([np.zeros((1, 3, 5, 2), np.int8)] * count)
        message = one_line(caught.value)
        assert "2" in message
        assert str(count) in message
        assert all(info.name in message for info in two_by_two.inputs)


def test_one_array_for_two_inputs(two_by_two: Program) -> None:
    with open_native(two_by_two) as session, pytest.raises(InputError):
        session.run(np.zeros((1, 3, 5, 2), np.int8))


def test_what_is_no_array(digits: Compiled, session: NativeSession) -> None:
    with pytest.raises(InputError, match="NumPy array"):
        session.run([digits.frames[2].tolist()])


@pytest.mark.parametrize("frame", [None, 5, 0.5])
def test_what_is_no_sequence_either(session: NativeSession, frame: object) -> None:
    with pytest.raises(InputError):
        session.run(frame)  # type: ignore[arg-type]


def test_a_wrong_second_input_leaves_the_session_usable(two_by_two: Program) -> None:
    good = [np.ones((1, 3, 5, 2), np.int8)] * 2
    with open_native(two_by_two) as session:
        expected = session.run(good)
        with pytest.raises(InputError):
            session.run([good[0], np.zeros((1, 3, 5, 2), np.int16)])
        np.testing.assert_array_equal(session.run(good), expected)


# --- life ---


def test_a_closed_session_runs_nothing(digits: Compiled) -> None:
    session = open_native(digits.program)
    session.close()
    session.close()
    for call in (lambda: session.run(digits.frames[2]), session.slots, session.run_in_place):
        with pytest.raises(EngineError, match="closed"):
            call()


def test_sessions_do_not_share_state(digits: Compiled) -> None:
    with open_native(digits.program) as first, open_native(digits.program) as second:
        for index, other in ((2, 3), (3, 4), (4, 2)):
            np.testing.assert_array_equal(first.run(digits.frames[index]), digits.results[index])
            np.testing.assert_array_equal(second.run(digits.frames[other]), digits.results[other])


def test_there_is_no_other_engine(digits: Compiled) -> None:
    with pytest.raises(EngineError, match="native"):
        digits.program.open(engine="abacus")


@pytest.mark.parametrize("name", ["constants.bin", "tables.bin"])
def test_damaged_data(digits: Compiled, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(digits.program.folder, folder)
    path = folder / name
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for data in (b"", whole[:100], whole[:-1], whole + b"\0", flipped):
        path.write_bytes(data)
        with pytest.raises(ProgramError, match="damaged") as caught:
            load_program(folder).open()
        assert name in one_line(caught.value)
    path.write_bytes(whole)
    load_program(folder).open().close()


@pytest.mark.parametrize("name", ["constants.bin", "tables.bin"])
def test_data_that_do_not_belong_together(tmp_path: Path, name: str) -> None:
    """As another version might write them: the sums are right, the sizes are not."""
    program = rewrite(tiny_program(tmp_path / "short"), name, lambda data: data[:20])
    with pytest.raises(ProgramError, match="damaged"):
        program.open()


# --- threads ---


def test_two_sessions_in_two_threads(digits: Compiled) -> None:
    wrong: list[str] = []

    def work(order: list[int]) -> None:
        with open_native(digits.program) as session:
            for index in order * 50:
                if not np.array_equal(session.run(digits.frames[index]), digits.results[index]):
                    wrong.append(f"frame {index}")

    threads = [threading.Thread(target=work, args=(order,)) for order in ([2, 3, 4], [4, 0, 1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_waiting_releases_the_gil(tmp_path: Path) -> None:
    """Two that run for a given time end together, however many processors there are."""
    program = tiny_program(tmp_path / "endless", NEVER_IDLE)
    streams = [new_stream(program)[1] for _ in range(2)]
    workers = [_native.Workers(0) for _ in streams]
    for one, stream in zip(workers, streams, strict=True):
        one.attach(stream)
    ended: list[bool] = []

    def work(one: _native.Workers, stream: _native.Stream) -> None:
        ended.append(one.wait(stream, (0, 1), None, 0.6))

    threads = [
        threading.Thread(target=work, args=pair) for pair in zip(workers, streams, strict=True)
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    turns = 0
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.01)
        turns += 1
    assert time.monotonic() - start < 1.1
    assert turns > 5
    assert ended == [False, False]


def test_a_frame_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft.engines.native.FRAME_SECONDS", 0.2)
    session = open_native(tiny_program(tmp_path / "endless", NEVER_IDLE))
    with session, pytest.raises(EngineError, match="frame 0 did not end") as caught:
        session.run(np.zeros((4, 8), np.int8))
    one_line(caught.value)


def test_an_error_of_the_runtime_is_named(tmp_path: Path) -> None:
    with open_native(tiny_program(tmp_path / "failing", FAILING)) as session:
        with pytest.raises(EngineError, match="malformed tables") as caught:
            session.run(np.zeros((4, 8), np.int8))
        message = one_line(caught.value)
        assert "frame 0: PE A (link 0)" in message


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Timer]:
    """Ctrl-C in a moment, once started."""
    # What does not look for it is to fail, not to hang.
    monkeypatch.setattr("weft.engines.native.FRAME_SECONDS", 15.0)
    # Background jobs of a shell are started with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    yield timer
    timer.cancel()
    timer.join(5)
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_ends_a_run(tmp_path: Path, interrupt: threading.Timer) -> None:
    with open_native(tiny_program(tmp_path / "endless", NEVER_IDLE)) as session:
        interrupt.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            session.run(np.zeros((4, 8), np.int8))
        assert time.monotonic() - start < 5


def test_after_an_interrupt_no_result_is_wrong(tmp_path: Path, interrupt: threading.Timer) -> None:
    """The interrupted frame must not come out as the answer to a later one."""
    program = tiny_program(tmp_path / "slow", SLOW_FIRST_FRAME)
    frame = np.arange(32, dtype=np.int8).reshape(4, 8)
    with open_native(program) as session:
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            session.run(np.zeros((4, 8), np.int8))
        for _ in range(3):
            try:
                result = session.run(frame)
            except EngineError:
                continue
            np.testing.assert_array_equal(result, expected(frame))


def test_running_does_not_import_the_compiler(digits: Compiled) -> None:
    code = (
        "import sys, numpy, weft\n"
        f"with weft.load({str(digits.program.folder)!r}).open() as session:\n"
        "    (info,) = session.program.inputs\n"
        "    session.run(numpy.zeros(info.shape, info.dtype))\n"
        "heavy = {'tvm', 'xdsl', 'tflite', 'tflite_micro', 'onnxruntime'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
