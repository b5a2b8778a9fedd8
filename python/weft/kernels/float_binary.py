# SPDX-License-Identifier: Apache-2.0
"""Element-wise operators of two int8 operands in float32, as ONNX Runtime computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from weft.kernels.base import TensorKernel

if TYPE_CHECKING:
    from tvm import tirx

OPERATORS = ("add", "mul", "sub")


@dataclass(frozen=True)
class FloatBinary(TensorKernel):
    """Four loops. A stride of 0 broadcasts; the innermost one is 1, or 0 for a scalar operand.

    ``factors`` are three floats, whose meaning depends on the operator: ``weft/arith_float.h``.
    What is computed with is ``a - a_zero_point`` and ``b - b_zero_point``.
    """

    operator: str
    a_inner: int
    b_inner: int

    pointers = ("a", "b", "factors", "out")
    numbers = (
        *("extent0", "extent1", "extent2", "extent3"),
        *(f"{operand}_stride{axis}" for operand in ("a", "b", "out") for axis in range(3)),
        *("a_zero_point", "b_zero_point", "out_zero_point", "low", "high"),
    )
    outputs = ("out",)

    @property
    def family(self) -> str:
        return f"float_{self.operator}"

    @property
    def name(self) -> str:
        layout = "".join("v" if inner else "s" for inner in (self.a_inner, self.b_inner))
        return f"{self.family}_s8_{layout}"

    @property
    def summary(self) -> str:
        kinds = ["varies" if inner else "is fixed" for inner in (self.a_inner, self.b_inner)]
        return (
            f"Element-wise {self.operator} in float32; along the last axis a {kinds[0]} and b "
            f"{kinds[1]}."
        )

    def tensor_ir(self) -> tirx.PrimFunc:
        from tvm.script import tirx as T

        from weft.kernels import script
        from weft.kernels.requantize import float_add, float_mul, float_sub

        a_inner, b_inner = self.a_inner, self.b_inner
        combine = {"add": float_add, "mul": float_mul, "sub": float_sub}[self.operator]

        def widened(value: Any, zero_point: Any) -> Any:
            return T.cast(value, "int32") - zero_point

        @script.prim_func(s_tir=True)
        def binary(
            a_: T.handle,
            b_: T.handle,
            factors_: T.handle,
            out_: T.handle,
            extent0: T.int32,
            extent1: T.int32,
            extent2: T.int32,
            extent3: T.int32,
            a_stride0: T.int32,
            a_stride1: T.int32,
            a_stride2: T.int32,
            b_stride0: T.int32,
            b_stride1: T.int32,
            b_stride2: T.int32,
            out_stride0: T.int32,
            out_stride1: T.int32,
            out_stride2: T.int32,
            a_zero_point: T.int32,
            b_zero_point: T.int32,
            out_zero_point: T.int32,
            low: T.int32,
            high: T.int32,
        ) -> None:
            T.func_attr({"tirx.noalias": True})
            a = T.match_buffer(
                a_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(a_stride0, a_stride1, a_stride2, a_inner),
            )
            b = T.match_buffer(
                b_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(b_stride0, b_stride1, b_stride2, b_inner),
            )
            factors = T.match_buffer(factors_, (3,), "float32")
            out = T.match_buffer(
                out_,
                (extent0, extent1, extent2, extent3),
                "int8",
                strides=(out_stride0, out_stride1, out_stride2, 1),
            )
            for i0, i1, i2, i3 in T.grid(extent0, extent1, extent2, extent3):
                with T.sblock("combine"):
                    p, q, r, s = T.axis.remap("SSSS", [i0, i1, i2, i3])
                    out[p, q, r, s] = combine(
                        widened(a[p, q, r, s], a_zero_point),
                        widened(b[p, q, r, s], b_zero_point),
                        factors,
                        out_zero_point,
                        low,
                        high,
                    )

        return binary
