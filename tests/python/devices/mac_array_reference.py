"""What ``mac_array.h`` says that the array computes, in NumPy: product by product, in order.

Written from the text of the header and not from the model, which it is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Array:
    """What arrays differ in."""

    accumulator_bits: int = 32
    saturates: bool = False
    subtracts_zero_points: bool = False


ARRAYS = [
    Array(bits, saturates, subtracts)
    for bits in (24, 29, 32)
    for saturates in (False, True)
    for subtracts in (False, True)
]


@dataclass(frozen=True)
class Case:
    """A convolution. ``x`` [h, w, channels] and ``weights`` [out_channels, kernel_h, kernel_w,
    channels] are int8 or uint8; a depthwise one has weights of one channel, and as many results as
    ``x`` has channels. The border is in ``x``."""

    x: np.ndarray
    weights: np.ndarray
    depthwise: bool = False
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    relu: bool = False
    zero_point: int = 0
    shift: int = 0
    out_bits: int = 32

    def __repr__(self) -> str:
        """With the shapes of arrays: hypothesis shows it."""
        shown = (
            f"{v.dtype}{list(v.shape)}" if isinstance(v, np.ndarray) else v
            for v in (getattr(self, field.name) for field in fields(self))
        )
        names = (field.name for field in fields(self))
        return "Case(" + ", ".join(f"{n}={v}" for n, v in zip(names, shown, strict=True)) + ")"

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """Height, width, channels of the result."""
        extents = [
            (self.x.shape[i] - self.dilation[i] * (self.weights.shape[1 + i] - 1) - 1)
            // self.stride[i]
            + 1
            for i in range(2)
        ]
        return extents[0], extents[1], self.weights.shape[0]


def _accumulate(total: np.ndarray, product: np.ndarray, array: Array) -> np.ndarray:
    """int64 sums after one more step."""
    half = 1 << (array.accumulator_bits - 1)
    if array.saturates:
        return np.clip(total + product, -half, half - 1)
    return (total + product + half) % (2 * half) - half


def accumulators(case: Case, array: Array) -> np.ndarray:
    """What the accumulators hold in the end: int64 [h, w, out_channels]."""
    height, width, out_channels = case.out_shape
    x = case.x.astype(np.int64) - case.zero_point
    weights = case.weights.astype(np.int64)
    total = np.zeros((height, width, out_channels), np.int64)
    for i in range(weights.shape[1]):
        for j in range(weights.shape[2]):
            top, left = i * case.dilation[0], j * case.dilation[1]
            seen = x[top :: case.stride[0], left :: case.stride[1]][:height, :width]
            for c in range(weights.shape[3]):
                operand = seen if case.depthwise else seen[:, :, c : c + 1]
                total = _accumulate(total, operand * weights[:, i, j, c], array)
    return total


def result(case: Case, array: Array) -> np.ndarray:
    """int8, int16 or int32 [h, w, out_channels]."""
    total = accumulators(case, array)
    if case.relu:
        total = np.maximum(total, 0)
    return (total >> case.shift).astype({8: np.int8, 16: np.int16, 32: np.int32}[case.out_bits])
