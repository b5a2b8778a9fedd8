# SPDX-License-Identifier: Apache-2.0
"""Random layers with weights, in plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

# In turn; convolutions differ in most.
_KINDS = ("conv2d", "depthwise", "conv2d", "dense")
# Of a random int8, near enough, to scale sums so that results use most of int8.
_SPREAD = 74.0
_WANTED = 60.0


@dataclass(frozen=True, eq=False)
class RandomLayer:
    """A layer: shapes, its constants as stages have them, and its attributes. All of its
    ``operands`` have the shape ``x_shape``."""

    kind: str
    x_shape: tuple[int, ...]
    out_shape: tuple[int, ...]
    constants: tuple[NDArray[Any], ...]
    attributes: Mapping[str, Any]
    operands: int = 1

    @property
    def weights(self) -> NDArray[np.int8]:
        return self.constants[0]

    @property
    def size(self) -> int:
        """To say which of two is the smaller one."""
        return prod(self.out_shape) * self.weights.size

    def __str__(self) -> str:
        steps = [
            f"{name} {self.attributes[name]}"
            for name in ("strides", "dilation", "padding", "groups", "in_zero_point")
            if name in self.attributes
        ]
        shapes = f"{self.kind} {list(self.x_shape)} -> {list(self.out_shape)}"
        return ", ".join([shapes, f"weights {list(self.weights.shape)}", *steps])

    def frames(self, rng: np.random.Generator) -> list[NDArray[np.int8]]:
        """Operands: random ones, extreme ones, and those that make one sum as large and as small
        as it can be."""
        shape = self.x_shape
        random = rng.integers(-128, 128, shape).astype(np.int8)
        extreme = rng.choice(np.array([-128, 127], np.int8), shape)
        channels = self._worst_signs(shape[-1]) > 0
        high, low = np.where(channels, 127, -128), np.where(channels, -128, 127)
        worst = [np.broadcast_to(row, shape).astype(np.int8) for row in (high, low)]
        return [random, extreme, *worst]

    def _worst_signs(self, channels: int) -> NDArray[np.int64]:
        """Of each input channel, the sum of its weights for the result with the largest ones."""
        weights = self.weights.astype(np.int64)
        if self.kind == "depthwise":
            by_channel: NDArray[np.int64] = weights.sum(axis=(0, 1))
            return by_channel
        by_channel = weights.reshape(len(weights), -1, weights.shape[-1]).sum(axis=1)
        signs = by_channel[np.abs(by_channel).sum(axis=1).argmax()]
        return np.resize(signs, channels)


def random_layers(rng: np.random.Generator, count: int) -> list[RandomLayer]:
    """Of all kinds in turn, from small ones to larger ones."""
    made = []
    for number in range(count):
        most = 2 + 6 * (number + 1) // count
        kind = _KINDS[number % len(_KINDS)]
        make = {"conv2d": _conv2d, "depthwise": _depthwise, "dense": _dense}[kind]
        made.append(make(rng, most))
    return made


def _channels(rng: np.random.Generator, most: int) -> int:
    """Often a multiple of something that hardware likes."""
    unit = int(rng.choice([1, 4, 4, 8, 16]))
    return unit * int(rng.integers(1, most + 1))


def _dense(rng: np.random.Generator, most: int) -> RandomLayer:
    long = 4 * int(rng.integers(8, 33))  # as the last layers of networks are
    in_channels = int(rng.choice([long, _channels(rng, most)]))
    out_channels = _channels(rng, most)
    rows = 1 if rng.random() < 0.6 else int(rng.integers(1, most + 1))
    weights = _weights(rng, (out_channels, in_channels))
    return layer_of(
        rng, "dense", (rows, in_channels), (rows, out_channels), weights, in_channels, {}
    )


def _conv2d(rng: np.random.Generator, most: int) -> RandomLayer:
    is_point = rng.random() < 0.5
    filters = (1, 1) if is_point else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    groups = int(rng.choice([1, 1, 1, 2]))
    channels = _channels(rng, most if is_point else 2)
    per_group = _channels(rng, 2)
    weights = _weights(rng, (groups * per_group, *filters, channels))
    window = filters[0] * filters[1] * channels
    x_channels, out_channels = groups * channels, groups * per_group
    more = {"groups": groups}
    return _windowed(rng, "conv2d", most, filters, x_channels, out_channels, weights, window, more)


def _depthwise(rng: np.random.Generator, most: int) -> RandomLayer:
    filters = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    channels = _channels(rng, 3)
    weights = _weights(rng, (*filters, channels))
    window = filters[0] * filters[1]
    return _windowed(rng, "depthwise", most, filters, channels, channels, weights, window, {})


def _windowed(
    rng: np.random.Generator,
    kind: str,
    most: int,
    filters: tuple[int, int],
    x_channels: int,
    out_channels: int,
    weights: NDArray[np.int8],
    window: int,
    more: Mapping[str, Any],
) -> RandomLayer:
    x_extent, out_extent, padding = [], [], []
    strides, dilation = rng.integers(1, 3, 2).tolist(), rng.integers(1, 3, 2).tolist()
    for taps, stride, step in zip(filters, strides, dilation, strict=True):
        reach = (taps - 1) * step + 1
        before, after = rng.integers(0, reach, 2).tolist()
        extent = int(rng.integers(1, most + 1)) + max(0, reach - before - after)
        x_extent.append(extent)
        out_extent.append((extent + before + after - reach) // stride + 1)
        padding += [before, after]
    attributes = {
        "strides": strides,
        "dilation": dilation,
        "padding": padding,
        "in_zero_point": int(rng.integers(-128, 128)),
        **more,
    }
    x_shape, out_shape = (1, *x_extent, x_channels), (1, *out_extent, out_channels)
    return layer_of(rng, kind, x_shape, out_shape, weights, window, attributes)


def _weights(rng: np.random.Generator, shape: Sequence[int]) -> NDArray[np.int8]:
    """Often as they come; or all as large as they can be, so that accumulators overflow; or small,
    so that they do not and something else sets how long a job may be."""
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(np.array([-127, 127], np.int8), shape)
    most = 127 if kind < 0.6 else 9
    return rng.integers(-most, most + 1, shape).astype(np.int8)


def layer_of(
    rng: np.random.Generator,
    kind: str,
    x_shape: tuple[int, ...],
    out_shape: tuple[int, ...],
    weights: NDArray[np.int8],
    window: int,
    attributes: Mapping[str, Any],
) -> RandomLayer:
    """A layer with these weights; ``window`` is how many each result reads. Bias and scales are
    such that results use most of int8."""
    channels = out_shape[-1]
    spread = _SPREAD * max(1.0, float(weights.std())) * window**0.5
    factors = _WANTED / spread * rng.uniform(0.5, 2.0, channels)
    mantissa, shift = np.frexp(factors)
    multiplier = np.minimum(np.round(mantissa * 2.0**31), 2.0**31 - 1).astype(np.int32)
    bias = np.round(rng.normal(0.0, spread, channels)).astype(np.int32)
    limits = {"zero_point": int(rng.integers(-128, 128)), "low": -128, "high": 127}
    constants = weights, bias, multiplier, shift.astype(np.int8)
    return RandomLayer(kind, x_shape, out_shape, constants, {**attributes, **limits})
