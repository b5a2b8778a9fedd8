# SPDX-License-Identifier: Apache-2.0
"""The stage that makes an image larger or smaller by repeating rows and columns or leaving some
out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from xdsl.dialects.builtin import I64, DenseArrayBase, TensorType
from xdsl.irdl import (
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    prop_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.stages.base import Stage, ints, shape_of
from weft.dialects.stages.box import Box, Cut
from weft.dialects.stages.movement import copy_calls
from weft.kernels.base import KernelCall
from weft.kernels.view import View


@dataclass(frozen=True)
class _Piece:
    """Part of an axis: ``groups`` elements from ``source`` on, ``step`` apart, each ``repeat``
    times; the first of them goes to ``first``."""

    first: int
    groups: int
    repeat: int
    source: int
    step: int


def _pieces(indices: Sequence[int]) -> list[_Piece]:
    """A whole axis, whose element ``i`` comes from ``indices[i]``, in few pieces."""
    runs = [(source, len(list(same))) for source, same in groupby(indices)]
    pieces, first = [], 0
    while runs:
        source, repeat = runs[0]
        step = runs[1][0] - source if len(runs) > 1 else 1
        groups = 1
        while groups < len(runs) and runs[groups] == (source + groups * step, repeat):
            groups += 1
        pieces.append(_Piece(first, groups, repeat, source, step))
        first += groups * repeat
        runs = runs[groups:]
    return pieces


@irdl_op_definition
class ResizeStage(Stage):
    """``out[n, i, j, c] = x[n, rows[i], columns[j], c]``."""

    name = "stages.resize"
    x = operand_def(TensorType)
    rows = prop_def(DenseArrayBase[I64])
    columns = prop_def(DenseArrayBase[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def verify_(self) -> None:
        before, after = shape_of(self.x), shape_of(self.result)
        if len(before) != 4 or (before[0], before[3]) != (after[0], after[3]):
            raise VerifyException("stages.resize keeps images and channels")
        for indices, size, count in zip(self._indices, before[1:3], after[1:3], strict=True):
            if len(indices) != count or not all(0 <= i < size for i in indices):
                raise VerifyException("stages.resize has one index of x a row and column")

    @property
    def _indices(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        return ints(self.rows), ints(self.columns)

    def cut(self, box: Box) -> Cut:
        begin, extents, indices = list(box.begin), list(box.shape), []
        for axis, whole in enumerate(self._indices, start=1):
            part = whole[box.begin[axis] : box.end[axis]]
            begin[axis] = min(part)
            extents[axis] = max(part) - min(part) + 1
            indices.append([i - min(part) for i in part])
        attributes = {"rows": indices[0], "columns": indices[1]}
        return Cut((Box(tuple(begin), tuple(extents)),), attributes)

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        (x,) = inputs
        rows, columns = (_pieces(indices) for indices in self._indices)
        return [call for row in rows for column in columns for call in _copies(x, out, row, column)]


def _copies(x: View, out: View, row: _Piece, column: _Piece) -> list[KernelCall]:
    images, channels = x.shape[0], x.shape[3]
    shape = (images, row.groups, row.repeat, column.groups, column.repeat, channels)

    def view(of: View, at: tuple[int, int], strides: tuple[int, int, int, int]) -> View:
        start = of.box((0, *at, 0), of.shape)
        return replace(start, shape=shape, strides=(of.strides[0], *strides, of.strides[3]))

    x_row, x_column = x.strides[1:3]
    out_row, out_column = out.strides[1:3]
    return copy_calls(
        view(x, (row.source, column.source), (row.step * x_row, 0, column.step * x_column, 0)),
        view(
            out,
            (row.first, column.first),
            (row.repeat * out_row, out_row, column.repeat * out_column, out_column),
        ),
    )
