# SPDX-License-Identifier: Apache-2.0
"""Weights as hand-written dot products read them: the stream that ``runtime/kernels/dot.h`` tells.

Everything that depends on weights alone is done here, once: pairs of taps and of channels, biases,
the scales of the second rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_QUAD = 4
# Words of a quad besides those of its taps: biases, multipliers, scales.
_HEAD, _TAIL = 4, 8
# The least right shift whose scale is an int32.
_LEAST_SHIFT, _MOST_SHIFT = 2, 31
# Multipliers are Q31 and at least one half, or 0.
_LEAST_MULTIPLIER, _ONE = 1 << 30, 1 << 31
_MOST_ODD = 1 << 23
_LARGEST_INPUT = 128


@dataclass(frozen=True)
class Channels:
    """What is known of output channels: ``weights`` int8 ``[channels, runs, run]``, taps that lie
    next to each other being a run; bias int32, multiplier int32, shift int8, each a channel."""

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]


def pair_count(runs: int, run: int) -> int:
    """How many pairs of taps there are, filled up to an even number."""
    pairs = runs * (2 * (run // 4) + (run % 4 + 1) // 2)
    return pairs + pairs % 2


def stream_words(channels: int, runs: int, run: int) -> int:
    """The size of a stream."""
    return -(-channels // _QUAD) * (_HEAD + 2 * pair_count(runs, run) + _TAIL)


def are_requantizable(given: Channels) -> bool:
    """Whether all multipliers and right shifts can be prepared: see ``weft/dsp.h``."""
    used = given.multiplier != 0
    shifts = -given.shift.astype(np.int64)[used]
    in_range = (shifts >= _LEAST_SHIFT) & (shifts <= _MOST_SHIFT)
    return bool(np.all(in_range) and np.all(given.multiplier[used] >= _LEAST_MULTIPLIER))


def multipliers(given: Channels) -> NDArray[np.int64]:
    """Multiplier less one, in units of 2^-32, of every channel; any for 0, whose scale is 0."""
    return 2 * (np.maximum(given.multiplier.astype(np.int64), _LEAST_MULTIPLIER) - _ONE)


def scales(given: Channels) -> NDArray[np.int64]:
    """2^(32 - right shift) of every channel; 0 if its multiplier is 0, whatever the shift."""
    shifts = np.where(given.multiplier == 0, _MOST_SHIFT, -given.shift.astype(np.int64))
    return np.where(given.multiplier == 0, 0, 1 << (32 - shifts))


def _odd_reach(given: Channels) -> NDArray[np.int64]:
    """What no sum of an odd channel exceeds in size, its bias included."""
    weights = np.abs(given.weights.reshape(len(given.weights), -1)[1::2].astype(np.int64))
    bias = np.abs(given.bias[1::2].astype(np.int64))
    return np.asarray(bias + _LARGEST_INPUT * weights.sum(axis=1), np.int64)


def can_pack(given: Channels) -> bool:
    """Whether these weights are within what the kernels can do: see ``dot.h``."""
    weights = given.weights.reshape(len(given.weights), -1).astype(np.int64)
    even, odd = weights[0::2], weights[1::2]
    together = 256 * odd + even[: len(odd)]
    return bool(
        are_requantizable(given)
        and np.all(_odd_reach(given) < _MOST_ODD)
        and np.all(together >= -(1 << 15))
    )


def _pairs_of_a_run(run: int) -> list[tuple[int, int]]:
    """Which taps go together; -1 is none."""
    pairs = []
    for at in range(0, run - run % 4, 4):
        pairs += [(at, at + 2), (at + 1, at + 3)]
    rest = list(range(run - run % 4, run))
    if rest:
        pairs.append((rest[0], rest[-1] if len(rest) > 1 else -1))
    if len(rest) == 3:
        pairs.append((rest[1], -1))
    return pairs


def pack(given: Channels) -> NDArray[np.int32]:
    """The stream, after ``can_pack``."""
    channels, runs, run = given.weights.shape
    quads = -(-channels // _QUAD)
    order = np.array(_pairs_of_a_run(run)).reshape(-1)
    taps = np.zeros((quads * _QUAD, runs, run + 1), np.int64)
    taps[:channels, :, :run] = given.weights
    taps = taps[:, :, order].reshape(quads, _QUAD, -1, 2)
    pairs = pair_count(runs, run)
    paired = np.zeros((quads, _QUAD, pairs, 2), np.int64)
    paired[:, :, : taps.shape[2]] = taps
    together = 256 * paired[:, 1::2] + paired[:, 0::2]  # [quads, 2, pairs, 2]
    words = (together[..., 0] & 0xFFFF) | (together[..., 1] & 0xFFFF) << 16

    def padded(values: NDArray[np.int64]) -> NDArray[np.int64]:
        out = np.zeros(quads * _QUAD, np.int64)
        out[:channels] = values
        return out.reshape(quads, _QUAD)

    bias = padded(given.bias.astype(np.int64))
    multiplier = padded(multipliers(given))
    scale = padded(scales(given))
    stream = np.empty((quads, _HEAD + 2 * pairs + _TAIL), np.int64)
    stream[:, 0:_HEAD:2] = 256 * bias[:, 1::2] + bias[:, 0::2]
    stream[:, 1:_HEAD:2] = bias[:, 0::2]
    stream[:, _HEAD:-_TAIL] = words.transpose(0, 2, 1).reshape(quads, -1)
    for pair, at in ((0, -_TAIL), (1, -_TAIL // 2)):
        stream[:, at] = multiplier[:, 2 * pair + 1]
        stream[:, at + 1] = multiplier[:, 2 * pair]
        stream[:, at + 2] = scale[:, 2 * pair + 1]
        stream[:, at + 3] = scale[:, 2 * pair]
    return (stream & 0xFFFFFFFF).astype(np.uint32).view(np.int32).reshape(-1)
