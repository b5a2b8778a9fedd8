"""Cases as jobs: the bytes and the numbers of a descriptor, wherever it is run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from devices import bundled
from devices.mac_array_reference import Case

_pack = bundled.module("mac_array", "weights").pack
#: What lies between pixels and rows, and what the result is written over.
FILL = 0xA5

#: Flags of the header.
DEPTHWISE, RELU, X_UNSIGNED, WEIGHTS_UNSIGNED = 1, 2, 4, 8


@dataclass(frozen=True)
class Job:
    """``numbers`` by the names of the descriptor, in its order."""

    x: bytes
    weights: bytes
    numbers: dict[str, int]
    _case: Case

    @property
    def out_bytes(self) -> int:
        numbers = self.numbers
        last_row = (numbers["out_h"] - 1) * numbers["out_down"]
        last_pixel = (numbers["out_w"] - 1) * numbers["out_right"]
        return last_row + last_pixel + numbers["out_channels"] * numbers["out_bits"] // 8

    def result(self, out: np.ndarray) -> np.ndarray:
        """[h, w, channels] from what the job made of ``out_bytes`` bytes of ``FILL``. Fails if
        anything between the pixels was written."""
        numbers = self.numbers
        shape, size = self._case.out_shape, numbers["out_bits"] // 8
        pixels = np.zeros((*shape[:2], shape[2] * size), np.uint8)
        rest = np.ones(out.size, bool)
        for h, w in np.ndindex(*shape[:2]):
            at = h * numbers["out_down"] + w * numbers["out_right"]
            pixels[h, w] = out[at : at + shape[2] * size]
            rest[at : at + shape[2] * size] = False
        assert (out[rest] == FILL).all(), "written between pixels"
        return pixels.view(f"i{size}")


def job_of(case: Case, *, pixel_gap: int = 0, row_gap: int = 0) -> Job:
    """In memory a pixel, of ``x`` and of the result, is ``pixel_gap`` elements longer than its
    channels, a row ``row_gap`` longer than its pixels."""
    height, width, channels = case.x.shape
    pixel = channels + pixel_gap
    row = pixel * width + row_gap
    x = np.full(row * height, FILL, np.uint8)
    for h, w in np.ndindex(height, width):
        at = h * row + w * pixel
        x[at : at + channels] = case.x[h, w].view(np.uint8)

    out_h, out_w, out_channels = case.out_shape
    out_pixel = (out_channels + pixel_gap) * case.out_bits // 8
    numbers = {
        "flags": DEPTHWISE * case.depthwise
        | RELU * case.relu
        | X_UNSIGNED * (case.x.dtype == np.uint8)
        | WEIGHTS_UNSIGNED * (case.weights.dtype == np.uint8),
        "out_h": out_h,
        "out_w": out_w,
        "out_channels": out_channels,
        "kernel_h": case.weights.shape[1],
        "kernel_w": case.weights.shape[2],
        "channels": case.weights.shape[3],
        "x_down": case.stride[0] * row,
        "x_right": case.stride[1] * pixel,
        "tap_down": case.dilation[0] * row,
        "tap_right": case.dilation[1] * pixel,
        "out_down": out_pixel * out_w + row_gap * case.out_bits // 8,
        "out_right": out_pixel,
        "x_zero_point": case.zero_point,
        "shift": case.shift,
        "out_bits": case.out_bits,
    }
    # What follows the last pixel is never needed, so it is not there.
    needed = row * (height - 1) + pixel * (width - 1) + channels
    return Job(x[:needed].tobytes(), _pack(case.weights), numbers, case)
