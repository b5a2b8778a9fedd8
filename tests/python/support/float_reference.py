"""Operators on real numbers, in plain numpy: what an int8 model stands for.

Tensors are NHWC; weights have TFLite's layouts. Nothing here rounds or saturates, so results are
what a quantised operator should come close to, and what its output scale can be chosen from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from support.tflite_builder import Pair, window_output_size

Reals = np.ndarray


def real(stored: np.ndarray, scale: float, zero_point: int) -> Reals:
    """The real numbers that stored values stand for."""
    return (stored.astype(np.float64) - zero_point) * scale


def stored(reals: Reals, scale: float, zero_point: int) -> np.ndarray:
    """The nearest int8 values."""
    return np.clip(np.rint(reals / scale) + zero_point, -128, 127).astype(np.int8)


def activate(reals: Reals, activation: str) -> Reals:
    """A fused activation."""
    low, high = {
        "NONE": (-np.inf, np.inf),
        "RELU": (0.0, np.inf),
        "RELU6": (0.0, 6.0),
        "RELU_N1_TO_1": (-1.0, 1.0),
    }[activation]
    return np.clip(reals, low, high)


def conv2d(
    x: Reals,
    weights: Reals,
    bias: Reals,
    strides: Pair = (1, 1),
    dilation: Pair = (1, 1),
    padding: str = "SAME",
) -> Reals:
    """Convolution with OHWI weights; a smaller filter depth means groups."""
    channels, kh, kw, depth = weights.shape
    groups = x.shape[3] // depth
    per_group = channels // groups
    result: Reals | float = 0.0
    for row, column, window in _taps(x, (kh, kw), strides, dilation, padding, fill=0.0):
        tap = weights[:, row, column, :].reshape(groups, per_group, depth)
        parts = window.reshape(*window.shape[:3], groups, depth)
        result = result + np.einsum("nhwgd,gcd->nhwgc", parts, tap, optimize=True)
    assert isinstance(result, np.ndarray)
    return result.reshape(*result.shape[:3], channels) + bias


def depthwise_conv2d(
    x: Reals,
    weights: Reals,
    bias: Reals,
    strides: Pair = (1, 1),
    dilation: Pair = (1, 1),
    padding: str = "SAME",
) -> Reals:
    """Depthwise convolution with (1, height, width, channels) weights."""
    _, kh, kw, channels = weights.shape
    spread = np.repeat(x, channels // x.shape[3], axis=3)
    taps = _taps(spread, (kh, kw), strides, dilation, padding, fill=0.0)
    return sum(window * weights[0, row, column] for row, column, window in taps) + bias


def fully_connected(x: Reals, weights: Reals, bias: Reals) -> Reals:
    """A dense layer on rows of the input."""
    return x.reshape(-1, weights.shape[1]) @ weights.T + bias


def average_pool2d(x: Reals, kernel: Pair, strides: Pair = (1, 1), padding: str = "VALID") -> Reals:
    """Average over those places of a window that lie inside the image."""
    taps = list(_taps(x, kernel, strides, (1, 1), padding, fill=np.nan))
    return np.nanmean([window for _, _, window in taps], axis=0)


def max_pool2d(x: Reals, kernel: Pair, strides: Pair = (1, 1), padding: str = "VALID") -> Reals:
    """Maximum over those places of a window that lie inside the image."""
    taps = list(_taps(x, kernel, strides, (1, 1), padding, fill=-np.inf))
    return np.max([window for _, _, window in taps], axis=0)


def softmax(x: Reals, beta: float = 1.0) -> Reals:
    """Softmax over the last axis."""
    powers = np.exp(beta * (x - x.max(axis=-1, keepdims=True)))
    return powers / powers.sum(axis=-1, keepdims=True)


def _taps(
    x: Reals, kernel: Pair, strides: Pair, dilation: Pair, padding: str, fill: float
) -> Iterator[tuple[int, int, Reals]]:
    """For each place of the kernel, what it meets at all output positions."""
    axes = list(zip(x.shape[1:3], kernel, strides, dilation, strict=True))
    sizes = [window_output_size(*axis, padding) for axis in axes]
    margins = [_margins(*axis, size) for axis, size in zip(axes, sizes, strict=True)]
    padded = np.pad(x, [(0, 0), *margins, (0, 0)], constant_values=fill)
    along = _along(sizes, strides, dilation)
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            yield row, column, padded[:, along(0, row)][:, :, along(1, column)]


def _margins(size: int, kernel: int, stride: int, dilation: int, outputs: int) -> Pair:
    # The odd one of an uneven margin goes after the image.
    total = max(0, (outputs - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return total // 2, total - total // 2


def _along(sizes: list[int], strides: Pair, dilation: Pair) -> Callable[[int, int], slice]:
    def positions(axis: int, place: int) -> slice:
        first = place * dilation[axis]
        return slice(first, first + (sizes[axis] - 1) * strides[axis] + 1, strides[axis])

    return positions
