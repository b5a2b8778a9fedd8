"""The model of the array as a Python function, compiled for this machine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from cffi import FFI

from devices import bundled
from devices.mac_array_reference import Array, Case
from native.c_compilers import STRICT, require, succeed

_FOLDER = bundled.folder("mac_array")
_pack = bundled.module("mac_array", "weights").pack
#: Around the memory that a job may write.
_GUARD = 64
_FILL = 0xA5


def _declarations(header: str) -> str:
    """What cffi reads: no comments, nothing of the preprocessor, nothing for C++."""
    header = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    header = re.sub(r"#ifdef __cplusplus.*?#endif", "", header, flags=re.S)
    return "\n".join(line for line in header.splitlines() if not line.startswith("#"))


def _at_a_multiple_of_16(data: bytes) -> np.ndarray:
    memory = np.zeros(len(data) + 16, np.uint8)
    start = -memory.ctypes.data % 16
    memory[start : start + len(data)] = np.frombuffer(data, np.uint8)
    return memory[start : start + len(data)]


class MacArrayLibrary:
    """``run(case, array)`` gives what the model makes of a case."""

    def __init__(self, folder: Path, compiler: str, *flags: str) -> None:
        path = folder / f"mac_array-{compiler}.so"
        source = _FOLDER / "mac_array_model.c"
        command = [require(compiler), *STRICT, "-Wconversion", "-Wshadow", *flags]
        succeed([*command, "-shared", "-fPIC", source, "-o", path])
        self._ffi = FFI()
        self._ffi.cdef(_declarations((_FOLDER / "mac_array.h").read_text(encoding="utf-8")))
        self._library: Any = self._ffi.dlopen(str(path))

    def run(self, case: Case, array: Array, *, pixel_gap: int = 0, row_gap: int = 0) -> np.ndarray:
        """The result, shaped as the reference's. In memory a pixel, of ``x`` and of the result, is
        ``pixel_gap`` elements longer than its channels, a row ``row_gap`` longer than its pixels.
        Fails if anything else was written."""
        channels = case.x.shape[2]
        pixel = channels + pixel_gap
        row = pixel * case.x.shape[1] + row_gap
        x = np.full(row * case.x.shape[0], _FILL, np.uint8)
        for h in range(case.x.shape[0]):
            for w in range(case.x.shape[1]):
                at = h * row + w * pixel
                x[at : at + channels] = case.x[h, w].view(np.uint8)

        height, width, out_channels = case.out_shape
        size = case.out_bits // 8
        out_pixel = (out_channels + pixel_gap) * size
        out_row = out_pixel * width + row_gap * size
        memory = np.full(_GUARD + out_row * height + _GUARD, _FILL, np.uint8)
        weights = _at_a_multiple_of_16(_pack(case.weights))
        ffi, library = self._ffi, self._library
        flags = (
            case.depthwise * library.WEFT_MAC_ARRAY_DEPTHWISE
            | case.relu * library.WEFT_MAC_ARRAY_RELU
            | (case.x.dtype == np.uint8) * library.WEFT_MAC_ARRAY_X_UNSIGNED
            | (case.weights.dtype == np.uint8) * library.WEFT_MAC_ARRAY_WEIGHTS_UNSIGNED
        )
        job = ffi.new(
            "weft_mac_array_job_t *",
            {
                "x": ffi.cast("void *", x.ctypes.data),
                "weights": ffi.cast("void *", weights.ctypes.data),
                "out": ffi.cast("void *", memory.ctypes.data + _GUARD),
                "flags": int(flags),
                "out_h": height,
                "out_w": width,
                "out_channels": out_channels,
                "kernel_h": case.weights.shape[1],
                "kernel_w": case.weights.shape[2],
                "channels": case.weights.shape[3],
                "x_down": case.stride[0] * row,
                "x_right": case.stride[1] * pixel,
                "tap_down": case.dilation[0] * row,
                "tap_right": case.dilation[1] * pixel,
                "out_down": out_row,
                "out_right": out_pixel,
                "x_zero_point": case.zero_point,
                "shift": case.shift,
                "out_bits": case.out_bits,
            },
        )
        options = ffi.new(
            "weft_mac_array_options_t *",
            (array.accumulator_bits, int(array.saturates), int(array.subtracts_zero_points)),
        )
        library.weft_mac_array_model(job, options)

        is_result = np.zeros(memory.size, bool)
        out = np.zeros((height, width, out_channels * size), np.uint8)
        for h in range(height):
            for w in range(width):
                at = _GUARD + h * out_row + w * out_pixel
                out[h, w] = memory[at : at + out_channels * size]
                is_result[at : at + out_channels * size] = True
        assert (memory[~is_result] == _FILL).all(), "written beside the result"
        return out.view(f"i{size}")
