# SPDX-License-Identifier: Apache-2.0
"""Softmax over the last axis, int8 to int8, from a table of exponentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from weft.kernels.base import TensorKernel

if TYPE_CHECKING:
    from tvm import tirx


@dataclass(frozen=True)
class Softmax(TensorKernel):
    """``exponential[d]`` is exp(-d * scale * beta) in Q31, 0 where it does not count.

    tensorflow/lite/kernels/internal/reference/softmax.h, with the exponentials of all 256 possible
    differences computed when the program is compiled.
    """

    pointers = ("x", "exponential", "out")
    numbers = ("rows", "depth", "x_row", "out_row")
    outputs = ("out",)
    family = "softmax"
    name = "softmax_s8"
    summary = "Softmax over the last axis."

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script
        from weft.kernels.requantize import (
            rounding_shift_right,
            softmax_factor,
            softmax_share,
        )

        @script.prim_func(s_tir=True)
        def softmax(
            x_: T.handle,
            exponential_: T.handle,
            out_: T.handle,
            rows: T.int32,
            depth: T.int32,
            x_row: T.int32,
            out_row: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(x_, (rows, depth), "int8", strides=(x_row, 1))
            exponential = T.match_buffer(exponential_, (256,), "int32")
            out = T.match_buffer(out_, (rows, depth), "int8", strides=(out_row, 1))
            largest = T.sblock_alloc_buffer((1,), "int32")
            total = T.sblock_alloc_buffer((1,), "int32")
            factor = T.sblock_alloc_buffer((1,), "int32")
            for row in range(rows):
                with T.sblock("softmax"):
                    i = T.axis.spatial(rows, row)
                    largest[0] = -128
                    for c in range(depth):
                        largest[0] = T.max(largest[0], T.cast(x[i, c], "int32"))
                    total[0] = 0
                    for c in range(depth):
                        total[0] = total[0] + rounding_shift_right(
                            exponential[largest[0] - T.cast(x[i, c], "int32")], T.int32(12)
                        )
                    factor[0] = softmax_factor(total[0])
                    for c in range(depth):
                        out[i, c] = softmax_share(
                            factor[0],
                            exponential[largest[0] - T.cast(x[i, c], "int32")],
                            total[0],
                        )

        return softmax
