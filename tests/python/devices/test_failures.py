# SPDX-License-Identifier: Apache-2.0
"""A device that does not complete its jobs: what is told, and that it goes on after a reset."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import weft
from weft.errors import EngineError
from weft.paths import devices_folder
from weft.program import Program

DIGITS = Path(weft.__file__).parent / "models" / "digits_int8.tflite"
_MODEL = "    weft_mac_array_model(job->descriptor, &array->options);"


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Program]:
    """Compiles the digits network for a copy of mac_array whose C is changed: ``line`` comes before
    a job is done."""

    def made(name: str, line: str) -> Program:
        folder = tmp_path_factory.mktemp(name) / name
        shutil.copytree(devices_folder() / "mac_array", folder)
        source = folder / "mac_array.c"
        text = source.read_text(encoding="utf-8")
        assert text.count(_MODEL) == 1
        source.write_text(text.replace(_MODEL, f"    {line}\n{_MODEL}"), encoding="utf-8")
        return weft.compile(
            DIGITS, "single-m4", devices=[f"array={folder}"], output=folder.parent / "program"
        )

    return made


@pytest.fixture(scope="module")
def plain() -> Program:
    return weft.compile(DIGITS, "single-m4")


@pytest.fixture(scope="module")
def frame(plain: Program) -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, plain.inputs[0].shape).astype(np.int8)


@pytest.mark.parametrize("engine", ["native", "timed"])
def test_a_wedged_device_is_named_in_time(
    make: Callable[[str, str], Program], frame: np.ndarray, engine: str
) -> None:
    program = make(f"wedged_{engine}", "if (job->sequence == 3u) return WEFT_PENDING;")
    begun = time.monotonic()
    with program.open(engine, device_seconds=0.2) as session:
        for _ in range(2):  # it stays so
            with pytest.raises(EngineError) as caught:
                session.run(frame)
            message = str(caught.value)
            assert "frame 0: PE (0,0).0" in message
            assert "device array, job " in message
            assert " tile " in message
            assert "deadline passed" in message
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize("engine", ["native", "timed"])
def test_after_a_reset_the_next_frame_is_right(
    make: Callable[[str, str], Program], plain: Program, frame: np.ndarray, engine: str
) -> None:
    # What is static in the library outlives a reset: only the device's first life is a bad one.
    bad = "static uint32_t lives;\n    if (job->sequence == 0u) ++lives;\n"
    bad += "    if (lives == 1u && job->sequence == 2u) return WEFT_E_DEVICE;"
    program = make(f"once_{engine}", bad)
    with program.open(engine) as session, plain.open() as reference:
        expected = reference.run(frame)
        with pytest.raises(EngineError, match=r"device array, job .* tile 0: device failure"):
            session.run(frame)
        session.reset()
        for _ in range(2):
            assert np.array_equal(session.run(frame), expected)
