"""What the kernels compute, in plain numpy: int64 throughout, no shifts, whole arrays at a time.

Written from the definitions in docstrings and in weft/arith.h, not from the TensorIR.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

Ints = np.ndarray


@dataclass(frozen=True)
class Output:
    """The end of most operators."""

    zero_point: int
    low: int
    high: int


def wrapped(x: Ints) -> Ints:
    """Modulo 2^32, as an int32 would hold it."""
    return (np.asarray(x, np.int64) + 2**31) % 2**32 - 2**31


def nearest_away(numerator: Ints, denominator: Ints | int) -> Ints:
    """The quotient to nearest, ties away from zero."""
    numerator = np.asarray(numerator, np.int64)
    magnitude = (2 * np.abs(numerator) + denominator) // (2 * np.asarray(denominator, np.int64))
    return np.sign(numerator) * magnitude


def requantized(x: Ints, multiplier: Ints | int, shift: Ints | int) -> Ints:
    """x * multiplier * 2^(shift - 31), rounded twice: TensorFlow Lite Micro's way."""
    shift = np.asarray(shift, np.int64)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    product = wrapped(np.asarray(x, np.int64) * 2**left) * np.asarray(multiplier, np.int64)
    return nearest_away((product + 2**30) // 2**31, 2**right)


def finished(x: Ints, multiplier: Ints | int, shift: Ints | int, output: Output) -> Ints:
    scaled = wrapped(requantized(x, multiplier, shift) + output.zero_point)
    return np.clip(scaled, output.low, output.high).astype(np.int8)


def taps(
    x: Ints,
    out: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> Iterator[tuple[int, int, Ints]]:
    """For each place of the filter, what it meets at all output positions of an unpadded box."""
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            top, left = row * dilation[0], column * dilation[1]
            rows = slice(top, top + (out[0] - 1) * stride[0] + 1, stride[0])
            columns = slice(left, left + (out[1] - 1) * stride[1] + 1, stride[1])
            yield row, column, x[rows, columns].astype(np.int64)


def conv2d(x: Ints, w: Ints, bias: Ints, **window: tuple[int, int]) -> Ints:
    """Sums of a convolution with weights (out channels, height, width, in channels)."""
    total = np.zeros((*window["out"], w.shape[0]), np.int64) + bias
    for row, column, seen in taps(x, kernel=w.shape[1:3], **window):
        total += np.einsum("hwi,oi->hwo", seen, w[:, row, column].astype(np.int64))
    return wrapped(total)


def depthwise(x: Ints, w: Ints, bias: Ints, **window: tuple[int, int]) -> Ints:
    """Sums of a depthwise convolution with weights (height, width, channels, multiplier)."""
    total = np.zeros((*window["out"], *w.shape[2:]), np.int64) + bias
    for row, column, seen in taps(x, kernel=w.shape[:2], **window):
        total += seen[..., None] * w[row, column].astype(np.int64)
    return wrapped(total)


def pooled(
    operator: str,
    x: Ints,
    out: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int],
) -> Ints:
    """Maximum or average over what of each window lies in ``x``."""
    result = np.zeros((*out, x.shape[2]), np.int64)
    for row in range(out[0]):
        for column in range(out[1]):
            top, left = row * stride[0] - pad[0], column * stride[1] - pad[1]
            window = x[max(top, 0) : top + kernel[0], max(left, 0) : left + kernel[1]]
            flat = window.reshape(-1, x.shape[2]).astype(np.int64)
            total = flat.max(0) if operator == "max" else nearest_away(flat.sum(0), len(flat))
            result[row, column] = total
    return result


def softmax(x: Ints, scale: float) -> np.ndarray:
    """The real values, as shares of 256 from -128 on, limited to int8."""
    powers = np.exp(scale * (x.astype(np.float64) - x.max(axis=-1, keepdims=True)))
    return np.minimum(256 * powers / powers.sum(axis=-1, keepdims=True) - 128, 127)
