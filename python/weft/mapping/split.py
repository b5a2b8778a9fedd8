# SPDX-License-Identifier: Apache-2.0
"""Cutting the result of a stage into a grid of boxes of near equal size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import ceil, inf, prod

from weft.dialects.stages import Stage
from weft.dialects.stages.base import shape_of
from weft.dialects.stages.box import Box, CutError
from weft.machines.model import PeClass
from weft.mapping.cost import cost, work_cycles


def cuttable_axes(stage: Stage) -> list[int]:
    """The axes of its result along which the stage can be cut, at some border if not at any."""
    shape = shape_of(stage.result)
    axes = []
    for axis, extent in enumerate(shape):
        for border in _borders(extent):
            begin, extents = [0] * len(shape), list(shape)
            begin[axis], extents[axis] = border, extent - border
            if can_cut(stage, Box(tuple(begin), tuple(extents))):
                axes.append(axis)
                break
    return axes


def _borders(extent: int) -> list[int]:
    """Where an axis is tried: in the middle, and after equal parts, for those that have groups."""
    return [extent // 2, *reversed(_parts(extent))] if extent > 1 else []


def _parts(extent: int) -> list[int]:
    """What divides an axis into two or more equal parts."""
    return [n for n in range(1, extent // 2 + 1) if extent % n == 0]


def can_cut(stage: Stage, box: Box) -> bool:
    """Whether the stage can compute the box on its own."""
    try:
        stage.cut(box)
    except CutError:
        return False
    return True


def grid_boxes(shape: Sequence[int], counts: Sequence[int]) -> list[Box]:
    """Boxes of ``counts[i]`` pieces along axis ``i``, which differ by one element at most."""
    edges = [
        [extent * i // count for i in range(count + 1)]
        for extent, count in zip(shape, counts, strict=True)
    ]
    boxes = []
    for index in product(*(range(count) for count in counts)):
        begin = tuple(e[i] for e, i in zip(edges, index, strict=True))
        end = tuple(e[i + 1] for e, i in zip(edges, index, strict=True))
        boxes.append(Box(begin, tuple(e - b for b, e in zip(begin, end, strict=True))))
    return boxes


def split_along(stage: Stage, axis: int, pieces: int) -> list[Box]:
    """Exactly ``pieces`` boxes along one axis, as equal as the groups of the stage allow; none if
    it cannot be cut so."""
    shape = shape_of(stage.result)
    if pieces == 1:
        return [Box.whole(shape)]
    for grain in _parts(shape[axis]):
        units, counts = list(shape), [1] * len(shape)
        units[axis], counts[axis] = shape[axis] // grain, pieces
        if units[axis] < pieces:
            break
        scale = [grain if i == axis else 1 for i in range(len(shape))]
        boxes = [box.scaled(scale) for box in grid_boxes(units, counts)]
        if all(can_cut(stage, box) for box in boxes):
            return boxes
    return []


def _grids(shape: Sequence[int], axes: Sequence[int], pieces: int) -> Iterator[tuple[int, ...]]:
    """Counts for every axis, whose product is at most ``pieces``."""

    def extend(chosen: list[int], left: int) -> Iterator[list[int]]:
        if len(chosen) == len(shape):
            yield chosen
            return
        axis = len(chosen)
        most = min(left, shape[axis]) if axis in axes else 1
        for count in range(1, most + 1):
            yield from extend([*chosen, count], left // count)

    for counts in extend([], pieces):
        yield tuple(counts)


def split(stage: Stage, pieces: int, pe_class: PeClass) -> list[Box]:
    """At most ``pieces`` boxes, which the stage can compute: the one that takes longest as fast as
    can be, and among such grids the one whose pieces need the least memory, then the fewest pieces.
    """
    shape = shape_of(stage.result)
    axes = cuttable_axes(stage)
    grids: dict[int, list[tuple[int, ...]]] = {}
    for counts in _grids(shape, axes, pieces):
        extents = [ceil(extent / n) for extent, n in zip(shape, counts, strict=True)]
        slowest = work_cycles(stage, prod(extents), [1, *extents][-1], pe_class.cost)
        grids.setdefault(ceil(slowest), []).append(counts)

    def rank(counts: tuple[int, ...]) -> tuple[float, int, tuple[int, ...]]:
        extents = tuple(ceil(extent / n) for extent, n in zip(shape, counts, strict=True))
        begin = tuple((e - n) // 2 for e, n in zip(shape, extents, strict=True))
        box = Box(begin, extents)
        if not can_cut(stage, box):  # groups: one of the first pieces, which is as large
            box = Box(tuple(0 for _ in shape), extents)
        needs = cost(stage, box, pe_class).memory_bytes if can_cut(stage, box) else inf
        return needs, prod(counts), counts

    for _, alike in sorted(grids.items()):
        for counts in sorted(alike, key=rank):
            boxes = grid_boxes(shape, counts)
            if all(can_cut(stage, box) for box in boxes):
                return boxes
    return [Box.whole(shape)]
