# SPDX-License-Identifier: Apache-2.0
"""The compiled module by itself: libraries, meshes of PEs, and what it says to wrong calls."""

from __future__ import annotations

import gc
import math
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from native.tiny import ALWAYS_IDLE, CONSTANTS, REAL, expected, tiny_program, tiny_tables
from weft import _native
from weft.engines.library import host_library

FRAME = np.arange(-16, 16, dtype=np.int8).reshape(4, 8)
IN, OUT = (0, 0), (0, 1)


def load(folder: Path, step: str = REAL) -> _native.Library:
    return _native.Library(str(host_library(tiny_program(folder, step))))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> _native.Library:
    return load(tmp_path_factory.mktemp("module") / "tiny")


def chain(library: _native.Library, pes: int = 1) -> _native.Stream:
    stream = _native.Stream(library, 1)
    for number in range(pes):
        stream.add(0, tiny_tables(number, pes).to_bytes(), CONSTANTS)
    stream.connect()
    return stream


def working(stream: _native.Stream, threads: int = 0) -> _native.Workers:
    workers = _native.Workers(threads)
    workers.attach(stream)
    return workers


def take(stream: _native.Stream, end: tuple[int, int] = OUT) -> np.ndarray:
    result = np.zeros((1, 32), np.int8)
    assert stream.fetch(*end, result)
    return result


# --- frames ---


@pytest.mark.parametrize("threads", [0, 1, 8])
@pytest.mark.parametrize("pes", [1, 2, 5])
def test_a_frame_goes_through(library: _native.Library, pes: int, threads: int) -> None:
    stream = chain(library, pes)
    workers = working(stream, threads)
    out = (pes - 1, int(pes == 1))
    for count in range(5):
        assert stream.feed(*IN, FRAME + np.int8(count))
        assert workers.wait(stream, out, None, 30.0)
        np.testing.assert_array_equal(take(stream, out), expected(FRAME + np.int8(count), pes))
    assert stream.failure()[:2] == (-1, 0)


def test_credits_are_counted(library: _native.Library) -> None:
    """Without anybody who works: as many frames go in as the slot has room for."""
    stream = chain(library)
    assert not stream.fetch(*OUT, np.zeros(32, np.int8))
    assert not stream.release(*OUT)
    assert stream.room(*OUT) is None
    for count in range(2):
        assert stream.feed(*IN, FRAME + np.int8(count))
    assert stream.room(*IN) is None
    assert not stream.feed(*IN, FRAME)
    assert not stream.publish(*IN)
    workers = working(stream)
    for count in range(2):
        assert workers.wait(stream, OUT, None, 30.0)
        np.testing.assert_array_equal(take(stream), expected(FRAME + np.int8(count)))
    assert not workers.wait(stream, OUT, None, 0.05)
    assert workers.wait(stream, None, IN, 0.0)


def test_waits_are_told(library: _native.Library) -> None:
    stream = chain(library, 2)
    assert [row[0] for row in stream.waits(0)] == [3]  # an input from outside
    assert stream.waits(1) == [(1, 0, 0, 0)]  # frame 0 in slot 0, from PE 0
    workers = working(stream)
    assert stream.feed(*IN, FRAME)
    assert stream.waits(0)[0][0] == 0
    assert workers.wait(stream, (1, 0), None, 30.0)
    assert [row[:2] for row in stream.waits(1)] == [(1, 1)]


# --- wrong calls ---


def test_wrong_frames(library: _native.Library) -> None:
    stream = chain(library)
    wrong = [np.zeros(n, np.int8) for n in (0, 31, 33)]
    wrong += [np.zeros((4, 16), np.int8)[:, ::2], np.zeros((4, 8), np.int8)[::-1]]
    wrong += [np.zeros((4, 8), np.int16), np.zeros((8, 4), np.int8).T]
    for frame in wrong:
        with pytest.raises(ValueError, match="frame"):
            stream.feed(*IN, frame)
        with pytest.raises(ValueError, match="frame"):
            stream.fetch(*OUT, frame)


def test_the_other_direction(library: _native.Library) -> None:
    stream = chain(library)
    with pytest.raises(ValueError, match="input"):
        stream.feed(*OUT, np.zeros(32, np.int8))
    with pytest.raises(ValueError, match="output"):
        stream.fetch(*IN, np.zeros(32, np.int8))
    with pytest.raises(RuntimeError, match="argument"):
        stream.publish(*OUT)
    with pytest.raises(RuntimeError, match="argument"):
        stream.release(*IN)
    workers = working(stream)
    with pytest.raises(ValueError, match="output"):
        workers.wait(stream, IN, None, 1.0)
    with pytest.raises(ValueError, match="input"):
        workers.wait(stream, OUT, OUT, 1.0)


