# SPDX-License-Identifier: Apache-2.0
"""The native engine: frames by copy and in place, errors, threads, interrupts, the hash."""

from __future__ import annotations

import hashlib
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
from native.tiny import CONSTANTS, FAILING, NEVER_IDLE, SLOW_FIRST_FRAME, tiny_program
from support.tflite_builder import ModelBuilder
from weft import _native
from weft.codegen.runtime_sources import runtime_files, runtime_hash
from weft.engines.library import host_library
from weft.engines.native import NativeSession
from weft.errors import EngineError, InputError, WeftError
from weft.paths import runtime_folder
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
    (first_in,), (first_out,) = session.slots()
    (again_in,), (again_out,) = session.slots()
    assert address(first_in) == address(again_in)
    assert address(first_out) == address(again_out)
    assert np.shares_memory(first_in, again_in)
    assert not np.shares_memory(first_in, first_out)
    assert first_in.dtype == first_out.dtype == np.uint8
    assert not first_in.flags.owndata
    assert first_in.flags.writeable
    (memory,) = (p["memory"] for p in digits.program.manifest["programs"])
    ends = [byte_bounds(slot) for slot in (first_in, first_out)]
    assert max(e[1] for e in ends) - min(e[0] for e in ends) <= memory["arena_bytes"]


def test_slots_hold_one_frame(compiled: Compiled) -> None:
    with open_native(compiled.program) as session:
        (slot_in,), (slot_out,) = session.slots()
    assert slot_in.ndim == slot_out.ndim == 2
    assert slot_in.size == compiled.frames[0].nbytes
    assert slot_out.size == compiled.results[0].nbytes
    assert slot_in.strides[1] == 1
    assert slot_in.strides[0] >= slot_in.shape[1]


def test_in_place_gives_the_results_of_run(compiled: Compiled) -> None:
    with open_native(compiled.program) as session:
        (slot_in,), (slot_out,) = session.slots()
        for frame, result in zip(compiled.frames, compiled.results, strict=True):
            write_slot(slot_in, frame)
            session.run_in_place()
            # The view taken before shows what was computed: nothing was copied.
            np.testing.assert_array_equal(read_slot(slot_out, result), result)


def test_in_place_with_several_channels(two_by_two: Program) -> None:
    rng = np.random.default_rng(1)
    frame = [rng.integers(-128, 128, i.shape).astype(np.int8) for i in two_by_two.inputs]
    with open_native(two_by_two) as session:
        expected = session.run(frame)
        assert isinstance(expected, tuple)
        slots_in, slots_out = session.slots()
        assert (len(slots_in), len(slots_out)) == (2, 2)
        for slot, array in zip(slots_in, frame, strict=True):
            write_slot(slot, array)
        session.run_in_place()
        for slot, array in zip(slots_out, expected, strict=True):
            np.testing.assert_array_equal(read_slot(slot, array), array)


def test_in_place_after_run(digits: Compiled, session: NativeSession) -> None:
    (slot_in,), (slot_out,) = session.slots()
    session.run(digits.frames[2])
    write_slot(slot_in, digits.frames[3])
    session.run_in_place()
    np.testing.assert_array_equal(read_slot(slot_out, digits.results[3]), digits.results[3])


def test_run_after_in_place(digits: Compiled, session: NativeSession) -> None:
    (slot_in,), _ = session.slots()
    write_slot(slot_in, digits.frames[2])
    session.run_in_place()
    for frame, result in zip(digits.frames, digits.results, strict=True):
        np.testing.assert_array_equal(session.run(frame), result)


def test_slots_outlive_their_session(digits: Compiled) -> None:
    with open_native(digits.program) as session:
        (slot_in,), (slot_out,) = session.slots()
        write_slot(slot_in, digits.frames[2])
        session.run_in_place()
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


@pytest.mark.parametrize("size", [0, 100])
def test_constants_that_are_too_short(digits: Compiled, tmp_path: Path, size: int) -> None:
    folder = tmp_path / "short"
    shutil.copytree(digits.program.folder, folder)
    constants = folder / "p0_constants.bin"
    constants.write_bytes(constants.read_bytes()[:size])
    with pytest.raises(WeftError):
        load_program(folder).open()


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


