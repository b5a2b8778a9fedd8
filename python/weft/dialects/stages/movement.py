# SPDX-License-Identifier: Apache-2.0
"""Stages that only move data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    prop_def,
    traits_def,
    var_operand_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.stages.base import Stage, int_of, ints, shape_of
from weft.dialects.stages.box import Box, Cut, CutError, window_span
from weft.kernels.base import KernelCall
from weft.kernels.copy_rows import CopyRows
from weft.kernels.movement import Copy, Fill
from weft.kernels.view import View, loops_of, merge_axes


def copy_calls(source: View, target: View) -> list[KernelCall]:
    """Copies ``source`` to ``target``, two views of one shape."""
    made = []
    for part, result in loops_of([source, target], 4):
        if part.strides[-1] == result.strides[-1] == 1:
            made.append(_copy_rows(part, result))
            continue
        numbers = {f"extent{axis}": extent for axis, extent in enumerate(result.shape)}
        for name, view in (("x", part), ("out", result)):
            numbers |= {f"{name}_stride{axis}": stride for axis, stride in enumerate(view.strides)}
        pointers = {"x": part.pointer, "out": result.pointer}
        made.append(KernelCall(Copy(source.byte_dtype), pointers=pointers, numbers=numbers))
    return made


def _copy_rows(source: View, target: View) -> KernelCall:
    """Of four axes, the last one without gaps."""
    item = source.item_bytes
    *outer, inner = target.shape
    numbers = {f"extent{axis}": extent for axis, extent in enumerate(outer)}
    for name, view in (("x", source), ("out", target)):
        numbers |= {f"{name}_stride{axis}": item * view.strides[axis] for axis in range(3)}
    pointers = {"x": source.pointer, "out": target.pointer}
    return KernelCall(CopyRows(), pointers=pointers, numbers={**numbers, "bytes": item * inner})


def fill_calls(target: View, value: int) -> list[KernelCall]:
    """Sets all of ``target`` (int8) to ``value``."""
    (merged,) = merge_axes([target])
    is_dense_inside = merged.strides[-1] == 1
    made = []
    for (part,) in loops_of([target], 2 if is_dense_inside else 1):
        if is_dense_inside:
            rows, columns, stride = part.shape[0], part.shape[1], part.strides[0]
        else:  # a column: rows of one element
            rows, columns, stride = part.shape[0], 1, part.strides[0]
        numbers = {"rows": rows, "columns": columns, "out_row": stride, "value": value}
        made.append(KernelCall(Fill(), pointers={"out": part.pointer}, numbers=numbers))
    return made


class _Movement(Stage):
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def macs(self) -> int:
        return 0


@irdl_op_definition
class ReshapeStage(_Movement):
    """The same elements in the same order. A copy only where the operand is not contiguous."""

    name = "stages.reshape"
    x = operand_def(TensorType)

    @property
    def is_view(self) -> bool:
        return True

    def alias(self, x: View) -> View | None:
        return x.reshaped(shape_of(self.result)) if x.is_contiguous else None

    def verify_(self) -> None:
        if prod(shape_of(self.x)) != prod(shape_of(self.result)):
            raise VerifyException("stages.reshape keeps the number of elements")

    def cut(self, box: Box) -> Cut:
        before, after = shape_of(self.x), shape_of(self.result)
        if box == Box.whole(after):
            return Cut((Box.whole(before),))
        # Rows of the leading axis stay rows.
        if before[:1] == after[:1] and Box.whole(after[1:]) == Box(box.begin[1:], box.shape[1:]):
            rest = (0,) * (len(before) - 1)
            return Cut((Box((box.begin[0], *rest), (box.shape[0], *before[1:])),))
        raise CutError("a reshape is cut along a leading axis that it keeps, or not at all")

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        (x,) = inputs
        # At least one side is dense; it takes the other one's shape.
        if out.is_contiguous:
            return copy_calls(x, out.reshaped(x.shape))
        return copy_calls(x.reshaped(out.shape), out)


@irdl_op_definition
class TransposeStage(_Movement):
    """Axis ``i`` of the result is axis ``permutation[i]`` of ``x``."""

    name = "stages.transpose"
    x = operand_def(TensorType)
    permutation = prop_def(DenseArrayBase[I64])

    def cut(self, box: Box) -> Cut:
        order = ints(self.permutation)
        begin, extents = [0] * len(order), [0] * len(order)
        for axis, source in enumerate(order):
            begin[source], extents[source] = box.begin[axis], box.shape[axis]
        return Cut((Box(tuple(begin), tuple(extents)),))

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        (x,) = inputs
        return copy_calls(x.permuted(ints(self.permutation)), out)


@irdl_op_definition
class SliceStage(_Movement):
    """``x[begin : ... : steps]``, as large as the result. Steps may be negative."""

    name = "stages.slice"
    x = operand_def(TensorType)
    begin = prop_def(DenseArrayBase[I64])
    steps = prop_def(DenseArrayBase[I64])

    def alias(self, x: View) -> View | None:
        """Whole pixels of an image that lie as before: kernels read them by their strides."""
        shape = shape_of(self.result)
        is_image = len(shape) == 4 and shape[-1] == x.shape[-1]
        if not is_image or any(step != 1 for step in ints(self.steps)):
            return None
        return x.box(ints(self.begin), shape)

    def cut(self, box: Box) -> Cut:
        ends = [
            sorted((first + b * step, first + (b + n - 1) * step))
            for first, step, b, n in zip(
                ints(self.begin), ints(self.steps), box.begin, box.shape, strict=True
            )
        ]
        x = Box(tuple(low for low, _ in ends), tuple(high - low + 1 for low, high in ends))
        steps = ints(self.steps)
        begin = [0 if step > 0 else n - 1 for step, n in zip(steps, x.shape, strict=True)]
        return Cut((x,), {"begin": begin})

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        (x,) = inputs
        part = x.box(ints(self.begin), out.shape)
        strides = tuple(s * n for s, n in zip(part.strides, ints(self.steps), strict=True))
        return copy_calls(replace(part, strides=strides), out)


@irdl_op_definition
class ConcatStage(_Movement):
    """Operands one after another along ``axis``."""

    name = "stages.concat"
    xs = var_operand_def(TensorType)
    axis = prop_def(IntegerAttr[I64])

    @classmethod
    def group_operands(cls, operands: Sequence[SSAValue]) -> list[Any]:
        return [list(operands)]

    def cut(self, box: Box) -> Cut:
        axis = int_of(self.axis)
        operands, begin = [], [0] * len(box.shape)
        for x in self.xs:
            common = box.meet(Box(tuple(begin), shape_of(x)))
            operands.append(common.relative_to(begin) if common is not None else None)
            begin[axis] += shape_of(x)[axis]
        return Cut(tuple(operands))

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        axis = int_of(self.axis)
        made: list[KernelCall] = []
        begin = [0] * len(out.shape)
        for x in inputs:
            made += copy_calls(x, out.box(begin, x.shape))
            begin[axis] += x.shape[axis]
        return made


@irdl_op_definition
class PadStage(_Movement):
    """``x`` lies ``before`` elements into each axis of the result; the rest is ``value``.

    What of ``x`` would lie outside of the result is left out.
    """

    name = "stages.pad"
    x = operand_def(TensorType)
    before = prop_def(DenseArrayBase[I64])
    value = prop_def(IntegerAttr[I64])

    def cut(self, box: Box) -> Cut:
        begin, extents, before = [], [], []
        for first, n, size, ahead in zip(
            box.begin, box.shape, shape_of(self.x), ints(self.before), strict=True
        ):
            span = window_span(first, n, size, 1, 1, 1, ahead)
            begin.append(span.first)
            extents.append(span.last - span.first)
            before.append(span.before)
        return Cut((Box(tuple(begin), tuple(extents)),), {"before": before})

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        (x,) = inputs
        before, value = ints(self.before), int_of(self.value)
        seen = Box(before, x.shape).meet(Box.whole(out.shape))
        if seen is None:
            return fill_calls(out, value)
        made: list[KernelCall] = []
        begin, shape = [0] * len(out.shape), list(out.shape)
        # Peel the result axis by axis: what lies before and behind, then on with the middle.
        for axis, (first, extent) in enumerate(zip(seen.begin, seen.shape, strict=True)):
            for start, count in ((0, first), (first + extent, out.shape[axis] - first - extent)):
                if count > 0:
                    slab = [*begin], [*shape]
                    slab[0][axis], slab[1][axis] = start, count
                    made += fill_calls(out.box(*slab), value)
            begin[axis], shape[axis] = first, extent
        source = x.box(seen.relative_to(before).begin, seen.shape)
        return made + copy_calls(source, out.box(seen.begin, seen.shape))
