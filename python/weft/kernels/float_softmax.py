# SPDX-License-Identifier: Apache-2.0
"""Softmax in float32, as ONNX Runtime computes it: over rows, int8 to int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.kernels.base import TensorKernel

if TYPE_CHECKING:
    from tvm import tirx


@dataclass(frozen=True)
class FloatSoftmax(TensorKernel):
    """``exponential[d]`` stands for exp(-d * scale) for differences ``d`` from the largest element;
    ``factor[0]`` is how many quanta one is. The sum goes from left to right."""

    pointers = ("x", "exponential", "factor", "out")
    numbers = ("rows", "depth", "x_row", "out_row", "zero_point")
    outputs = ("out",)
    family = "float_softmax"
    name = "float_softmax_s8"
    summary = "Softmax over the last axis, in float32."

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script
        from weft.kernels.requantize import float_share

        @script.prim_func(s_tir=True)
        def softmax(
            x_: T.handle,
            exponential_: T.handle,
            factor_: T.handle,
            out_: T.handle,
            rows: T.int32,
            depth: T.int32,
            x_row: T.int32,
            out_row: T.int32,
            zero_point: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(x_, (rows, depth), "int8", strides=(x_row, 1))
            exponential = T.match_buffer(exponential_, (256,), "float32")
            factor = T.match_buffer(factor_, (1,), "float32")
            out = T.match_buffer(out_, (rows, depth), "int8", strides=(out_row, 1))
            largest = T.sblock_alloc_buffer((1,), "int32")
            total = T.sblock_alloc_buffer((1,), "float32")
            for row in range(rows):
                with T.sblock("softmax"):
                    i = T.axis.spatial(rows, row)
                    largest[0] = -128
                    for c in range(depth):
                        largest[0] = T.max(largest[0], T.cast(x[i, c], "int32"))
                    total[0] = T.float32(0)
                    for c in range(depth):
                        total[0] = total[0] + exponential[largest[0] - T.cast(x[i, c], "int32")]
                    for c in range(depth):
                        out[i, c] = float_share(
                            exponential[largest[0] - T.cast(x[i, c], "int32")],
                            factor[0],
                            total[0],
                            zero_point,
                        )

        return softmax