def endless_pe(folder: Path) -> _native.Pe:
    program = tiny_program(folder, NEVER_IDLE)
    return _native.Pe(_native.Library(str(host_library(program))), 0, CONSTANTS)


def test_running_releases_the_gil(tmp_path: Path) -> None:
    """Two that run for a given time end together, however many processors there are."""
    pes = [endless_pe(tmp_path / "endless") for _ in range(2)]
    ended: list[bool] = []
    threads = [threading.Thread(target=lambda p=pe: ended.append(p.run(0.6))) for pe in pes]
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
    with session, pytest.raises(EngineError, match="did not end"):
        session.run(np.zeros((4, 8), np.int8))


def test_an_error_of_the_runtime_is_named(tmp_path: Path) -> None:
    with open_native(tiny_program(tmp_path / "failing", FAILING)) as session:
        with pytest.raises(EngineError, match="malformed tables") as caught:
            session.run(np.zeros((4, 8), np.int8))
        assert "PE 0" in one_line(caught.value)


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
    constants = np.frombuffer(CONSTANTS, np.uint8)
    expected = (frame.view(np.uint8).ravel() + constants).astype(np.uint8).view(np.int8)
    with open_native(program) as session:
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            session.run(np.zeros((4, 8), np.int8))
        for _ in range(3):
            try:
                result = session.run(frame)
            except EngineError:
                continue
            np.testing.assert_array_equal(result.ravel(), expected)


# --- the runtime's hash ---


def slow_runtime_hash(folder: Path) -> str:
    """SHA-256 over name, length and contents of each shared file, in the order of the names."""
    names = [
        f"{part}/{path.relative_to(folder / part).as_posix()}"
        for part in ("include", "src")
        for path in (folder / part).rglob("*.*")
    ]
    text = b""
    for name in sorted(names):
        data = (folder / name).read_bytes()
        text += f"{name} {len(data)}\n".encode() + data
    return hashlib.sha256(text).hexdigest()


def test_one_hash_everywhere(compiled: Compiled) -> None:
    expected = slow_runtime_hash(runtime_folder())
    with open_native(compiled.program) as session:
        assert session.runtime_hash == expected
    assert compiled.program.manifest["runtime_sha256"] == expected
    assert slow_runtime_hash(compiled.program.folder / "runtime") == expected
    assert runtime_hash(runtime_folder()) == expected


def test_every_change_of_the_runtime_changes_the_hash(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    shutil.copytree(runtime_folder(), folder)
    seen = {runtime_hash(folder)}
    assert {"include/weft/arith.h", "src/pe.c", "src/hash.c"} <= set(runtime_files(folder))
    for name in runtime_files(folder):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data + b"\n")
        seen.add(runtime_hash(folder))
        (folder / name).write_bytes(data)
    assert len(seen) == 1 + len(runtime_files(folder))
    (folder / "src" / "pe.c").rename(folder / "src" / "qe.c")
    assert runtime_hash(folder) not in seen


def test_the_port_is_not_part_of_the_hash(tmp_path: Path) -> None:
    folder = tmp_path / "runtime"
    shutil.copytree(runtime_folder(), folder)
    before = runtime_hash(folder)
    shutil.rmtree(folder / "port")
    assert runtime_hash(folder) == before


def test_a_changed_runtime_is_noticed(digits: Compiled, tmp_path: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(digits.program.folder, folder)
    with (folder / "runtime" / "src" / "status.c").open("a", encoding="ascii") as stream:
        stream.write("/* changed */\n")
    try:
        session = open_native(load_program(folder))
    except WeftError:
        return
    with session:
        assert session.runtime_hash == runtime_hash(folder / "runtime")


def test_a_library_of_another_runtime_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = host_library(tiny_program(tmp_path / "tiny"))
    program = tiny_program(tmp_path / "other")
    program.manifest["runtime_sha256"] = "f" * 64
    monkeypatch.setattr("weft.engines.native.host_library", lambda _: library)
    with pytest.raises(EngineError, match="runtime"):
        program.open()


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
