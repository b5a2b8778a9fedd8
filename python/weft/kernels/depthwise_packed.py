# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolution on packed weights, of any window and of 3x3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.kernels.dot_packing import Channels, are_requantizable, multipliers, scales
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
    sources = ("depthwise_packed.c", "limits.c")
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
    sources = ("depthwise_3x3.c", "limits.c")
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
    values = given.bias.astype(np.int64), multipliers(given), scales(given)
    return weights[index], *(v[index] for v in values)


def _stream(*parts: NDArray[np.int64]) -> NDArray[np.int32]:
    stream = np.concatenate(parts, axis=1) & 0xFFFFFFFF
    return stream.astype(np.uint32).view(np.int32).reshape(-1)


def _taps(weights: NDArray[np.int64]) -> NDArray[np.int64]:
    """Weights ``[quads, 4, taps]`` as words ``[quads, taps]`` of four bytes."""
    words = weights.transpose(0, 2, 1).astype(np.int8).copy().view("<u4")
    return words[..., 0].astype(np.int64)


def pack_depthwise(given: Channels) -> NDArray[np.int32]:
    """For ``DepthwisePacked``, after ``can_pack_depthwise``."""
    weights, bias, multiplier, scale = _quads(given)
    return _stream(bias, _taps(weights), multiplier, scale)


def pack_depthwise_3x3(given: Channels) -> NDArray[np.int32]:
    """For ``Depthwise3x3``, after ``can_pack_depthwise``."""
    weights, bias, multiplier, scale = _quads(given)
    even, odd = (
        (bias[:, own], multiplier[:, own], scale[:, own])
        for own in (slice(0, None, 2), slice(1, None, 2))
    )
    return _stream(even[0], _taps(weights), *even[1:], *odd)
