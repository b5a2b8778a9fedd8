# SPDX-License-Identifier: Apache-2.0
"""Strided views: how kernels see tensors, wherever these lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

ITEM_BYTES = {"int8": 1, "uint8": 1, "int32": 4, "float32": 4}


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides of a dense tensor, in elements."""
    strides: list[int] = []
    step = 1
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


@dataclass(frozen=True)
class Pointer:
    """A place in a buffer or constant: ``base`` is an object of the level that makes the call."""

    base: Any
    byte_offset: int = 0


@dataclass(frozen=True)
class View:
    """A box of a tensor in memory. ``offset`` and ``strides`` count elements."""

    base: Any
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @property
    def item_bytes(self) -> int:
        return ITEM_BYTES[self.dtype]

    @property
    def byte_dtype(self) -> str:
        """For kernels that do no arithmetic: uint8 are bytes like int8."""
        return "int8" if self.dtype == "uint8" else self.dtype

    @property
    def pointer(self) -> Pointer:
        """Of the first element."""
        return Pointer(self.base, self.offset * self.item_bytes)

    @property
    def is_contiguous(self) -> bool:
        dense = contiguous_strides(self.shape)
        return all(
            extent == 1 or have == want
            for extent, have, want in zip(self.shape, self.strides, dense, strict=True)
        )

    def is_aligned(self, alignment: int) -> bool:
        """Whether all runs along the last axis begin at multiples of ``alignment`` bytes, if
        ``base`` does."""
        outer = zip(self.shape[:-1], self.strides[:-1], strict=True)
        steps = [self.offset, *(stride for extent, stride in outer if extent > 1)]
        return all(step * self.item_bytes % alignment == 0 for step in steps)

    def moved(self, elements: int) -> View:
        """The same shape, ``elements`` further on."""
        return replace(self, offset=self.offset + elements)

    def at(self, *indices: int) -> View:
        """The rest of the axes after fixing the leading ones."""
        n = len(indices)
        step = sum(i * s for i, s in zip(indices, self.strides, strict=False))
        return View(self.base, self.offset + step, self.shape[n:], self.strides[n:], self.dtype)

    def box(self, begin: Sequence[int], shape: Sequence[int]) -> View:
        """The sub-box that starts at ``begin``."""
        step = sum(i * s for i, s in zip(begin, self.strides, strict=True))
        return replace(self, offset=self.offset + step, shape=tuple(shape))

    def permuted(self, order: Sequence[int]) -> View:
        """Axis ``i`` of the result is axis ``order[i]`` of this view."""
        return replace(
            self,
            shape=tuple(self.shape[i] for i in order),
            strides=tuple(self.strides[i] for i in order),
        )

    def reshaped(self, shape: Sequence[int]) -> View:
        """Another shape of a contiguous view."""
        if not self.is_contiguous or prod(shape) != prod(self.shape):
            raise AssertionError(f"cannot reshape {self.shape} to {tuple(shape)}")
        return replace(self, shape=tuple(shape), strides=contiguous_strides(shape))

    def broadcast(self, shape: Sequence[int]) -> View:
        """Repeated (stride 0) to ``shape`` by NumPy's rules."""
        missing = len(shape) - len(self.shape)
        extents = (1,) * missing + self.shape
        strides = (0,) * missing + self.strides
        return replace(
            self,
            shape=tuple(shape),
            strides=tuple(0 if e == 1 else s for e, s in zip(extents, strides, strict=True)),
        )


def merge_axes(views: Sequence[View]) -> list[View]:
    """Views of one shape with as few axes as describe them all.

    Neighbouring axes are merged where in every view the outer one continues the inner one.
    """
    shape = views[0].shape
    kept: list[int] = []
    steps: list[list[int]] = [[] for _ in views]
    for axis, extent in enumerate(shape):
        if extent == 1:
            continue
        outer = [s[-1] if s else 0 for s in steps]
        inner = [v.strides[axis] for v in views]
        if kept and all(o == i * extent for o, i in zip(outer, inner, strict=True)):
            kept[-1] *= extent
            for s, i in zip(steps, inner, strict=True):
                s[-1] = i
        else:
            kept.append(extent)
            for s, i in zip(steps, inner, strict=True):
                s.append(i)
    if not kept:
        kept, steps = [1], [[1] for _ in views]
    return [
        replace(v, shape=tuple(kept), strides=tuple(s)) for v, s in zip(views, steps, strict=True)
    ]


def loops_of(views: Sequence[View], rank: int, *, inner: bool = False) -> Iterator[list[View]]:
    """The same views with exactly ``rank`` axes, once for every index of any further outer axes.

    With ``inner``, the last axis steps by 1 or not at all in every view, as kernels want it that
    have no argument for it.
    """
    merged = merge_axes(views)
    if inner and any(v.strides[-1] not in (0, 1) for v in merged):
        merged = [replace(v, shape=(*v.shape, 1), strides=(*v.strides, 1)) for v in merged]
    extra = max(0, len(merged[0].shape) - rank)
    for index in product(*(range(e) for e in merged[0].shape[:extra])):
        rest = [v.at(*index) for v in merged]
        missing = rank - len(rest[0].shape)
        yield [
            replace(v, shape=(1,) * missing + v.shape, strides=(0,) * missing + v.strides)
            for v in rest
        ]
