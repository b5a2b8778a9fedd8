# SPDX-License-Identifier: Apache-2.0
"""Stages that reduce: pooling, mean, softmax."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from xdsl.dialects.builtin import I64, DenseArrayBase, IntegerAttr, StringAttr, TensorType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    ParsePropInAttrDict,
    irdl_op_definition,
    operand_def,
    opt_prop_def,
    prop_def,
    traits_def,
)
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.stages.base import Stage, int_of, ints, rounding_of, shape_of
from weft.dialects.stages.box import Box, Cut, CutError, window_span
from weft.kernels.base import KernelCall
from weft.kernels.mean import Mean
from weft.kernels.pool import Pool2d
from weft.kernels.softmax import Softmax
from weft.kernels.view import View


class Pooling(Stage):
    """Over NHWC windows. ``padding`` is top, bottom, left, right. Operands are the subclass's: the
    first is this."""

    if TYPE_CHECKING:
        x: SSAValue
    operator = prop_def(StringAttr)
    window = prop_def(DenseArrayBase[I64])
    strides = prop_def(DenseArrayBase[I64])
    padding = prop_def(DenseArrayBase[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def cut(self, box: Box) -> Cut:
        top, _, left, _ = ints(self.padding)
        spans = [
            window_span(box.begin[axis], box.shape[axis], size, taps, stride, 1, before)
            for axis, size, taps, stride, before in zip(
                (1, 2),
                shape_of(self.x)[1:3],
                ints(self.window),
                ints(self.strides),
                (top, left),
                strict=True,
            )
        ]
        first, last = [s.first for s in spans], [s.last for s in spans]
        extents = [b - a for a, b in zip(first, last, strict=True)]
        x = Box((box.begin[0], *first, box.begin[3]), (box.shape[0], *extents, box.shape[3]))
        return Cut((x,), {"padding": [side for s in spans for side in (s.before, s.after)]})

    def macs(self) -> int:
        return 0

    def taps(self) -> int:
        return prod(ints(self.window))

    def images(self, x: View, out: View) -> Iterator[tuple[dict[str, Any], dict[str, int]]]:
        """Pointers and numbers of the call for every image of the batch."""
        padding = ints(self.padding)
        for frame in range(out.shape[0]):
            image, result = x.at(frame), out.at(frame)
            numbers = {
                "out_h": result.shape[0],
                "out_w": result.shape[1],
                "channels": result.shape[2],
                "x_row": image.strides[0],
                "x_pixel": image.strides[1],
                "out_row": result.strides[0],
                "out_pixel": result.strides[1],
                "in_h": image.shape[0],
                "in_w": image.shape[1],
                "pad_top": padding[0],
                "pad_left": padding[2],
                "low": int_of(self.low),
                "high": int_of(self.high),
            }
            yield {"x": image.pointer, "out": result.pointer}, numbers


@irdl_op_definition
class PoolStage(Pooling):
    """``max`` or ``average`` in integers."""

    name = "stages.pool"
    x = operand_def(TensorType)

    def verify_(self) -> None:
        if self.operator.data not in ("max", "average"):
            raise VerifyException(f"no pooling operator {self.operator.data}")

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        padding = ints(self.padding)
        (window_h, window_w), (stride_h, stride_w) = ints(self.window), ints(self.strides)
        kernel = Pool2d(
            self.operator.data,
            window_h,
            window_w,
            stride_h,
            stride_w,
            padded=any(p > 0 for p in padding),
        )
        return [KernelCall(kernel, *arguments) for arguments in self.images(inputs[0], out)]


@irdl_op_definition
class MeanStage(Stage):
    """Mean over neighbouring ``axes``; ``offset`` is the zero point times the element count."""

    name = "stages.mean"
    x = operand_def(TensorType)
    axes = prop_def(DenseArrayBase[I64])
    offset = prop_def(IntegerAttr[I64])
    multiplier = prop_def(IntegerAttr[I64])
    shift = prop_def(IntegerAttr[I64])
    zero_point = prop_def(IntegerAttr[I64])
    rounding = opt_prop_def(StringAttr)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def verify_(self) -> None:
        axes = ints(self.axes)
        if not axes or axes != tuple(range(axes[0], axes[0] + len(axes))) or len(axes) > 2:
            raise VerifyException(f"stages.mean over one axis or two neighbouring ones, not {axes}")

    def cut(self, box: Box) -> Cut:
        shape, axes = shape_of(self.x), ints(self.axes)
        kept = [axis for axis in range(len(shape)) if axis not in axes]
        result = shape_of(self.result)
        # With its axes kept as extents of 1, or without them.
        has_all = result == tuple(1 if a in axes else n for a, n in enumerate(shape))
        if not has_all and result != tuple(shape[a] for a in kept):
            if box != Box.whole(result):
                raise CutError("a mean whose result has another order of axes is computed whole")
            return Cut((Box.whole(shape),))
        places = {axis: axis if has_all else i for i, axis in enumerate(kept)}
        begin = [box.begin[places[a]] if a in places else 0 for a in range(len(shape))]
        extents = [box.shape[places[a]] if a in places else n for a, n in enumerate(shape)]
        return Cut((Box(tuple(begin), tuple(extents)),))

    def needs_dense(self, operand: int) -> bool:
        return ints(self.axes) != (1, 2) or len(shape_of(self.x)) != 4

    def macs(self) -> int:
        return 0

    def taps(self) -> int:
        shape = shape_of(self.x)
        return prod(shape[axis] for axis in ints(self.axes))

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        (x,) = inputs
        axes = ints(self.axes)
        if x.is_contiguous:  # all axes before, the reduced ones, all axes behind
            first, behind = axes[0], axes[-1] + 1
            sides = prod(x.shape[:first]), prod(x.shape[behind:])
            x = x.reshaped((sides[0], *x.shape[first:behind], sides[1]))
        # Else these are the two inner axes of an NHWC tensor with a border.
        outer, *reduced, inner = x.shape
        result = out.reshaped((outer, inner))
        return [
            KernelCall(
                Mean(rounding_of(self)),
                pointers={"x": x.pointer, "out": result.pointer},
                numbers={
                    "outer": outer,
                    "reduce0": reduced[0],
                    "reduce1": reduced[1] if len(reduced) == 2 else 1,
                    "inner": inner,
                    "x_outer": x.strides[0],
                    "x_reduce0": x.strides[1],
                    "x_reduce1": x.strides[2] if len(reduced) == 2 else 0,
                    "x_inner": x.strides[-1],
                    "out_outer": result.strides[0],
                    "out_inner": result.strides[1],
                    "offset": int_of(self.offset),
                    "multiplier": int_of(self.multiplier),
                    "shift": int_of(self.shift),
                    "zero_point": int_of(self.zero_point),
                },
            )
        ]


@irdl_op_definition
class SoftmaxStage(Stage):
    """Over the last axis; ``table[d]`` is exp(-d * scale * beta) in Q31 for differences d."""

    name = "stages.softmax"
    x = operand_def(TensorType)
    table = operand_def(TensorType)
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def cut(self, box: Box) -> Cut:
        if box.shape[-1] != shape_of(self.x)[-1]:
            raise CutError("a softmax needs all of its last axis")
        return Cut((box, Box.whole(shape_of(self.table))))

    def needs_dense(self, operand: int) -> bool:
        return operand == 0

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, table = inputs
        depth = shape_of(self.x)[-1]
        rows = prod(x.shape) // depth
        x, out = x.reshaped((rows, depth)), out.reshaped((rows, depth))
        return [
            KernelCall(
                Softmax(),
                pointers={"x": x.pointer, "exponential": table.pointer, "out": out.pointer},
                numbers={"rows": rows, "depth": depth, "x_row": depth, "out_row": depth},
            )
        ]
