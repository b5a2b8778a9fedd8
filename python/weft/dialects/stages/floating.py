# SPDX-License-Identifier: Apache-2.0
"""Stages on int8 that compute in float32 inside: what ONNX Runtime does not do in integers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects.builtin import I64, IntegerAttr, StringAttr, TensorType
from xdsl.irdl import ParsePropInAttrDict, irdl_op_definition, operand_def, prop_def, traits_def
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from weft.dialects.stages.base import Stage, int_of, ints, shape_of
from weft.dialects.stages.box import Box, Cut, CutError
from weft.dialects.stages.elementwise import broadcast_box, loop_numbers
from weft.dialects.stages.reduction import Pooling
from weft.kernels.base import KernelCall
from weft.kernels.float_binary import OPERATORS, FloatBinary
from weft.kernels.float_pool import FloatAveragePool
from weft.kernels.float_softmax import FloatSoftmax
from weft.kernels.view import View, loops_of


@irdl_op_definition
class FloatBinaryStage(Stage):
    """``add``, ``sub`` or ``mul`` of two int8 tensors in float32, with broadcasting.

    ``factors`` is a tensor of three floats: ``weft/arith_float.h`` has the formulas.
    """

    name = "stages.float_binary"
    a = operand_def(TensorType)
    b = operand_def(TensorType)
    factors = operand_def(TensorType)
    operator = prop_def(StringAttr)
    a_zero_point = prop_def(IntegerAttr[I64])
    b_zero_point = prop_def(IntegerAttr[I64])
    out_zero_point = prop_def(IntegerAttr[I64])
    low = prop_def(IntegerAttr[I64])
    high = prop_def(IntegerAttr[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def verify_(self) -> None:
        if self.operator.data not in OPERATORS:
            raise VerifyException(f"no binary operator {self.operator.data} on floats")

    def cut(self, box: Box) -> Cut:
        a, b = (broadcast_box(shape_of(v), box) for v in (self.a, self.b))
        return Cut((a, b, Box.whole(shape_of(self.factors))))

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        *operands, factors = inputs
        numbers = {
            name: int_of(getattr(self, name))
            for name in ("a_zero_point", "b_zero_point", "out_zero_point", "low", "high")
        }
        made = []
        views = [*(v.broadcast(out.shape) for v in operands), out]
        for a, b, result in loops_of(views, 4, inner=True):
            inner = (min(a.strides[-1], 1), min(b.strides[-1], 1))
            made.append(
                KernelCall(
                    FloatBinary(self.operator.data, *inner),
                    pointers={
                        "a": a.pointer,
                        "b": b.pointer,
                        "factors": factors.pointer,
                        "out": result.pointer,
                    },
                    numbers={
                        **loop_numbers([("a", a), ("b", b), ("out", result)], result),
                        **numbers,
                    },
                )
            )
        return made


@irdl_op_definition
class FloatPoolStage(Pooling):
    """``average`` in float32. ``factors`` is a tensor of three floats: the operand's
    scale, the result's, and the result's zero point in the model. With ``counts_padding`` (1 or 0)
    padding is part of the average."""

    name = "stages.float_pool"
    x = operand_def(TensorType)
    factors = operand_def(TensorType)
    counts_padding = prop_def(IntegerAttr[I64])
    in_zero_point = prop_def(IntegerAttr[I64])
    out_zero_point = prop_def(IntegerAttr[I64])

    def verify_(self) -> None:
        if self.operator.data != "average":
            raise VerifyException(f"no pooling operator {self.operator.data} on floats")

    def cut(self, box: Box) -> Cut:
        cut = super().cut(box)
        return Cut((*cut.operands, Box.whole(shape_of(self.factors))), cut.attributes)

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, factors = inputs
        (window_h, window_w), (stride_h, stride_w) = ints(self.window), ints(self.strides)
        kernel = FloatAveragePool(
            window_h,
            window_w,
            stride_h,
            stride_w,
            padded=any(side > 0 for side in ints(self.padding)),
            counts_padding=bool(int_of(self.counts_padding)),
        )
        numbers = {
            "in_zero_point": int_of(self.in_zero_point),
            "out_zero_point": int_of(self.out_zero_point),
        }
        return [
            KernelCall(
                kernel,
                pointers={**image, "factors": factors.pointer},
                numbers={**windows, **numbers},
            )
            for image, windows in self.images(x, out)
        ]


@irdl_op_definition
class FloatSoftmaxStage(Stage):
    """Over the last axis; ``table[d]`` is a multiple of exp(-d * scale) for differences d,
    ``factor`` a tensor of one float: how many quanta one is."""

    name = "stages.float_softmax"
    x = operand_def(TensorType)
    table = operand_def(TensorType)
    factor = operand_def(TensorType)
    zero_point = prop_def(IntegerAttr[I64])
    traits = traits_def(Pure())
    irdl_options = (ParsePropInAttrDict(),)

    def cut(self, box: Box) -> Cut:
        if box.shape[-1] != shape_of(self.x)[-1]:
            raise CutError("a softmax needs all of its last axis")
        return Cut((box, Box.whole(shape_of(self.table)), Box.whole(shape_of(self.factor))))

    def needs_dense(self, operand: int) -> bool:
        return operand == 0

    def macs(self) -> int:
        return 0

    def calls(self, inputs: Sequence[View], out: View) -> list[KernelCall]:
        x, table, factor = inputs
        depth = shape_of(self.x)[-1]
        rows = prod(x.shape) // depth
        x, out = x.reshaped((rows, depth)), out.reshaped((rows, depth))
        return [
            KernelCall(
                FloatSoftmax(),
                pointers={
                    "x": x.pointer,
                    "exponential": table.pointer,
                    "factor": factor.pointer,
                    "out": out.pointer,
                },
                numbers={
                    "rows": rows,
                    "depth": depth,
                    "x_row": depth,
                    "out_row": depth,
                    "zero_point": int_of(self.zero_point),
                },
            )
        ]
