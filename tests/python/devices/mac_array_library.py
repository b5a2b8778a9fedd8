"""The model of the array as a Python function, compiled for this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from cffi import FFI

from devices.mac_array_jobs import FILL, job_of
from devices.mac_array_reference import Array, Case
from native.c_compilers import STRICT, require, succeed
from weft.devices import load_device
from weft.paths import runtime_folder

_DEVICE = load_device("mac_array")
#: Bytes around the memory that a job may write.
_GUARD = 64


def _declarations(header: str) -> str:
    """What cffi reads: no comments, nothing of the preprocessor, nothing for C++, no driver."""
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    header = re.sub(r"#ifdef __cplusplus.*?#endif", "", header, flags=re.S)
    lines = [line for line in header.splitlines() if not line.startswith(("#", "extern"))]
    return "\n".join(lines)


def _at_a_multiple_of_16(data: bytes) -> np.ndarray:
    memory = np.zeros(len(data) + 16, np.uint8)
    start = -memory.ctypes.data % 16
    memory[start : start + len(data)] = np.frombuffer(data, np.uint8)
    return memory[start : start + len(data)]


class MacArrayLibrary:
    """``run(case, array)`` gives what the model makes of a case."""

    def __init__(self, folder: Path, compiler: str, *flags: str) -> None:
        path = folder / f"mac_array-{compiler}.so"
        source = _DEVICE.folder / "mac_array_model.c"
        include = f"-I{runtime_folder() / 'include'}"
        command = [require(compiler), *STRICT, "-Wconversion", "-Wshadow", include, *flags]
        succeed([*command, "-shared", "-fPIC", source, "-o", path])
        self._ffi = FFI()
        self._ffi.cdef(_declarations(_DEVICE.header.read_text(encoding="utf-8")))
        self._library: Any = self._ffi.dlopen(str(path))

    def run(self, case: Case, array: Array, *, pixel_gap: int = 0, row_gap: int = 0) -> np.ndarray:
        """The result, shaped as the reference's; gaps as in ``job_of``. Fails if anything else was
        written."""
        job = job_of(case, pixel_gap=pixel_gap, row_gap=row_gap)
        x = np.frombuffer(job.x, np.uint8)
        weights = _at_a_multiple_of_16(job.weights)
        memory = np.full(_GUARD + job.out_bytes + _GUARD, FILL, np.uint8)
        ffi = self._ffi
        pointers = {
            "x": ffi.cast("void *", x.ctypes.data),
            "weights": ffi.cast("void *", weights.ctypes.data),
            "out": ffi.cast("void *", memory.ctypes.data + _GUARD),
        }
        descriptor = ffi.new("weft_mac_array_job_t *", pointers | job.numbers)
        options = ffi.new(
            "weft_mac_array_options_t *",
            (array.accumulator_bits, int(array.saturates), int(array.subtracts_zero_points)),
        )
        self._library.weft_mac_array_model(descriptor, options)
        assert (memory[:_GUARD] == FILL).all()
        assert (memory[-_GUARD:] == FILL).all()
        return job.result(memory[_GUARD:-_GUARD])