@pytest.mark.parametrize("end", [(0, 2), (1, 0), (0, 2**32 - 1), (2**32 - 1, 0)])
def test_ends_that_are_not_there(library: _native.Library, end: tuple[int, int]) -> None:
    stream = chain(library)
    workers = working(stream)
    calls = [
        lambda: stream.feed(*end, FRAME),
        lambda: stream.fetch(*end, np.zeros(32, np.int8)),
        lambda: stream.room(*end),
        lambda: workers.wait(stream, end, None, 1.0),
        lambda: workers.wait(stream, None, end, 1.0),
    ]
    for call in calls:
        with pytest.raises(IndexError):
            call()
    for change in (stream.publish, stream.release):
        with pytest.raises((IndexError, RuntimeError)):
            change(*end)


def test_numbers_that_are_no_pe(library: _native.Library) -> None:
    stream = chain(library)
    for call in (stream.waits, lambda pe: stream.fail(pe, 9)):
        with pytest.raises(IndexError):
            call(1)
    for end in ((-1, 0), (0, -1), (2**32, 0)):
        with pytest.raises(TypeError):
            stream.room(*end)
    with pytest.raises(IndexError):
        _native.Stream(library, 1).room(0, 0)


def test_results_go_into_writeable_arrays_only(library: _native.Library) -> None:
    stream = chain(library)
    workers = working(stream)
    assert stream.feed(*IN, FRAME)
    assert workers.wait(stream, OUT, None, 30.0)
    locked = np.zeros(32, np.int8)
    locked.flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        stream.fetch(*OUT, locked)
    np.testing.assert_array_equal(take(stream), expected(FRAME))


