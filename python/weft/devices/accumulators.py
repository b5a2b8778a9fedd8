# SPDX-License-Identifier: Apache-2.0
"""Whether a device's accumulator is wide enough for given weights, and where to cut if not, or if
a job has no room for all inputs.

Bounds are exact: operands are independent of each other, so some input reaches them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Accumulator:
    """``bits`` wide, two's complement. It ``saturates`` at every step, or wraps."""

    bits: int
    saturates: bool

    @property
    def low(self) -> int:
        return -(1 << (self.bits - 1))

    @property
    def high(self) -> int:
        return (1 << (self.bits - 1)) - 1


@dataclass(frozen=True)
class Operands:
    """The lowest and the highest number that is multiplied with a weight: of what lies in memory,
    minus the zero point if the device subtracts it. Borders count too."""

    low: int
    high: int


def _terms(weights: np.ndarray, operands: Operands) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest that each weight can contribute to a sum."""
    wide = weights.astype(np.int64)
    at_low, at_high = wide * operands.low, wide * operands.high
    return np.minimum(at_low, at_high), np.maximum(at_low, at_high)


def sum_range(weights: np.ndarray, operands: Operands) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest sum of each output channel: two int64 arrays [out], for
    ``weights`` [out, taps]."""
    lowest, highest = _terms(weights, operands)
    return lowest.sum(axis=1), highest.sum(axis=1)


def overflows(weights: np.ndarray, operands: Operands, accumulator: Accumulator) -> bool:
    """Whether there is an input for which a sum comes out wrong.

    ``weights`` are [out, taps], taps in the order in which the device adds up. An accumulator that
    wraps is wrong if the last sum does not fit, one that saturates if any on the way does not.
    """
    if accumulator.saturates:
        lowest, highest = (np.cumsum(terms, axis=1) for terms in _terms(weights, operands))
    else:
        lowest, highest = sum_range(weights, operands)
    return bool((lowest < accumulator.low).any() or (highest > accumulator.high).any())


def split_reduction(
    weights: np.ndarray,
    operands: Operands,
    accumulator: Accumulator,
    axis: int = -1,
    *,
    multiple: int = 1,
    most: int | None = None,
) -> list[tuple[int, int]] | None:
    """The fewest parts, each ``(start, stop)`` along ``axis``, such that the sums of no part
    overflow and none is longer than ``most``; one part if nothing does. Parts begin at multiples of
    ``multiple``. ``None`` if there are no such parts.

    ``weights`` are [out, ...], the rest in the order in which the device adds up: with [out,
    kernel_h, kernel_w, channels] axis 3 cuts input channels, axis 1 rows of the window.

    Operands of one sign are taken to reach down (or up) to zero: sums then grow with every tap, so
    the longest part that fits is the best, in whatever order its taps come. Where operands cannot
    be zero fewer parts may do; one part is found all the same.
    """
    extent = weights.shape[axis]
    most = extent if most is None else most
    flat = weights.reshape(weights.shape[0], -1)
    if extent <= most and not overflows(flat, operands, accumulator):
        return [(0, extent)]
    growing = Operands(min(operands.low, 0), max(operands.high, 0))
    steps = np.moveaxis(weights, axis, 1).reshape(weights.shape[0], extent, -1)
    # [out, step]: sums up to and with that step.
    lowest, highest = (np.cumsum(terms.sum(axis=2), axis=1) for terms in _terms(steps, growing))
    parts: list[tuple[int, int]] = []
    start = 0
    low_before = high_before = np.zeros((steps.shape[0], 1), np.int64)
    while start < extent:
        fits = (lowest - low_before >= accumulator.low) & (
            highest - high_before <= accumulator.high
        )
        ends = np.flatnonzero(~fits.all(axis=0))
        stop = min(int(ends[0]) if ends.size else extent, start + most)
        if stop < extent:
            stop -= stop % multiple
        if stop <= start:
            return None
        parts.append((start, stop))
        start = stop
        low_before, high_before = lowest[:, stop - 1 : stop], highest[:, stop - 1 : stop]
    return parts
