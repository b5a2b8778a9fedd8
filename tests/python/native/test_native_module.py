# SPDX-License-Identifier: Apache-2.0
"""The compiled module by itself: loading libraries, and what a PE says to wrong calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from native.tiny import CONSTANTS, tiny_program
from weft import _native
from weft.engines.library import host_library


def test_pe_checks_frames_and_channels(tmp_path: Path) -> None:
    library = _native.Library(str(host_library(tiny_program(tmp_path / "tiny"))))
    pe = _native.Pe(library, 0, CONSTANTS)
    for wrong in (np.zeros(31, np.int8), np.zeros(33, np.int8), np.zeros((4, 16), np.int8)[:, ::2]):
        with pytest.raises(ValueError, match="frame"):
            pe.feed(0, wrong)
    with pytest.raises(IndexError):
        pe.slot(2)
    with pytest.raises(IndexError):
        pe.feed(7, np.zeros(32, np.int8))
    with pytest.raises(RuntimeError, match="argument"):
        pe.feed(1, np.zeros(32, np.int8))
    assert not pe.fetch(1, np.zeros(32, np.int8))
    assert not pe.release(1)
    assert pe.feed(0, np.zeros(32, np.int8))
    assert not pe.feed(0, np.zeros(32, np.int8))
    assert not pe.publish(0)
    assert pe.run(10.0)
    result = np.zeros(32, np.int8)
    assert pe.fetch(1, result)
    assert result.tobytes() == CONSTANTS


def test_results_go_into_writeable_arrays_only(tmp_path: Path) -> None:
    library = _native.Library(str(host_library(tiny_program(tmp_path / "tiny"))))
    pe = _native.Pe(library, 0, CONSTANTS)
    pe.feed(0, np.zeros(32, np.int8))
    pe.run(10.0)
    locked = np.zeros(32, np.int8)
    locked.flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        pe.fetch(1, locked)
    assert pe.fetch(1, np.zeros(32, np.int8))


def test_what_is_no_host_library(tmp_path: Path) -> None:
    for path in (str(tmp_path / "missing.so"), _native.__file__):
        with pytest.raises(RuntimeError):
            _native.Library(path)
    other = tiny_program(tmp_path / "other", version="99u")
    with pytest.raises(RuntimeError, match="version"):
        _native.Library(str(host_library(other)))


def test_a_library_has_no_program_but_its_own(tmp_path: Path) -> None:
    library = _native.Library(str(host_library(tiny_program(tmp_path / "tiny"))))
    assert library.program_names == ["p0"]
    with pytest.raises(IndexError):
        _native.Pe(library, 1, CONSTANTS)
    assert library.status_string(0) == "ok"
    assert library.status_string(99) == "unknown status"
