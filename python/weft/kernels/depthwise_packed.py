# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolution on packed weights, of any window and of 3x3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.kernels.dot_packing import Channels, are_requantizable, scales
from weft.kernels.hand_written import HandWritten

_QUAD = 4


@dataclass(frozen=True)
class DepthwisePacked(HandWritten):
    """What ``DepthwiseConv2d`` computes with one output a channel, for at least four channels."""

    pointers = ("x", "packed", "out")
    dtypes = ("int8", "int32", "int8")
    numbers = (
        *("out_h", "out_w", "channels", "kernel_h", "kernel_w", "x_row", "x_tap"),
        *("x_down", "x_right", "out_row", "out_pixel", "zero_point", "low", "high"),
    )
    outputs = ("out",)
    sources = ("depthwise_packed.c",)
    family = "depthwise_packed"
    name = "weft_depthwise_packed_s8"
    summary = "Depthwise convolution on packed weights, four channels at a time."


@dataclass(frozen=True)
class Depthwise3x3(HandWritten):
    """The same for 3x3 taps that lie next to each other, moved by one pixel across."""

    pointers = ("x", "packed", "out")
    dtypes = ("int8", "int32", "int8")
    numbers = (
        *("out_h", "out_w", "channels", "x_row", "x_pixel", "x_down", "out_row", "out_pixel"),
        *("zero_point", "low", "high"),
    )
    outputs = ("out",)
    sources = ("depthwise_3x3.c",)
    family = "depthwise_3x3"
    name = "weft_depthwise_3x3_s8"
    summary = "Depthwise convolution 3x3 on packed weights, three pixels by two channels at a time."


def can_pack_depthwise(given: Channels) -> bool:
    """Whether these weights are within what the kernels can do."""
    return len(given.weights) >= _QUAD and are_requantizable(given)


def _quads(given: Channels) -> tuple[NDArray[np.int64], ...]:
    """Weights ``[quads, 4, taps]``, bias, multiplier and scale ``[quads, 4]``. The last four
    channels end with the last one."""
    channels = len(given.weights)
    firsts = [*range(0, channels - _QUAD, _QUAD), channels - _QUAD]
    index = np.array(firsts)[:, None] + np.arange(_QUAD)
    weights = given.weights.reshape(channels, -1).astype(np.int64)
    values = given.bias.astype(np.int64), given.multiplier.astype(np.int64), scales(given)
    return weights[index], *(v[index] for v in values)


def _words(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    return (first & 0xFFFF) | (second & 0xFFFF) << 16


def _stream(parts: list[NDArray[np.int64]]) -> NDArray[np.int32]:
    stream = np.concatenate(parts, axis=1) & 0xFFFFFFFF
    return stream.astype(np.uint32).view(np.int32).reshape(-1)


def pack_depthwise(given: Channels) -> NDArray[np.int32]:
    """For ``DepthwisePacked``, after ``can_pack_depthwise``."""
    weights, bias, multiplier, scale = _quads(given)
    doubled = 2 * weights
    pairs = [_words(doubled[:, i], doubled[:, i + 2]) for i in (0, 1)]
    taps = np.stack(pairs, axis=2).reshape(len(weights), -1)
    return _stream([2 * bias, taps, multiplier, scale])


def pack_depthwise_3x3(given: Channels) -> NDArray[np.int32]:
    """For ``Depthwise3x3``, after ``can_pack_depthwise``."""
    weights, bias, multiplier, scale = _quads(given)
    doubled = 2 * weights
    parts = []
    for i in (0, 1):
        own = slice(i, None, 2)
        taps = _words(doubled[:, i], doubled[:, i + 2])
        parts += [2 * bias[:, own], taps, multiplier[:, own], scale[:, own]]
    return _stream(parts)
