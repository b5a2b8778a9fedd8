# SPDX-License-Identifier: Apache-2.0
"""Boxes of tensors, and what a stage needs to compute one box of its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class CutError(ValueError):
    """A stage cannot compute that box on its own."""


@dataclass(frozen=True)
class Box:
    """A part of a tensor: ``shape`` elements from ``begin`` on, along every axis."""

    begin: tuple[int, ...]
    shape: tuple[int, ...]

    @staticmethod
    def whole(shape: Sequence[int]) -> Box:
        """All of a tensor."""
        return Box((0,) * len(shape), tuple(shape))

    @property
    def end(self) -> tuple[int, ...]:
        """Where it stops along every axis, exclusive."""
        return tuple(b + n for b, n in zip(self.begin, self.shape, strict=True))

    @property
    def size(self) -> int:
        """How many elements it has."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    def is_inside(self, shape: Sequence[int]) -> bool:
        """Whether it is a part, not empty, of a tensor of that shape."""
        return len(shape) == len(self.shape) and all(
            n > 0 and b >= 0 and b + n <= extent
            for b, n, extent in zip(self.begin, self.shape, shape, strict=True)
        )

    def meet(self, other: Box) -> Box | None:
        """What both have in common; None if that is nothing."""
        begin, extents = [], []
        # Asked of every pair of boxes of a tensor, most of which lie apart: the first axis that
        # says so is enough.
        for a, n, b, m in zip(self.begin, self.shape, other.begin, other.shape, strict=True):
            first, end = max(a, b), min(a + n, b + m)
            if end <= first:
                return None
            begin.append(first)
            extents.append(end - first)
        return Box(tuple(begin), tuple(extents))

    def scaled(self, factors: Sequence[int]) -> Box:
        """The same box of a tensor whose elements are that much smaller."""
        begin = tuple(b * f for b, f in zip(self.begin, factors, strict=True))
        return Box(begin, tuple(n * f for n, f in zip(self.shape, factors, strict=True)))

    def relative_to(self, origin: Sequence[int]) -> Box:
        """The same box counted from ``origin``."""
        begin = tuple(b - o for b, o in zip(self.begin, origin, strict=True))
        return Box(begin, self.shape)


@dataclass(frozen=True)
class Cut:
    """How a stage computes one box: the box that it reads of every operand (constants included),
    or None for an operand that it does not need, and the attributes that differ from its own."""

    operands: tuple[Box | None, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """One axis of a window operator: elements ``first`` to ``last`` (exclusive) of its operand, of
    which ``before`` and ``after`` lie in the padding. Negative: the window starts or ends inside.
    """

    first: int
    last: int
    before: int
    after: int


def window_span(
    begin: int, count: int, size: int, taps: int, stride: int, dilation: int, padding: int
) -> Span:
    """What ``count`` results from ``begin`` on read of an axis of ``size`` elements, at least one.

    ``padding`` is what lies before the axis; a window may lie in the padding altogether.
    """
    start = begin * stride - padding
    stop = (begin + count - 1) * stride + (taps - 1) * dilation + 1 - padding
    first = min(max(start, 0), size - 1)
    last = max(min(stop, size), first + 1)
    return Span(first, last, first - start, stop - last)
