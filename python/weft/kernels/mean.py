# SPDX-License-Identifier: Apache-2.0
"""Mean over neighbouring axes, int8 to int8."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel
from weft.kernels.rounding import requantizer, suffix

if TYPE_CHECKING:
    from tvm import tirx
    from tvm.s_tir import Schedule


@dataclass(frozen=True)
class Mean(TensorKernel):
    """``out[o, i] = requantise(sum over r0, r1 of x[o, r0, r1, i] - offset)``.

    The division by the number of elements is part of the multiplier, as in
    tensorflow/lite/kernels/internal/reference/reduce.h (QuantizedMeanOrSum).
    """

    rounding: str = "twice"

    pointers = ("x", "out")
    numbers = (
        *("outer", "reduce0", "reduce1", "inner"),
        *("x_outer", "x_reduce0", "x_reduce1", "x_inner", "out_outer", "out_inner"),
        *("offset", "multiplier", "shift", "zero_point"),
    )
    outputs = ("out",)
    family = "mean"
    summary = "Mean over two neighbouring axes."

    @property
    def name(self) -> str:
        return f"mean_s8{suffix(self.rounding)}"

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script

        requantize_s8 = requantizer(self.rounding)

        @script.prim_func(s_tir=True)
        def mean(
            x_: T.handle,
            out_: T.handle,
            outer: T.int32,
            reduce0: T.int32,
            reduce1: T.int32,
            inner: T.int32,
            x_outer: T.int32,
            x_reduce0: T.int32,
            x_reduce1: T.int32,
            x_inner: T.int32,
            out_outer: T.int32,
            out_inner: T.int32,
            offset: T.int32,
            multiplier: T.int32,
            shift: T.int32,
            zero_point: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            x = T.match_buffer(
                x_,
                (outer, reduce0, reduce1, inner),
                "int8",
                strides=(x_outer, x_reduce0, x_reduce1, x_inner),
            )
            out = T.match_buffer(out_, (outer, inner), "int8", strides=(out_outer, out_inner))
            acc = T.sblock_alloc_buffer((outer, inner), "int32")
            for o, i, r0, r1 in T.grid(outer, inner, reduce0, reduce1):
                with T.sblock("accumulate"):
                    p, c, y, z = T.axis.remap("SSRR", [o, i, r0, r1])
                    with T.init():
                        acc[p, c] = 0
                    acc[p, c] = acc[p, c] + T.cast(x[p, y, z, c], "int32")
            for o, i in T.grid(outer, inner):
                with T.sblock("requantize"):
                    p, c = T.axis.remap("SS", [o, i])
                    out[p, c] = requantize_s8(
                        acc[p, c] - offset,
                        multiplier,
                        shift,
                        zero_point,
                        T.int32(-128),
                        T.int32(127),
                    )

        return mean

    def schedule(self, sch: Schedule) -> None:
        """One output element at a time, its accumulator in a register."""
        accumulate: Any = sch.get_sblock("accumulate")
        _, inner, first, _ = sch.get_loops(accumulate)
        sch.reverse_compute_at(sch.get_sblock("requantize"), inner)
        sch.decompose_reduction(accumulate, first)