def test_what_is_no_buffer(library: _native.Library) -> None:
    stream = chain(library)
    with pytest.raises(TypeError):
        stream.feed(*IN, None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        _native.Stream(library, 1).add(0, "tables", CONSTANTS)


# --- life ---


def test_pes_are_added_before_they_are_connected(library: _native.Library) -> None:
    stream = chain(library)
    with pytest.raises(RuntimeError, match="connected"):
        stream.add(0, tiny_tables().to_bytes(), CONSTANTS)
    working(stream)


def test_pes_work_only_once_they_are_connected(library: _native.Library) -> None:
    stream = _native.Stream(library, 1)
    stream.add(0, tiny_tables().to_bytes(), CONSTANTS)
    workers = _native.Workers(2)
    with pytest.raises(RuntimeError, match="connected"):
        workers.attach(stream)
    stream.connect()
    workers.attach(stream)
    assert stream.feed(*IN, FRAME)
    assert workers.wait(stream, OUT, None, 30.0)


def test_a_stream_has_one_set_of_workers(library: _native.Library) -> None:
    stream = chain(library)
    first, second = _native.Workers(1), _native.Workers(0)
    first.attach(stream)
    for workers in (first, second):
        with pytest.raises(RuntimeError, match="workers"):
            workers.attach(stream)
    second.detach(stream)  # it has nothing to do with it
    assert stream.feed(*IN, FRAME)
    assert first.wait(stream, OUT, None, 30.0)
    first.detach(stream)
    first.detach(stream)
    assert stream.feed(*IN, FRAME)  # nobody works, and nobody minds


def test_streams_outlive_their_workers(library: _native.Library) -> None:
    stream = chain(library, 2)
    workers = working(stream, 2)
    del workers
    gc.collect()
    assert stream.feed(*IN, FRAME)
    stream.fail(1, 9)


def test_a_stream_may_be_the_last_to_know_its_library(tmp_path: Path) -> None:
    stream = chain(load(tmp_path / "tiny"))
    workers = working(stream)
    gc.collect()
    assert stream.feed(*IN, FRAME)
    assert workers.wait(stream, OUT, None, 30.0)
    room = stream.room(*OUT)
    assert room is not None
    workers.detach(stream)
    del stream, workers
    gc.collect()
    np.testing.assert_array_equal(room.view(np.int8), expected(FRAME))


def test_workers_that_have_nothing_to_do_wait(tmp_path: Path) -> None:
    stream = chain(load(tmp_path / "idle", ALWAYS_IDLE))
    workers = working(stream)
    for seconds in (0.0, -1.0, 0.1, math.nan):
        assert not workers.wait(stream, OUT, None, seconds)
    assert not workers.wait(stream, None, None, 0.0)


def test_one_set_of_workers_for_many_streams(library: _native.Library) -> None:
    workers = _native.Workers(3)
    streams = [chain(library, 3) for _ in range(6)]
    for stream in streams:
        workers.attach(stream)
    for number, stream in enumerate(streams):
        assert stream.feed(*IN, FRAME + np.int8(number))
    for number, stream in reversed(list(enumerate(streams))):
        assert workers.wait(stream, (2, 0), None, 30.0)
        result = take(stream, (2, 0))
        np.testing.assert_array_equal(result, expected(FRAME + np.int8(number), 3))
        workers.detach(stream)


def test_streams_come_and_go_while_others_work(library: _native.Library) -> None:
    workers = _native.Workers(2)
    wrong: list[int] = []

    def work(first: int) -> None:
        for number in range(first, first + 30):
            stream = chain(library, 2)
            workers.attach(stream)
            frame = np.full((4, 8), number, np.int8)
            if (
                not stream.feed(*IN, frame)
                or not workers.wait(stream, (1, 0), None, 30.0)
                or not np.array_equal(take(stream, (1, 0)), expected(frame, 2))
            ):
                wrong.append(number)
            workers.detach(stream)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- failures ---


@pytest.mark.parametrize("threads", [0, 2])
def test_a_pe_that_fails_is_told(library: _native.Library, threads: int) -> None:
    stream = chain(library, 3)
    workers = working(stream, threads)
    stream.fail(1, 9)
    assert workers.wait(stream, (2, 0), None, 30.0)
    assert stream.failure()[:2] == (1, 9)
    assert stream.room(2, 0) is None
    stream.fail(2, 6)
    assert not workers.wait(stream, None, None, 0.01) or stream.failure()[:2] == (1, 9)


@pytest.mark.parametrize("status", [-1, 0, 1, 3, 2**16, 2**31])
def test_only_errors_are_failures(library: _native.Library, status: int) -> None:
    stream = chain(library)
    with pytest.raises((RuntimeError, TypeError)):
        stream.fail(0, status)
    assert stream.failure()[:2] == (-1, 0)


# --- libraries ---


def test_what_is_no_host_library(tmp_path: Path) -> None:
    for path in (str(tmp_path / "missing.so"), _native.__file__):
        with pytest.raises(RuntimeError):
            _native.Library(path)
    other = tiny_program(tmp_path / "other", version="99u")
    with pytest.raises(RuntimeError, match="version"):
        _native.Library(str(host_library(other)))


def test_a_library_has_no_program_but_its_own(library: _native.Library) -> None:
    assert library.program_names == ["p0"]
    with pytest.raises(IndexError):
        _native.Stream(library, 1).add(1, tiny_tables().to_bytes(), CONSTANTS)
    assert library.status_string(0) == "ok"
    assert library.status_string(99) == "unknown status"


# --- damaged data ---


def test_tables_of_another_size(library: _native.Library) -> None:
    whole = tiny_tables().to_bytes()
    for size in (*range(0, len(whole), 3), len(whole) - 1):
        with pytest.raises(RuntimeError):
            _native.Stream(library, 1).add(0, whole[:size], CONSTANTS)
    _native.Stream(library, 1).add(0, whole + bytes(7), CONSTANTS)
    words = np.frombuffer(whole, np.uint32)
    for gaps in (np.repeat(words, 2)[::2], words[::-1]):
        with pytest.raises(ValueError, match="contiguous"):
            _native.Stream(library, 1).add(0, gaps, CONSTANTS)


def test_constants_of_another_size(library: _native.Library) -> None:
    for size in (0, 1, len(CONSTANTS) - 1):
        with pytest.raises(RuntimeError, match="storage"):
            _native.Stream(library, 1).add(0, tiny_tables().to_bytes(), CONSTANTS[:size])


# Steps PEs with damaged tables; in a process of its own, which the test expects to end well. Not
# changed: arguments of kernels, which go where they say, and the repetitions of sends.
_DAMAGE = """\
import struct, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from native.tiny import CONSTANTS, tiny_tables
from weft import _native
library = _native.Library(sys.argv[2])
taken = refused = 0
for victim in (0, 1):
    whole = [tiny_tables(number, 2).to_bytes() for number in (0, 1)]
    words = list(struct.unpack(f"<{len(whole[victim]) // 4}I", whole[victim]))
    first_arg, sends = words[21], words[11]
    harmless = {sends + 7, sends + 8}
    for place in range(first_arg):
        for value in {0, 1, 2, 3, 7, words[place] + 1, words[place] * 2, 2**16, 2**30, 2**31,
                      2**31 + 2**30, 2**32 - 1, 2**32 - 4}:
            if value == words[place] or value >= 2**32 or place in harmless:
                continue
            damaged = [*words[:place], value, *words[place + 1:]]
            tables = list(whole)
            tables[victim] = struct.pack(f"<{len(words)}I", *damaged)
            stream = _native.Stream(library, 1)
            try:
                for data in tables:
                    stream.add(0, data, CONSTANTS)
                stream.connect()
                workers = _native.Workers(0)
                workers.attach(stream)
                for _ in range(3):
                    stream.feed(0, 0, np.ones((4, 8), np.int8))
                    workers.wait(stream, (1, 0), None, 0.0)
                    workers.wait(stream, (1, 0), None, 0.0005)
                    stream.fetch(1, 0, np.zeros(32, np.int8))
                for pe in (0, 1):
                    stream.waits(pe)
                taken += 1
            except (RuntimeError, ValueError, IndexError):
                refused += 1
print(taken, refused)
"""


def test_damaged_tables_never_end_the_process(tmp_path: Path) -> None:
    path = host_library(tiny_program(tmp_path / "tiny"))
    tests = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", _DAMAGE, tests, path],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    taken, refused = map(int, done.stdout.split())
    assert refused > taken > 0


def test_the_head_of_tables_is_as_documented() -> None:
    head = struct.unpack("<24I", tiny_tables().to_bytes()[:96])
    assert head[:2] == (0x54465457, 3)
    assert head[2] * 4 == len(tiny_tables().to_bytes())
